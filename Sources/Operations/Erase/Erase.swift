import Backups
import Maintenance
import Migrations
import Postgres
import Timekeeping

/// Erases an address from the application's tables, in one transaction.
public struct Erase: Sendable {
  /// Counts, and changes nothing.
  public var isDryRun: Bool
  public let address: ErasedAddress
  /// Needed unless it is a dry run.
  public let key: ErasureKey?

  public init(_ address: ErasedAddress, key: ErasureKey?, isDryRun: Bool = false) {
    self.address = address
    self.key = key
    self.isDryRun = isDryRun
  }

  public struct Result: Sendable, Encodable {
    public struct Table: Sendable, Encodable {
      public let table: String
      /// `delete` or `anonymise`.
      public let action: String
      public internal(set) var rows: Int
    }

    /// Where the address still is, outside what is erased.
    public struct Place: Sendable, Encodable, Equatable {
      public let relation: String
      public let column: String
      public let rows: Int
      /// Whether the column holds bytes, of which only those that are plain text could be searched.
      public let isBytes: Bool
    }

    /// What can hold an address, and of which nothing is known.
    public struct Unsearched: Sendable, Encodable, Equatable {
      /// A table or view, a column of one, or `large objects`.
      public let relation: String
      public let reason: String
    }

    public let database: String
    public let isDryRun: Bool
    /// Those with rows.
    public let tables: [Table]
    public let left: [Place]
    public let unsearched: [Unsearched]
    /// Whether the server's log takes down what statements are given, the address among it.
    public let isLogged: Bool
    /// Of the record; nil where none was written.
    public let record: Int?
    /// Where records are, such as `tsdb.erasures`.
    public let recordTable: String
    public let keyId: String?
    public let backups: String

    public var rows: Int { tables.reduce(0) { $0 + $1.rows } }
  }

  /// - Throws: ``MaintenanceError`` and ``MigrationError``; nothing is changed then.
  public func run(_ access: DatabaseAccess) async throws -> Result {
    if !isDryRun { _ = try Self.required(key) }
    let session = Session(access.settings, applicationName: "tsdb erase")
    do {
      try await session.connect()
    } catch let error as PostgresError {
      throw MigrationError.connecting(error)
    }
    let configuration = access.project.configuration
    let run = EraseRun(
      address: address, key: isDryRun ? nil : key, schema: configuration.historySchema,
      lockTimeout: access.options.lockTimeout)
    let outcome = try await attempt(run, on: session, times: access.options.lockAttempts)
    await session.close()
    return Result(
      database: outcome.database, isDryRun: isDryRun, tables: outcome.tables, left: outcome.left,
      unsearched: outcome.unsearched, isLogged: outcome.isLogged, record: outcome.record,
      recordTable: "\(configuration.historySchema).erasures",
      keyId: isDryRun ? nil : key?.id,
      backups: Self.backups(kept: configuration.backupRetention, from: .now))
  }

  /// - Throws: ``MaintenanceError`` of kind `invalidInput` where there is no key.
  public static func required(_ key: ErasureKey?) throws(MaintenanceError) -> ErasureKey {
    if let key { return key }
    throw MaintenanceError(
      .invalidInput, "a key is missing for the record of the erasure", detail: "Nothing was changed.",
      hint: "set TSDB_ERASURE_KEY, or pass --key-file FILE; openssl rand -hex 32 makes one")
  }

  private func attempt(_ run: EraseRun, on session: Session, times: Int) async throws -> EraseRun.Outcome {
    for number in 1... {
      do {
        return try await session.run { try run.run(on: $0) }
      } catch let error as PostgresError {
        if Task.isCancelled {
          throw MaintenanceError(.interrupted, "interrupted", detail: "Nothing was changed.")
        }
        let isConflict = error.isLockTimeout || error.isRetryableConflict
        guard isConflict, number < times else { throw Self.failure(error, attempts: number) }
        try? await Task.sleep(for: .milliseconds(min(2000, 100 * number)))
      }
    }
    throw CancellationError()
  }

  /// Without the server's detail, which may repeat a row.
  private static func failure(_ error: PostgresError, attempts: Int) -> MaintenanceError {
    let isConflict = error.isLockTimeout || error.isRetryableConflict
    let message = error.message.split(separator: " ").map { $0.contains("@") ? "…" : $0 }.joined(
      separator: " ")
    let hint: String? =
      if isConflict {
        "try again when the other work has ended, or with a longer --lock-timeout"
      } else if error.isInsufficientPrivilege {
        "use the role that owns the application's tables, or grant it select, insert, update and delete on all of them"
      } else if error.isUndefinedTable {
        "the application's tables are missing: tsdb migrate up"
      } else {
        nil
      }
    return MaintenanceError(
      isConflict || error.isServerUnavailable ? .tryAgain : .failed,
      isConflict ? "a lock was not free in \(attempts) attempts: \(message)" : message,
      detail: error.origin == .connectionLost
        ? "Nothing was changed, unless the connection was lost after the last statement: a dry run shows it."
        : "Nothing was changed.", hint: hint,
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }

  /// Until when backups taken before hold the address, by the rules that remove them.
  static func backups(kept policy: RetentionPolicy, from now: UTCTime) -> String {
    let days =
      [
        (policy.hourly + 23) / 24, policy.daily, policy.weekly * 7, policy.monthly * 31, policy.yearly * 366,
      ].max() ?? 0
    let count = "\(policy.last) newer one\(policy.last == 1 ? "" : "s")"
    guard days > 0 else {
      return
        "backups taken before still hold the address until there are \(count) and tsdb backup prune has run"
    }
    let end = (now + 86_400 * Int64(days + 1)).description.prefix(10)
    return
      "backups taken before still hold the address: backup.keep keeps the last of them until about \(end), and "
      + "until there are \(count); tsdb backup prune removes them"
  }
}
