import Postgres

extension MigrationRunner {
  /// Runs one transaction and, when it does not get a lock, rolls back, pauses and tries again.
  func retryingLocks<Result>(
    _ prepared: PreparedScript, kept: String, on connection: borrowing Connection,
    _ attempt: (borrowing Connection) throws -> Result
  ) throws -> Result {
    var number = 1
    while true {
      do {
        return try attempt(connection)
      } catch let refusal as StatementRefusal {
        if !connection.isBroken { _ = try? connection.execute("rollback") }
        if Task.isCancelled, refusal.error.isCancellation || refusal.error.origin == .connectionLost {
          throw MigrationError.interrupted(kept: kept)
        }
        guard refusal.error.isLockTimeout || refusal.error.isRetryableConflict else {
          throw refusal.migrationError(prepared, kept: kept)
        }
        let blockers = refusal.error.isLockTimeout ? watch.lastBlockers : []
        guard number < options.lockAttempts else {
          throw refusal.lockError(prepared, attempts: number, blockers: blockers, kept: kept)
        }
        let pause = options.pause(afterAttempt: number)
        number += 1
        report(
          .retrying(
            name: prepared.file.name, attempt: number, of: options.lockAttempts, after: pause,
            blockers: blockers))
        Pause.sleep(pause)
        if Task.isCancelled { throw MigrationError.interrupted(kept: kept) }
      } catch {
        if !connection.isBroken, connection.isInTransaction { _ = try? connection.execute("rollback") }
        throw error
      }
    }
  }
}
