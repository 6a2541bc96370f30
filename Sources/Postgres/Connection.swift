import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One connection to a server; blocking, and closed when it goes out of scope.
///
/// Not thread-safe: a ``Session`` gives each connection a thread of its own.
public struct Connection: ~Copyable {
  let connection: OpaquePointer
  let notices = NoticeBuffer()
  let reported = ReportedParameters()

  /// Opens a connection. Text travels as UTF-8, whatever the database's encoding.
  ///
  /// The wait for each host address is bounded by `connect_timeout`, ten seconds unless the
  /// settings or `PGCONNECT_TIMEOUT` say otherwise.
  public init(_ settings: ConnectionSettings, applicationName: String) throws(PostgresError) {
    var parameters = settings.parameters
    parameters["fallback_application_name"] = applicationName
    parameters["client_encoding"] = "UTF8"
    if parameters["connect_timeout"] == nil, !Self.hasEnvironmentTimeout {
      parameters["connect_timeout"] = "10"
    }
    guard let connection = Self.open(parameters) else {
      throw PostgresError(origin: .client, message: "out of memory while connecting")
    }
    guard PQstatus(connection) == CONNECTION_OK else {
      defer { PQfinish(connection) }
      throw Self.connectionFailure(connection, settings: settings)
    }
    self.connection = connection
    PQsetNoticeReceiver(
      connection, receiveNotice, Unmanaged.passUnretained(notices).toOpaque())
  }

  deinit {
    PQfinish(connection)
  }

  /// Runs `sql`, which may hold several statements, and returns the last result.
  ///
  /// Several statements in one call form an implicit transaction.
  @discardableResult
  public func execute(_ sql: String) throws(PostgresError) -> QueryResult {
    guard PQsendQuery(connection, sql) == 1 else { throw connectionError() }
    return try lastResult()
  }

  /// Runs `sql`, bytes in the client encoding that may hold several statements, and returns the last
  /// result.
  ///
  /// - Throws: also where `sql` holds a NUL byte, behind which libpq would see nothing.
  @discardableResult
  public func execute(_ sql: [UInt8]) throws(PostgresError) -> QueryResult {
    try send(sql)
    return try lastResult()
  }

  /// Runs one statement with text parameters.
  public func query(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> QueryResult {
    let isSent = CStrings(parameters).withPointers { values in
      PQsendQueryParams(connection, sql, Int32(parameters.count), nil, values, nil, nil, 0)
    }
    guard isSent == 1 else { throw connectionError() }
    return try lastResult()
  }

  /// Runs `sql`, which may hold several statements, and gives each result in turn to `body`.
  ///
  /// Reads to the end even when a statement fails, so that the connection stays usable; the first
  /// failure is thrown.
  public func executeEach(
    _ sql: String, _ body: (Int, borrowing QueryResult) -> Void
  ) throws(PostgresError) {
    guard PQsendQuery(connection, sql) == 1 else { throw connectionError() }
    var index = 0
    try readResults { pointer in
      body(index, QueryResult(pointer))
      index += 1
    }
  }

  /// The notices received since the last call.
  public func takeNotices() -> [Notice] { notices.take() }

  /// What stops a statement of this connection from elsewhere; nil when the connection is lost.
  public func canceller() -> Canceller? { Canceller(connection) }

  /// The server's version as a number, such as 150020.
  public var serverVersion: Int { Int(PQserverVersion(connection)) }

  /// The process id that the other end gave when the connection opened; a pooler gives one of its own.
  public var announcedProcessID: Int { Int(PQbackendPID(connection)) }

  /// Whether a transaction block is open, failed or not.
  public var isInTransaction: Bool {
    let status = PQtransactionStatus(connection)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
  }

  /// `settings` narrowed to the server that this connection reached.
  ///
  /// Settings may name several hosts, or a name with several addresses, and a second connection must
  /// not end up elsewhere.
  public func narrowed(_ settings: ConnectionSettings) -> ConnectionSettings {
    var narrowed = settings
    let host = PQhost(connection).map { String(cString: $0) } ?? ""
    let address = PQhostaddr(connection).map { String(cString: $0) } ?? ""
    let port = PQport(connection).map { String(cString: $0) } ?? ""
    if !host.isEmpty { narrowed["host"] = host }
    // Both or neither: libpq pairs the two lists.
    narrowed["hostaddr"] = host.hasPrefix("/") || host.hasPrefix("@") || address.isEmpty ? nil : address
    if !port.isEmpty { narrowed["port"] = port }
    narrowed["target_session_attrs"] = "any"
    return narrowed
  }

  public var isBroken: Bool { PQstatus(connection) == CONNECTION_BAD }

  /// A setting that the server reports, such as `server_version`, or nil.
  public func parameterStatus(_ name: String) -> String? {
    let known = PQparameterStatus(connection, name).map { String(cString: $0) }
    return reported.value(of: name, known: known)
  }

  /// The encoding of all text between client and server, as the server calls it: UTF8 at first.
  ///
  /// Where it is not UTF8, text that comes as `String` has U+FFFD for what is not UTF-8; bytes are exact.
  public var clientEncoding: String { parameterStatus("client_encoding") ?? "UTF8" }

  /// Changes ``clientEncoding``; `SQL_ASCII` turns conversion off. Inside a transaction block that is
  /// rolled back, the change is as well.
  public func setClientEncoding(_ name: String) throws(PostgresError) {
    try execute("set client_encoding to \(Quoting.literal(name))")
  }
}

extension Connection {
  /// Sends a statement in the client encoding, by the simple query protocol.
  func send(_ sql: [UInt8]) throws(PostgresError) {
    guard !sql.contains(0) else {
      throw PostgresError(origin: .client, message: "the statement holds a NUL byte")
    }
    let isSent = (sql + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { PQsendQuery(connection, $0.baseAddress) }
    }
    guard isSent == 1 else { throw connectionError() }
  }

