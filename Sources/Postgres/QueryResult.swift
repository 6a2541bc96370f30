import CLibpq

/// The rows of one statement, in text format unless asked otherwise; owns the `PGresult`.
public struct QueryResult: ~Copyable {
  private let result: OpaquePointer

  init(_ result: OpaquePointer) {
    self.result = result
  }

  deinit {
    PQclear(result)
  }

  public var rowCount: Int { Int(PQntuples(result)) }
  public var columnCount: Int { Int(PQnfields(result)) }

  /// The command tag, such as `CREATE TABLE` or `INSERT 0 5`.
  public var commandTag: String { PQcmdStatus(result).map { String(cString: $0) } ?? "" }

  /// The value, or nil where it is null.
  ///
  /// `row` and `column` count from 0; out of range gives nil.
  public subscript(row: Int, column: Int) -> String? {
    withBytes(row, column) { String(decoding: $0, as: UTF8.self) }
  }

  /// The value as it came, in the client encoding, or nil where it is null.
  public func bytes(_ row: Int, _ column: Int) -> [UInt8]? { withBytes(row, column) { [UInt8]($0) } }

  /// Calls `body` with the value's bytes, valid during the call; nil where it is null or out of range.
  func withBytes<Result, Failure: Error>(
    _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard row >= 0, column >= 0, row < rowCount, column < columnCount else { return nil }
    let (row, column) = (Int32(row), Int32(column))
    guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
      return nil
    }
    return try body(UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, column))))
  }

  /// The value as text; empty where it is null.
  public func text(_ row: Int, _ column: Int) -> String { self[row, column] ?? "" }

  /// The value as a number; nil where it is null or no integer.
  public func integer(_ row: Int, _ column: Int) -> Int? { self[row, column].flatMap { Int($0) } }

  /// Whether the value is the boolean true.
  public func isTrue(_ row: Int, _ column: Int) -> Bool { self[row, column] == "t" }

  /// The whole result as an array of rows.
  public func rows() -> [[String?]] {
    (0..<rowCount).map { row in (0..<columnCount).map { self[row, $0] } }
  }

  var status: ExecStatusType { PQresultStatus(result) }

  var isFailure: Bool {
    switch status {
    case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR: true
    default: false
    }
  }

  /// Whether libpq has made the report by itself: a server's always has a SQLSTATE.
  var isFromLibrary: Bool { PQresultErrorField(result, Int32(TSDB_DIAG_SQLSTATE)) == nil }

  /// The server's report on a failed statement.
  func error(isConnectionLost: Bool) -> PostgresError {
    func field(_ code: Int) -> String? {
      PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
    }
    let fallback = PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
    return PostgresError(
      origin: isConnectionLost ? .connectionLost : .server,
      sqlState: field(TSDB_DIAG_SQLSTATE) ?? "",
      severity: field(TSDB_DIAG_SEVERITY) ?? "ERROR",
      message: field(TSDB_DIAG_MESSAGE) ?? Connection.oneLine(fallback),
      detail: field(TSDB_DIAG_DETAIL),
      hint: field(TSDB_DIAG_HINT),
      position: field(TSDB_DIAG_POSITION).flatMap { Int($0) },
      internalQuery: field(TSDB_DIAG_INTERNAL_QUERY),
      internalPosition: field(TSDB_DIAG_INTERNAL_POSITION).flatMap { Int($0) },
      context: field(TSDB_DIAG_CONTEXT),
      constraint: field(TSDB_DIAG_CONSTRAINT))
  }
}
