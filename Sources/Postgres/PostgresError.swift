/// A failure reported by the server or by libpq.
///
/// Server text, SQLSTATE and position are kept as they came. Bind values are never part of it.
public struct PostgresError: Error, Sendable, Equatable {
  /// Where a failure arose.
  public enum Origin: Sendable, Equatable {
    /// No connection could be opened.
    case connecting
    /// The connection was lost after it had been open.
    case connectionLost
    /// The server refused a statement.
    case server
    /// libpq or this library refused before anything was sent.
    case client
  }

  public let origin: Origin
  /// Five characters, or empty where neither server nor libpq gives one.
  public let sqlState: String
  public let severity: String
  public let message: String
  public let detail: String?
  public let hint: String?
  /// Where in the sent statement, counted in characters from 1.
  public let position: Int?
  /// A statement that the server ran on its own behalf (a function's body), and the position in it.
  public let internalQuery: String?
  public let internalPosition: Int?
  public let context: String?
  public let constraint: String?

  public init(
    origin: Origin, sqlState: String = "", severity: String = "ERROR", message: String,
    detail: String? = nil, hint: String? = nil, position: Int? = nil,
    internalQuery: String? = nil, internalPosition: Int? = nil, context: String? = nil,
    constraint: String? = nil
  ) {
    self.origin = origin
    self.sqlState = sqlState
    self.severity = severity
    self.message = message
    self.detail = detail
    self.hint = hint
    self.position = position
    self.internalQuery = internalQuery
    self.internalPosition = internalPosition
    self.context = context
    self.constraint = constraint
  }
}

extension PostgresError {
  /// `lock_timeout` or NOWAIT ended the wait for a lock.
  public var isLockTimeout: Bool { sqlState == "55P03" }

  /// The statement was cancelled: by a cancel request or by `statement_timeout`.
  public var isCancellation: Bool { sqlState == "57014" }

  /// The server chose this transaction as a victim, or DDL of another session came in between; the
  /// whole transaction may be run again.
  public var isRetryableConflict: Bool { sqlState == "40001" || sqlState == "40P01" || isCatalogRace }

  /// An object was dropped or altered while it was looked at: functions such as `pg_get_indexdef` see
  /// the catalogue as it is now, the query around them as it was.
  ///
  /// The server reports these as internal errors, whose texts are not translated.
  private var isCatalogRace: Bool {
    sqlState == "XX000"
      && ["cache lookup failed for ", "could not open relation with OID ", "tuple concurrently "]
        .contains { message.hasPrefix($0) }
  }

  /// The statement insists on running outside a transaction block.
  public var isActiveTransaction: Bool { sqlState == "25001" }

  public var isUndefinedTable: Bool { sqlState == "42P01" }
  public var isInsufficientPrivilege: Bool { sqlState == "42501" }
  public var isReadOnlyTransaction: Bool { sqlState == "25006" }

  /// Nothing is wrong with the request; the server is away, starting, stopping or full.
  ///
  /// Source: PostgreSQL manual, appendix "PostgreSQL Error Codes", classes 08, 53 and 57.
  public var isServerUnavailable: Bool {
    switch origin {
    case .connectionLost: true
    case .connecting:
      sqlState.isEmpty || sqlState.hasPrefix("08") || sqlState.hasPrefix("57P") || sqlState == "53300"
    case .server, .client: sqlState.hasPrefix("57P0")
    }
  }
}
