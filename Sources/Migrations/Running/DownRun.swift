import Postgres
import SQLSyntax

extension MigrationRunner {
  /// Undoes `entries`, newest first, each in a transaction with the removal of its history row.
  ///
  /// Call inside ``exclusively(on:_:)``. `script` reads a down script.
  /// - Returns: the names that were undone, with their milliseconds.
  public func down(
    _ entries: [MigrationPlan.Entry], on connection: borrowing Connection,
    script: (MigrationPlan.Entry) throws -> MigrationFile
  ) throws -> [(name: String, milliseconds: Int64)] {
    // All are read and parsed before the first is run.
    let prepared = try entries.map { try PreparedScript(script($0)) }
    for script in prepared { try Self.refuseJournal(script) }
    var undone: [(name: String, milliseconds: Int64)] = []
    for (index, (entry, script)) in zip(entries, prepared).enumerated() {
      report(.started(name: entry.name, index: index, total: entries.count))
      do {
        let start = ContinuousClock.now
        guard try undo(entry, script, on: connection) else { continue }
        let milliseconds = (ContinuousClock.now - start).milliseconds
        undone.append((entry.name, milliseconds))
        report(.finished(name: entry.name, milliseconds: milliseconds, statements: script.statements.count))
      } catch let error as MigrationError {
        throw error.adding(undone: undone.map(\.name))
      } catch let error as PostgresError {
        throw MigrationError(
          error, during: "\"\(entry.name)\" could not be undone", kept: "It stays applied."
        ).adding(undone: undone.map(\.name))
      }
    }
    return undone
  }

  private static func refuseJournal(_ script: PreparedScript) throws(MigrationError) {
    guard !script.file.directives.isTransactional else { return }
    throw MigrationError(
      .invalidInput, "a down script cannot be \"transaction off\"",
      detail: "It runs in one transaction with the removal of its history row. Nothing was undone.",
      hint: "remove the directive, and CONCURRENTLY with it",
      location: SourceLocation(path: script.file.path, line: 1, column: 1))
  }

  /// False when another run has undone it meanwhile.
  private func undo(
    _ entry: MigrationPlan.Entry, _ prepared: PreparedScript, on connection: borrowing Connection
  ) throws -> Bool {
    let kept = "\"\(entry.name)\" stays applied."
    return try retryingLocks(prepared, kept: kept, on: connection) { connection in
      try self.beginFenced(prepared.file, on: connection)
      guard try self.isStillApplied(entry, on: connection) else {
        try connection.execute("rollback")
        return false
      }
      try self.catalog.prepare(on: connection, isAlone: self.holdsSessionLock)
      for (index, statement) in prepared.statements.enumerated() {
        try self.run(statement, index: index, of: prepared, on: connection)
      }
      do {
        try connection.execute(self.session(of: prepared.file).afterFile)
        let change = try self.catalog.change(on: connection, isComplete: prepared.mayHideChanges)
        try connection.execute(
          self.history.deletion(entry.name) + change.sql
            + self.history.logging(.undone, name: entry.name, checksum: entry.history?.checksum))
      } catch let error as PostgresError {
        throw StatementRefusal(error: error, statement: nil)
      }
      try self.commit(prepared.file, on: connection, either: "It is undone, or as it was.")
      self.catalog.committed()
      return true
    }
  }

  /// Looks at the history again, now that nobody else can write it.
  private func isStillApplied(
    _ entry: MigrationPlan.Entry, on connection: borrowing Connection
  ) throws -> Bool {
    let row = try connection.query(
      "select ordinal from \(history.schema.table("migrations")) where name = $1", [entry.name])
    guard row.rowCount > 0 else { return false }
    guard row.integer(0, 0) == entry.history?.ordinal else {
      throw MigrationError(
        .tryAgain, "another run applied \"\(entry.name)\" anew meanwhile", detail: "It stays applied.",
        hint: "look at \"tsdb migrate status\" and run it again")
    }
    return true
  }
}

extension MigrationError {
  fileprivate func adding(undone names: [String]) -> MigrationError {
    if names.isEmpty { return self }
    return adding(detail: "Undone in this run: \(names.map { "\"\($0)\"" }.joined(separator: ", ")).")
  }
}
