import Postgres
import SQLSyntax

/// What became of one file in a run.
public enum FileOutcome: Sendable, Equatable {
  case applied(milliseconds: Int64, statements: Int)
  /// Another run applied it meanwhile.
  case appliedElsewhere
}

extension MigrationRunner {
  /// Applies a file and records it in one transaction, which is tried again as a whole when a lock
  /// is not to be had.
  func runInTransaction(
    _ prepared: PreparedScript, replacing entry: HistoryEntry?, on connection: borrowing Connection
  ) throws -> FileOutcome {
    try retryingLocks(prepared, kept: "\"\(prepared.file.name)\" was rolled back.", on: connection) {
      connection in
      try self.attemptInTransaction(prepared, replacing: entry, on: connection)
    }
  }

  private func attemptInTransaction(
    _ prepared: PreparedScript, replacing entry: HistoryEntry?, on connection: borrowing Connection
  ) throws -> FileOutcome {
    let file = prepared.file
    let start = ContinuousClock.now
    try beginFenced(file, on: connection)
    if try isAppliedElsewhere(file, since: entry, on: connection) {
      try connection.execute("rollback")
      return .appliedElsewhere
    }
    try catalog.prepare(on: connection, isAlone: holdsSessionLock)
    for (index, statement) in prepared.statements.enumerated() {
      try run(statement, index: index, of: prepared, on: connection)
      guard connection.isInTransaction else {
        throw MigrationError(
          .failed, "a statement ended the transaction of \"\(file.name)\"",
          detail: "Whatever it committed is in the database, but not in the history.",
          hint: "remove the transaction control from \(file.path), then compare with \"tsdb migrate verify\"",
          location: prepared.location(of: statement), excerpt: prepared.excerpt(of: statement))
      }
    }
    try refuseInvalidIndexes(prepared, on: connection)
    let milliseconds = (ContinuousClock.now - start).milliseconds
    do {
      // In this order: what a file set must neither colour the catalogue's text nor the history.
      try connection.execute(session(of: file).afterFile)
      let change = try catalog.change(
        on: connection, isComplete: prepared.mayHideChanges,
        onlyCreatesRelations: prepared.onlyCreatesRelations)
      var record = prepared.record(milliseconds: milliseconds)
      record.fingerprintBefore = change.fingerprintBefore
      record.fingerprint = change.fingerprint
      let action: MigrationHistory.LogAction = entry == nil ? .applied : .reapplied
      let sql =
        (entry == nil ? history.insertion(record) : history.replacement(record)) + change.sql
        + history.logging(action, name: file.name, checksum: file.checksum.description)
      try watch.watching(file.name, processID: processID) { () throws(PostgresError) in
        _ = try connection.execute(sql)
      }
    } catch let error as PostgresError {
      throw StatementRefusal(error: error, statement: nil)
    }
    try commit(file, on: connection, either: "It is applied and recorded, or neither.")
    catalog.committed()
    return .applied(
      milliseconds: (ContinuousClock.now - start).milliseconds, statements: prepared.statements.count)
  }

  /// Begins the file's transaction and takes the lock inside it.
  ///
  /// Directly connected the session holds the lock already and gets it again at once; behind a
  /// pooler this is where runners wait for one another.
  func beginFenced(_ file: MigrationFile, on connection: borrowing Connection) throws {
    let begin = session(of: file).begin
    try waitForLock(on: connection) { connection throws(PostgresError) in
      let result = try connection.execute(begin + self.lock.transactionAttempt + ", pg_backend_pid()")
      self.processID = result.integer(0, 1) ?? self.processID
      let isOurs = result.isTrue(0, 0)
      // While waiting, an open transaction would hold one of the pooler's connections for nothing.
      if !isOurs { try connection.execute("rollback") }
      return isOurs
    }
  }

  func session(of file: MigrationFile) -> SessionState {
    SessionState(
      lockTimeout: file.directives.lockTimeout ?? options.lockTimeout,
      statementTimeout: file.directives.statementTimeout ?? .zero, server: server)
  }

  /// Looks at the history again, now that nobody else can write it.
  func isAppliedElsewhere(
    _ file: MigrationFile, since entry: HistoryEntry?, on connection: borrowing Connection
  ) throws -> Bool {
    let row = try connection.query(
      "select checksum, ordinal from \(history.schema.table("migrations")) where name = $1", [file.name])
    guard row.rowCount > 0 else { return false }
    guard row.text(0, 0) == file.checksum.description else {
      if row.integer(0, 1) == entry?.ordinal { return false }
      throw MigrationError.appliedDifferently(file.name)
    }
    return true
  }

  /// Sends one statement under the eyes of the watch and passes on what the server remarks.
  func run(
    _ statement: SQLStatement, index: Int, of prepared: PreparedScript, on connection: borrowing Connection
  ) throws {
    try perform(statement, index: index, of: prepared, on: connection) { () throws(PostgresError) in
      self.lastCommandTag = try connection.query(statement.text).commandTag
    }
  }

  /// Runs `body`, which sends `statement`; every refusal becomes a ``StatementRefusal``.
  func perform(
    _ statement: SQLStatement, index: Int, of prepared: PreparedScript, on connection: borrowing Connection,
    _ body: () throws(PostgresError) -> Void
  ) throws {
    let name = prepared.file.name
    // A cancel request that arrives between two statements is lost on the server.
    guard !Task.isCancelled else { throw StatementRefusal.interrupted(statement) }
    report(
      .statement(
        name: name, index: index, total: prepared.statements.count, tag: statement.commandTag,
        line: statement.start.line))
    defer { reportNotices(of: statement, in: prepared, on: connection) }
    do {
      try watch.watching(name, processID: processID, body)
      try refuseOtherReading(on: connection)
    } catch {
      throw StatementRefusal(error: error, statement: statement)
    }
  }