  func lastResult() throws(PostgresError) -> QueryResult {
    var last: OpaquePointer?
    do {
      try readResults { pointer in
        PQclear(last)
        last = pointer
      }
    } catch {
      PQclear(last)
      throw error
    }
    guard let last else { throw connectionError() }
    return QueryResult(last)
  }

  /// Reads what was sent for to its end, so that the connection stays usable; `take` owns each
  /// successful result.
  ///
  /// `PQexec` would read as well, but of a server's last words ("terminating connection due to
  /// administrator command") followed by the end of the connection it keeps only the latter.
  /// - Throws: the first failure.
  func readResults(_ take: (OpaquePointer) -> Void) throws(PostgresError) {
    var failed: OpaquePointer?
    var isCopyRefused = false
    while let pointer = PQgetResult(connection) {
      switch PQresultStatus(pointer) {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
        take(pointer)
      case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
        endCopy(PQresultStatus(pointer))
        PQclear(pointer)
        isCopyRefused = true
      default:
        if failed == nil { failed = pointer } else { PQclear(pointer) }
      }
    }
    if let failed { throw failure(QueryResult(failed)) }
    if isCopyRefused {
      throw PostgresError(origin: .client, message: "COPY between server and client is not possible here")
    }
    if isBroken { throw connectionError() }
  }

  /// What a failed statement's result reports, and whether the connection has ended with it.
  ///
  /// Of a write that the server no longer takes libpq reports the failure and leaves the connection as it
  /// is, until it reads the end that lies behind the server's last words. Such a report has no SQLSTATE.
  func failure(_ result: borrowing QueryResult) -> PostgresError {
    if result.isFromLibrary { for _ in 0..<3 where !isBroken { PQconsumeInput(connection) } }
    return result.error(isConnectionLost: isBroken)
  }

  /// Leaves copy mode, so that the connection stays usable.
  private func endCopy(_ status: ExecStatusType) {
    if status == PGRES_COPY_IN { PQputCopyEnd(connection, "refused by the client") }
    var row: UnsafeMutablePointer<CChar>?
    while status == PGRES_COPY_OUT, PQgetCopyData(connection, &row, 0) > 0 { PQfreemem(row) }
    while let result = PQgetResult(connection) { PQclear(result) }
  }

  func connectionError() -> PostgresError {
    let message = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
    return PostgresError(
      origin: isBroken ? .connectionLost : .client, severity: "FATAL", message: Self.oneLine(message))
  }

  private static func open(_ parameters: [String: String]) -> OpaquePointer? {
    let pairs = parameters.sorted { $0.key < $1.key }
    return CStrings(pairs.map(\.key), terminated: true).withPointers { keywords in
      CStrings(pairs.map(\.value), terminated: true).withPointers { values in
        // expand_dbname stays off: "dbname" holds a name, and the URL was parsed before.
        PQconnectdbParams(keywords, values, 0)
      }
    }
  }

  private static var hasEnvironmentTimeout: Bool { getenv("PGCONNECT_TIMEOUT") != nil }

  static func oneLine(_ message: String) -> String {
    message.split(whereSeparator: \.isNewline)
      .map { $0.drop { $0 == " " || $0 == "\t" } }
      .joined(separator: "; ")
  }

  /// libpq passes on no SQLSTATE for a refused connection; see ``ConnectionRefusal``.
  private static func connectionFailure(
    _ connection: OpaquePointer, settings: ConnectionSettings
  ) -> PostgresError {
    let text = oneLine(PQerrorMessage(connection).map { String(cString: $0) } ?? "")
    let isRefusedByServer = PQconnectionUsedPassword(connection) == 1 || text.contains("FATAL:")
    let sqlState = isRefusedByServer ? ConnectionRefusal.sqlState(of: text) : ""
    // Everything else that libpq says is about what it was given, and will be the same next time.
    let isAboutServer =
      isRefusedByServer
      || ["connection to server", "could not translate host name"].contains { text.contains($0) }
    return PostgresError(
      origin: isAboutServer ? .connecting : .client, sqlState: sqlState, severity: "FATAL",
      message: settings.redacting(text))
  }
}
