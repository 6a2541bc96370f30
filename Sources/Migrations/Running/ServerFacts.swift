import Postgres

/// What a runner has to know about the server before it does anything.
public struct ServerFacts: Sendable, Equatable {
  /// As `server_version_num`.
  public let versionNumber: Int
  public let database: String
  public let role: String
  public let isInRecovery: Bool
  public let isReadOnly: Bool
  /// Whether a pooler stands between: it announced a process id that is not the backend's.
  public let isPooled: Bool
  /// Whether the server can notice that a client died while its statement runs.
  ///
  /// Source: PostgreSQL manual, `client_connection_check_interval`: only where the operating system
  /// reports a closed socket; Linux does since 14.
  public let canCheckClient: Bool

  public var majorVersion: Int { versionNumber / 10_000 }

  public init(
    versionNumber: Int, database: String = "", role: String = "", isInRecovery: Bool = false,
    isReadOnly: Bool = false, isPooled: Bool = false, canCheckClient: Bool = true
  ) {
    self.versionNumber = versionNumber
    self.database = database
    self.role = role
    self.isInRecovery = isInRecovery
    self.isReadOnly = isReadOnly
    self.isPooled = isPooled
    self.canCheckClient = canCheckClient
  }

  /// Asks the server, in one round trip.
  public init(on connection: borrowing Connection) throws(PostgresError) {
    let result = try connection.query(
      """
      select current_setting('server_version_num')::int, current_database(), session_user,
        pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, pg_backend_pid(),
        version() ~ 'linux'
      """)
    self.init(
      versionNumber: result.integer(0, 0) ?? 0, database: result.text(0, 1), role: result.text(0, 2),
      isInRecovery: result.isTrue(0, 3), isReadOnly: result.isTrue(0, 4),
      isPooled: result.integer(0, 5) != connection.announcedProcessID,
      canCheckClient: result.isTrue(0, 6))
  }

  /// The oldest server that the tool and the five files work on: replacing a trigger in place
  /// and DETACH CONCURRENTLY came with 14.
  public static let oldestMajorVersion = 14

  /// Why nothing can be written here; nil when it can.
  public func refusalToWrite() -> MigrationError? {
    if let refusal = refusalToRead() { return refusal }
    if isInRecovery {
      return MigrationError(
        .failed, "the server is a read-only standby", detail: "Nothing was changed.",
        hint: "connect to the primary; a URL with several hosts and target_session_attrs=primary finds it")
    }
    // `default_transaction_read_only` is overridden by BEGIN READ WRITE, but somebody set it on purpose.
    if isReadOnly {
      return MigrationError(
        .failed, "the database \"\(database)\" is set to read-only transactions",
        detail: "Nothing was changed.",
        hint:
          "see \"show default_transaction_read_only\" and who set it; then: alter database … reset default_transaction_read_only"
      )
    }
    return nil
  }

  /// Why not even the history can be read; nil when it can.
  public func refusalToRead() -> MigrationError? {
    guard majorVersion < Self.oldestMajorVersion else { return nil }
    return MigrationError(
      .failed, "the server is PostgreSQL \(majorVersion); tsdb needs \(Self.oldestMajorVersion) or later",
      detail: "Nothing was changed.", hint: "upgrade the server; 15 to 18 are tested")
  }
}
