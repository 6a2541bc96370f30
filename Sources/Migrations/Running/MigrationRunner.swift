import Catalog
import Postgres
import SQLSyntax

/// Applies, undoes and verifies migrations over one connection.
///
/// Made inside a ``Session``'s closure and used there only; it blocks. See
/// `docs/design/0001-migrations.md` for the protocol.
public final class MigrationRunner {
  let history: MigrationHistory
  let options: RunOptions
  public let server: ServerFacts
  let lock: RunnerLock
  let watch: StatementWatch
  let report: RunReporter
  /// Opens another connection to the same database.
  let connect: () throws(PostgresError) -> Connection
  let catalog: CatalogRecord
  /// The backend that runs our statements; behind a pooler it is asked for anew in each transaction.
  var processID: Int
  /// What the server answered to the last statement of a file, such as `INSERT 0 6`.
  var lastCommandTag = ""
  var holdsSessionLock = false

  public init(
    history: MigrationHistory, options: RunOptions, server: ServerFacts, ignoredDrift: [String] = [],
    watch: StatementWatch, processID: Int, report: @escaping RunReporter,
    connect: @escaping () throws(PostgresError) -> Connection
  ) {
    self.history = history
    self.options = options
    self.server = server
    self.watch = watch
    self.processID = processID
    self.report = report
    self.connect = connect
    lock = RunnerLock(schema: history.schema)
    catalog = CatalogRecord(schema: history.schema, ignoredDrift: ignoredDrift)
  }

  /// Runs `body` as the only runner on this database.
  ///
  /// - Throws: ``MigrationError`` of kind `tryAgain` when another runner holds the lock for longer
  ///   than ``RunOptions/runnerWait``; the holder is named.
  public func exclusively<Result>(
    on connection: borrowing Connection, _ body: (borrowing Connection) throws -> Result
  ) throws -> Result {
    // Behind a pooler each transaction takes the lock for itself.
    if server.isPooled { return try body(connection) }
    try waitForLock(on: connection) { connection throws(PostgresError) in
      try self.lock.tryForSession(on: connection)
    }
    holdsSessionLock = true
    defer { giveBackSessionLock(on: connection) }
    return try body(connection)
  }

  /// Runs `body`, which only reads, undisturbed by what other clients of a pooler left in its sessions.
  func settled<Result>(
    on connection: borrowing Connection, _ body: (borrowing Connection) throws -> Result
  ) throws -> Result {
    if connection.isInTransaction { return try body(connection) }
    return try retryingConflicts(on: connection) { connection in
      guard server.isPooled else { return try body(connection) }
      try connection.execute("begin; " + SessionState.reset)
      let result = try body(connection)
      try connection.execute("commit")
      return result
    }
  }

  /// Creates the history where it is not there yet; call inside ``exclusively(on:_:)``.
  ///
  /// Not part of that, so that files which are refused leave the database as it was.
  public func ensureHistory(on connection: borrowing Connection) throws {
    guard try !history.schema.exists(on: connection) else { return }
    guard server.isPooled else { return try installHistory(on: connection) }
    defer { if connection.isInTransaction { _ = try? connection.execute("rollback") } }
    let session = SessionState(lockTimeout: options.lockTimeout, statementTimeout: .zero, server: server)
    try waitForLock(on: connection) { connection throws(PostgresError) in
      try self.lock.tryForTransaction(on: connection, begin: session.begin)
    }
    try installHistory(on: connection, isInTransaction: true)
    try connection.execute("commit")
  }

  private func installHistory(on connection: borrowing Connection, isInTransaction: Bool = false) throws {
    do {
      if !isInTransaction { try connection.execute("begin isolation level read committed read write") }
      try history.schema.install(on: connection)
      if !isInTransaction { try connection.execute("commit") }
    } catch {
      if !connection.isBroken { _ = try? connection.execute("rollback") }
      guard error.isInsufficientPrivilege else {
        throw MigrationError(error, during: "the history cannot be created")
      }
      let schema = Quoting.identifier(history.schema.name)
      throw MigrationError(
        .failed, "role \"\(server.role)\" may not create the history: \(error.message)",
        detail:
          "The history is kept in the schema \(schema) of database \"\(server.database)\". Nothing was changed.",
        hint:
          "let an administrator run: create schema \(schema) authorization \(Quoting.identifier(server.role));",
        sqlState: error.sqlState)
    }
  }

  /// Polls `attempt` until it gets the lock.
  func waitForLock(
    on connection: borrowing Connection,
    attempt: (borrowing Connection) throws(PostgresError) -> Bool
  ) throws {
    let start = ContinuousClock.now
    var lastReport: ContinuousClock.Instant?
    while try !attempt(connection) {
      let now = ContinuousClock.now
      if Task.isCancelled { throw MigrationError.interrupted() }
      if now - start >= options.runnerWait {
        let holder = try lock.holder(on: connection)
        throw MigrationError(
          .tryAgain, "another run holds the lock on database \"\(server.database)\"",
          detail: holder.map { "It is held by \($0)." },
          hint: "wait for it and run the same command again, or give it longer with --wait")
      }
      if lastReport.map({ now - $0 >= .seconds(5) }) ?? (now - start >= .milliseconds(500)) {
        lastReport = now
        report(.waitingForRunner(try lock.holder(on: connection)))
      }
      Pause.sleep(Pause.jittered(.milliseconds(60)))
    }
  }

  private func giveBackSessionLock(on connection: borrowing Connection) {
    holdsSessionLock = false
    guard !connection.isBroken else { return }
    if let released = try? lock.releaseFromSession(on: connection), !released {
      report(
        .warning(
          "the runner's lock was not held any more when it was given back",
          detail:
            "A file gave it up (pg_advisory_unlock_all), or a pooler stands between. Each file in one transaction was"
            + " still protected by a lock of its own.",
          hint: "remove the call, or connect to the server directly for migrations"))
    }
  }
}

extension MigrationError {
  static func interrupted(kept: String? = nil) -> MigrationError {
    MigrationError(.interrupted, "interrupted", detail: kept, hint: "run the same command again to continue")
  }
}
