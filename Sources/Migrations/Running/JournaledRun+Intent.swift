import Postgres
import SQLSyntax

extension JournaledRun {
  /// Intent, statement, outcome: for what cannot run in a transaction.
  func runWithIntent(
    _ statement: SQLStatement, index: Int, checksum: String, recorded: StatementJournal.Entry?,
    on connection: borrowing Connection
  ) throws {
    let recovery = StatementRecovery(run: self, statement: statement)
    let line = statement.start.line
    try cover?.check()
    try resetBehindPooler(connection)
    // Waiting for old snapshots counts as waiting for a lock, and a short timeout would leave
    // an invalid index behind; its own lock makes no reader or writer wait.
    try setLockTimeout(.zero, on: connection)
    let outcome: StatementRecovery.Outcome
    do {
      outcome = try recorded == nil ? recovery.inspectFresh(on: connection) : recovery.recover(on: connection)
    } catch {
      if !connection.isBroken { try connection.execute(journal.removalIfEmpty) }
      throw error
    }
    if outcome == .mustRun {
      try connection.execute(journal.recording(.started, ordinal: index, line: line, checksum: checksum))
      do {
        try resetBehindPooler(connection)
        try perform(statement, index: index, on: connection) { () throws(PostgresError) in
          _ = try connection.query(statement.text)
        }
      } catch let refusal as StatementRefusal {
        if !connection.isBroken {
          try settle(refusal, recovery, index: index, line: line, checksum: checksum, on: connection)
        }
        throw try failure(refusal, index: index, on: connection)
      }
      try refuseInvalidIndex(statement, index: index, on: connection)
    }
    try connection.execute(journal.recording(.done, ordinal: index, line: line, checksum: checksum))
    try setLockTimeout(session.lockTimeout, on: connection)
  }

  /// IF NOT EXISTS is content with an index that somebody else began meanwhile and did not finish.
  private func refuseInvalidIndex(
    _ statement: SQLStatement, index: Int, on connection: borrowing Connection
  ) throws {
    guard case .createIndex(let creation) = statement.kind, creation.ifNotExists,
      let found = try IndexState.find(creation, on: connection), !found.isValid
    else { return }
    try connection.execute(journal.withdrawing(ordinal: index) + journal.removalIfEmpty)
    throw found.refusal(location: prepared.location(of: statement), excerpt: prepared.excerpt(of: statement))
  }

  /// Brings the journal up to date with what a refused or cancelled statement has left.
  ///
  /// A cancel request can arrive when the statement has done all or half of its work. Where that is
  /// not settled here, the intent stays, and the next run settles it.
  private func settle(
    _ refusal: StatementRefusal, _ recovery: StatementRecovery, index: Int, line: Int, checksum: String,
    on connection: borrowing Connection
  ) throws {
    try setLockTimeout(session.lockTimeout, on: connection)
    switch try recovery.remains(of: refusal.error, on: connection) {
    case .nothing: try connection.execute(journal.withdrawing(ordinal: index))
    case .everything:
      try connection.execute(journal.recording(.done, ordinal: index, line: line, checksum: checksum))
    case .half: break
    }
  }

  /// Behind a pooler the setting would reach another client's session; there the server's own holds.
  private func setLockTimeout(
    _ timeout: Duration, on connection: borrowing Connection
  ) throws(PostgresError) {
    if !runner.server.isPooled { try connection.execute("set lock_timeout = \(timeout.milliseconds)") }
  }
}
