import Postgres
import SQLSyntax

extension MigrationRunner {
  /// The plan for `directory` as the database stands now; takes no lock and writes nothing.
  public func plan(
    for directory: MigrationDirectory, policy: OrderPolicy, on connection: borrowing Connection
  ) throws -> MigrationPlan {
    let order = try DependencyOrder(directory.files, policy: policy)
    return MigrationPlan(order: order, history: try readHistory(on: connection)) { file in
      // A file that cannot be cut into tokens has certainly changed in substance.
      try? Checksum(ofTokens: SourceText(file.text)).description
    }
  }

  private func readHistory(on connection: borrowing Connection) throws -> [HistoryEntry] {
    do {
      return try watch.watching("the history", processID: processID) {
        try settled(on: connection) { try history.read(on: $0) }
      }
    } catch let error as PostgresError where error.isLockTimeout {
      throw MigrationError(
        .tryAgain, "the history is locked by another session: \(error.message)",
        detail: (watch.lastBlockers.map { "Blocked by \($0)." } + ["Nothing was changed."]).joined(
          separator: "\n"),
        hint: "wait for it to end and run the same command again", sqlState: error.sqlState)
    } catch let error as PostgresError where error.isInsufficientPrivilege {
      let (schema, role) = (Quoting.identifier(history.schema.name), Quoting.identifier(server.role))
      throw MigrationError(
        .failed, "role \"\(server.role)\" may not read the history: \(error.message)",
        detail: "Nothing was changed.",
        hint: "let its owner run: grant usage on schema \(schema) to \(role); "
          + "grant select on all tables in schema \(schema) to \(role);",
        sqlState: error.sqlState)
    } catch let error as PostgresError where error.isUndefinedTable || error.sqlState == "42703" {
      throw MigrationError(
        .failed, "schema \"\(history.schema.name)\" holds something else than a history: \(error.message)",
        detail: "It has a table \"migrations\" that tsdb did not make. Nothing was changed.",
        hint: "give the history a schema of its own in tsdb.yaml:\n      history:\n        schema: NAME",
        sqlState: error.sqlState)
    }
  }
}
