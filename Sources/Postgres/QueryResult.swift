import CLibpq

/// The rows of one statement, in text format; owns the `PGresult`.
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
    let (row, column) = (Int32(row), Int32(column))
    guard row < PQntuples(result), column < PQnfields(result), PQgetisnull(result, row, column) == 0,
      let value = PQgetvalue(result, row, column)
    else { return nil }
    return String(
      decoding: UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, column))),
      as: UTF8.self)
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
