import Postgres

/// Holds the runner's lock for a file that is not one transaction, behind a pooler.
///
/// A second connection keeps it in an idle READ COMMITTED transaction: that has no snapshot, so
/// CREATE INDEX CONCURRENTLY does not wait for it. When it ends, so does the lock.
final class LockCover {
  private let connection: Connection

  /// Polls for the lock.
  ///
  /// - Throws: ``MigrationError`` of kind `tryAgain` when it is not to be had, or the pooler has no
  ///   second connection.
  init(_ runner: MigrationRunner) throws {
    do {
      connection = try runner.connect()
    } catch {
      throw MigrationError(error, during: "no second connection, which a \"transaction off\" file needs here")
    }
    let timeouts = SessionState(lockTimeout: .zero, statementTimeout: .zero, server: runner.server)
    try runner.waitForLock(on: connection) { connection throws(PostgresError) in
      try runner.lock.tryForTransaction(on: connection, begin: timeouts.begin)
    }
  }

  /// - Throws: ``MigrationError`` of kind `tryAgain` when the lock is lost.
  func check() throws {
    do {
      try connection.execute("select 1")
    } catch {
      throw MigrationError(
        .tryAgain, "the connection that holds the lock for this run was lost: \(error.message)",
        hint: "run the same command again; it continues where this one ended")
    }
  }
}