  /// The file was read as UTF-8, and cut into statements with backslashes as ordinary characters. The server
  /// reports both settings, so looking costs nothing.
  private func refuseOtherReading(on connection: borrowing Connection) throws(PostgresError) {
    for (name, value) in [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
      guard let found = connection.parameterStatus(name), found != value else { continue }
      throw PostgresError(
        origin: .client,
        message: "the statement sets \(name) to \(found), but the file is read with \(value)",
        hint: name == "client_encoding"
          ? "remove it; files are UTF-8, whatever the database's encoding is"
          : "remove it, and write strings with backslash escapes as E'…'")
    }
  }

  private func reportNotices(
    of statement: SQLStatement, in prepared: PreparedScript, on connection: borrowing Connection
  ) {
    for notice in connection.takeNotices() {
      report(
        .notice(
          name: prepared.file.name, severity: notice.severity, message: notice.message, detail: notice.detail,
          hint: notice.hint, location: prepared.location(of: statement)))
    }
  }

  /// - Parameter either: what holds when nobody knows whether the server did it.
  func commit(_ file: MigrationFile, on connection: borrowing Connection, either: String) throws {
    do {
      let result = try connection.execute("commit")
      guard result.commandTag == "COMMIT" else {
        throw PostgresError(origin: .server, message: "the transaction was rolled back at its end")
      }
    } catch let error as PostgresError {
      guard error.origin != .connectionLost else {
        throw MigrationError(
          .tryAgain, "the connection was lost while \"\(file.name)\" was being committed: \(error.message)",
          detail: either,
          hint: "run the same command again; it finds out which and continues")
      }
      throw StatementRefusal(error: error, statement: nil)
    }
  }

  /// CREATE INDEX IF NOT EXISTS is content with the remains of a failed concurrent build.
  func refuseInvalidIndexes(_ prepared: PreparedScript, on connection: borrowing Connection) throws {
    let creations = prepared.statements.compactMap { statement -> (SQLStatement, IndexCreation)? in
      guard case .createIndex(let index) = statement.kind, index.ifNotExists else { return nil }
      return (statement, index)
    }
    if creations.isEmpty { return }
    let invalid = try IndexState.invalidNames(on: connection)
    for (statement, index) in creations where invalid.contains(index.index?.name ?? "") {
      guard let found = try IndexState.find(index, on: connection), !found.isValid else { continue }
      throw found.refusal(
        location: prepared.location(of: statement), excerpt: prepared.excerpt(of: statement))
    }
  }
}

/// The server's refusal, with the statement it refused; nil for the recording and the commit.
struct StatementRefusal: Error {
  let error: PostgresError
  let statement: SQLStatement?

  /// As if the server had been asked to cancel `statement`.
  static func interrupted(_ statement: SQLStatement) -> StatementRefusal {
    StatementRefusal(
      error: PostgresError(origin: .server, sqlState: "57014", message: "interrupted"), statement: statement)
  }

  func migrationError(_ prepared: PreparedScript, kept: String) -> MigrationError {
    guard let statement else {
      return MigrationError(error, during: "\"\(prepared.file.name)\" could not be committed", kept: kept)
    }
    return MigrationError(error, in: statement, of: prepared.script, path: prepared.file.path, kept: kept)
  }

  func lockError(
    _ prepared: PreparedScript, attempts: Int, blockers: [BlockingSession], kept: String
  ) -> MigrationError {
    let holders = blockers.map { "Blocked by \($0)." }
    let times = attempts == 1 ? "once" : "\(attempts) times"
    return MigrationError(
      .tryAgain, "\"\(prepared.file.name)\" did not get a lock: \(error.message)",
      detail: (["It was tried \(times)."] + holders + [kept]).joined(separator: "\n"),
      hint: blockers.first.map {
        "end that transaction, or run: \($0.ending); then run the same command again"
      } ?? "run the same command again when the table is less busy",
      location: statement.map { prepared.location(of: $0) },
      excerpt: statement.map { prepared.excerpt(of: $0) }, sqlState: error.sqlState)
  }
}

extension MigrationError {
  static func appliedDifferently(_ name: String) -> MigrationError {
    MigrationError(
      .historyMismatch, "another run applied a different \"\(name)\" meanwhile",
      detail: "Nothing of this one was run.",
      hint: "bring both checkouts to the same state, then run it again")
  }
}

extension PreparedScript {
  func location(of statement: SQLStatement) -> SourceLocation {
    SourceLocation(path: file.path, line: statement.start.line, column: statement.start.column)
  }

  func excerpt(of statement: SQLStatement) -> String { script.source.excerpt(at: statement.start) }

  func record(milliseconds: Int64) -> MigrationHistory.Record {
    MigrationHistory.Record(
      name: file.name, version: file.directives.version, checksum: file.checksum,
      tokenChecksum: tokenChecksum,
      isRepeatable: file.directives.isRepeatable, isTransactional: file.directives.isTransactional,
      requirements: file.directives.requirements.map(\.name), creates: createdObjects,
      statementCount: statements.count, durationMilliseconds: milliseconds)
  }
}
