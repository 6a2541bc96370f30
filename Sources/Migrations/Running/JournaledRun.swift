import Postgres
import SQLSyntax

/// Applies a `transaction off` file statement by statement, with a journal that survives a crash.
///
/// A statement that can run in a transaction shares one with its journal row, so it is done and
/// recorded, or neither. For the others the journal holds the intent, and after a crash
/// ``StatementRecovery`` asks the catalogue what came of it.
struct JournaledRun {
  let runner: MigrationRunner
  let prepared: PreparedScript
  let journal: StatementJournal
  /// Behind a pooler, what holds the runner's lock; directly connected, the session does.
  private(set) var cover: LockCover?

  init(_ runner: MigrationRunner, _ prepared: PreparedScript) {
    self.runner = runner
    self.prepared = prepared
    journal = StatementJournal(schema: runner.history.schema, migration: prepared.file.name)
  }

  func run(replacing entry: HistoryEntry?, on connection: borrowing Connection) throws -> FileOutcome {
    let start = ContinuousClock.now
    try refuseSessionSettingsBehindPooler()
    if entry?.state == .running { try refuseEditedStatements(journal.read(on: connection)) }
    var covered = self
    if runner.server.isPooled { covered.cover = try LockCover(runner) }
    return try covered.runCovered(replacing: entry, since: start, on: connection)
  }

  private func runCovered(
    replacing entry: HistoryEntry?, since start: ContinuousClock.Instant, on connection: borrowing Connection
  ) throws -> FileOutcome {
    let isOurs = try runner.retryingConflicts(on: connection) { try open(replacing: entry, on: $0) }
    guard isOurs else { return .appliedElsewhere }
    defer { if !connection.isBroken { _ = try? connection.execute(SessionState.reset) } }
    let recorded = try journal.read(on: connection)
    let isContinued = !recorded.isEmpty
    for (index, statement) in prepared.statements.enumerated() {
      try runOne(statement, index: index, recorded: recorded[index], on: connection)
      if Task.isCancelled { throw MigrationError.interrupted(kept: kept(before: index + 1)) }
    }
    try runner.retryingConflicts(on: connection) { connection in
      try close(
        milliseconds: (ContinuousClock.now - start).milliseconds, entry: entry, isContinued: isContinued,
        on: connection)
    }
    return .applied(
      milliseconds: (ContinuousClock.now - start).milliseconds, statements: prepared.statements.count)
  }

  var session: SessionState { runner.session(of: prepared.file) }

  /// Enters the file into the history as running; false when another run has applied it.
  private func open(replacing entry: HistoryEntry?, on connection: borrowing Connection) throws -> Bool {
    let file = prepared.file
    // One transaction, so that behind a pooler all of it meets the session that was reset.
    try connection.execute(session.begin)
    defer { if !connection.isBroken, connection.isInTransaction { _ = try? connection.execute("rollback") } }
    try runner.catalog.prepare(on: connection, isAlone: runner.holdsSessionLock)
    let row = try connection.query(
      "select checksum, state from \(runner.history.schema.table("migrations")) where name = $1", [file.name])
    if row.rowCount > 0, row.text(0, 1) == "applied", row.text(0, 0) == file.checksum.description {
      return false
    }
    if row.rowCount > 0, row.text(0, 1) == "applied", row.text(0, 0) != entry?.checksum {
      throw MigrationError.appliedDifferently(file.name)
    }
    var record = prepared.record(milliseconds: 0)
    record.state = .running
    record.fingerprintBefore = runner.catalog.fingerprint
    let sql =
      if row.rowCount == 0 {
        runner.history.insertion(record)
      } else if row.text(0, 1) == "applied" {
        // A repeatable file starts over; what is recorded of its last run holds until this one is done.
        journal.startingOver
      } else {
        // An interrupted one keeps its journal.
        ""
      }
    try connection.execute(sql + "commit")
    if !runner.server.isPooled { try connection.execute(session.outsideTransaction) }
    return true
  }

  /// Undoes what another client of the pooler may have set in the session that it lends us.
  ///
  /// Outside a transaction the next statement may get another session, so this makes a surprise
  /// unlikely, not impossible.
  func resetBehindPooler(_ connection: borrowing Connection) throws(PostgresError) {
    guard runner.server.isPooled else { return }
    let backend = try connection.execute(SessionState.reset + "select pg_backend_pid()").integer(0, 0)
    runner.processID = backend ?? runner.processID
  }

  private func close(
    milliseconds: Int64, entry: HistoryEntry?, isContinued: Bool, on connection: borrowing Connection
  ) throws {
    let file = prepared.file
    try connection.execute(session.begin)
    let change =
      isContinued
      ? try runner.catalog.changeSinceRecord(on: connection)
      : try runner.catalog.change(on: connection, isComplete: true)
    var record = prepared.record(milliseconds: milliseconds)
    record.fingerprintBefore = change.fingerprintBefore
    record.fingerprint = change.fingerprint
    let isRerun = entry?.state == .applied
    try connection.execute(
      runner.history.replacement(record) + change.sql
        + runner.history.logging(
          isRerun ? .reapplied : .applied, name: file.name, checksum: file.checksum.description))
    try connection.execute("commit")
    runner.catalog.committed()
  }

