import Postgres

extension MigrationRunner {
  /// Runs `body`, which may begin a transaction, and runs it again when DDL of other sessions met it.
  func retryingConflicts<Result>(
    on connection: borrowing Connection, _ body: (borrowing Connection) throws -> Result
  ) throws -> Result {
    defer { if !connection.isBroken, connection.isInTransaction { _ = try? connection.execute("rollback") } }
    for _ in 1..<max(1, options.lockAttempts) {
      do {
        return try body(connection)
      } catch let error as PostgresError where error.isRetryableConflict && !Task.isCancelled {
        if connection.isInTransaction { try connection.execute("rollback") }
        Pause.sleep(Pause.jittered(.milliseconds(100)))
      }
    }
    return try body(connection)
  }

  /// Runs one transaction and, when it does not get a lock, rolls back, pauses and tries again.
  func retryingLocks<Result>(
    _ prepared: PreparedScript, kept: String, on connection: borrowing Connection,
    _ attempt: (borrowing Connection) throws -> Result
  ) throws -> Result {
    var number = 1
    while true {
      do {
        return try attempt(connection)
      } catch {
        if !connection.isBroken, connection.isInTransaction { _ = try? connection.execute("rollback") }
        guard let refusal = StatementRefusal(conflict: error) else { throw error }
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
      }
    }
  }
}

extension StatementRefusal {
  /// A refusal as it is, and a conflict that looking at the catalogue has met.
  fileprivate init?(conflict error: any Error) {
    if let refusal = error as? StatementRefusal {
      self = refusal
    } else if let error = error as? PostgresError, error.isRetryableConflict {
      self.init(error: error, statement: nil)
    } else {
      return nil
    }
  }
}