  private func runOne(
    _ statement: SQLStatement, index: Int, recorded: StatementJournal.Entry?,
    on connection: borrowing Connection
  ) throws {
    let checksum = try checksum(of: statement)
    // Settings live in the session, so a run that continues must make them again.
    if statement.isSessionSetting {
      do {
        try perform(statement, index: index, on: connection) { () throws(PostgresError) in
          _ = try connection.query(statement.text)
        }
      } catch let refusal as StatementRefusal {
        throw try failure(refusal, index: index, on: connection)
      }
      return
    }
    if recorded?.state == .done { return }
    if statement.cannotRunInTransaction == nil {
      do {
        return try runWithJournal(statement, index: index, checksum: checksum, on: connection)
      } catch let refusal as StatementRefusal where refusal.error.isActiveTransaction && !statement.isAnalysed
      {
        // The parser did not know the statement; the server says that it needs no transaction.
      } catch let refusal as StatementRefusal {
        throw try failure(refusal, index: index, on: connection)
      }
    }
    try runWithIntent(statement, index: index, checksum: checksum, recorded: recorded, on: connection)
  }

  /// The statement and its outcome in one transaction, again as a whole after a lock timeout.
  private func runWithJournal(
    _ statement: SQLStatement, index: Int, checksum: String, on connection: borrowing Connection
  ) throws {
    let recording = journal.recording(.done, ordinal: index, line: statement.start.line, checksum: checksum)
    var attempt = 1
    while true {
      do {
        guard try beginJournaled(index: index, on: connection) else { return }
        try perform(statement, index: index, on: connection) { () throws(PostgresError) in
          _ = try connection.query(statement.text)
          _ = try connection.execute(recording)
          _ = try connection.execute("commit")
        }
        return
      } catch let refusal as StatementRefusal {
        if !connection.isBroken { _ = try? connection.execute("rollback") }
        let isWorthwhile = refusal.error.isLockTimeout || refusal.error.isRetryableConflict
        guard isWorthwhile, attempt < runner.options.lockAttempts, !Task.isCancelled else { throw refusal }
        let pause = runner.options.pause(afterAttempt: attempt)
        attempt += 1
        runner.report(
          .retrying(
            name: prepared.file.name, attempt: attempt, of: runner.options.lockAttempts, after: pause,
            blockers: runner.watch.lastBlockers))
        Pause.sleep(pause)
      }
    }
  }

  /// Begins a statement's transaction; false when the statement turns out to be done.
  ///
  /// Behind a pooler the commit of a run that was killed may be under way although its lock is free.
  /// So the journal is written under a lock of the transaction itself, and read again under it.
  private func beginJournaled(index: Int, on connection: borrowing Connection) throws -> Bool {
    try cover?.check()
    guard runner.server.isPooled else {
      try connection.execute("begin isolation level read committed read write")
      return true
    }
    try runner.waitForLock(on: connection) { connection throws(PostgresError) in
      try runner.lock.tryForTransaction(
        on: connection, begin: session.begin, attempt: runner.lock.journalAttempt)
    }
    runner.processID = try connection.query("select pg_backend_pid()").integer(0, 0) ?? runner.processID
    guard try journal.read(on: connection)[index]?.state == .done else { return true }
    try connection.execute("rollback")
    return false
  }

  /// What ran already must not have changed, and what ran must still be there.
  private func refuseEditedStatements(_ recorded: [Int: StatementJournal.Entry]) throws {
    let name = prepared.file.name
    for (index, entry) in recorded.sorted(by: { $0.key < $1.key }) {
      guard index < prepared.statements.count else {
        throw MigrationError(
          .historyMismatch, "\"\(name)\" was edited while it is half applied",
          detail: "Statement \(index + 1) had been run, or begun, and is not there any more.",
          hint: "undo the edit and run the same command again",
          location: SourceLocation(path: prepared.file.path, line: 1, column: 1))
      }
      let statement = prepared.statements[index]
      guard try checksum(of: statement) != entry.checksum else { continue }
      throw MigrationError(
        .historyMismatch, "\"\(name)\" was edited while it is half applied",
        detail: "Statement \(index + 1) had been run, or begun, as something else.",
        hint: "undo the edit and run the same command again",
        location: prepared.location(of: statement), excerpt: prepared.excerpt(of: statement))
    }
  }

  func perform(
    _ statement: SQLStatement, index: Int, on connection: borrowing Connection,
    _ body: () throws(PostgresError) -> Void
  ) throws {
    try runner.perform(statement, index: index, of: prepared, on: connection, body)
  }

  func failure(
    _ refusal: StatementRefusal, index: Int, on connection: borrowing Connection
  ) throws -> any Error {
    let kept = kept(before: index)
    if !connection.isBroken { try connection.execute(journal.removalIfEmpty) }
    if Task.isCancelled, refusal.error.isCancellation { return MigrationError.interrupted(kept: kept) }
    if refusal.error.isLockTimeout {
      return refusal.lockError(
        prepared, attempts: runner.options.lockAttempts, blockers: runner.watch.lastBlockers, kept: kept)
    }
    return refusal.migrationError(prepared, kept: kept)
  }

  private func kept(before index: Int) -> String {
    let name = prepared.file.name
    // Settings are made anew by each run and stand in no journal.
    let all = prepared.statements.count { !$0.isSessionSetting }
    let done = prepared.statements[..<index].count { !$0.isSessionSetting }
    return done == 0
      ? "Nothing of \"\(name)\" was applied."
      : "\(done) of \(all) statements of \"\(name)\" are applied and recorded; the next run continues after them."
  }

  private func checksum(of statement: SQLStatement) throws -> String {
    try Checksum(ofTokens: SourceText(statement.text)).description
  }

  private func refuseSessionSettingsBehindPooler() throws {
    guard runner.server.isPooled, let setting = prepared.statements.first(where: \.isSessionSetting) else {
      return
    }
    throw MigrationError(
      .failed, "\(setting.commandTag) in a \"transaction off\" file needs a direct connection",
      detail: "Behind a pooler the setting would reach another client's session. Nothing was run.",
      hint: "connect to the server itself, or qualify the names instead",
      location: prepared.location(of: setting), excerpt: prepared.excerpt(of: setting))
  }
}
