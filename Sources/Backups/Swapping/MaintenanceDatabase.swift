import Postgres

/// The database that a session is connected to which renames and drops others: nobody can rename or
/// drop the database that he is connected to.
public enum MaintenanceDatabase {
  /// `settings` with a maintenance database, narrowed to the server that they reach.
  ///
  /// - Parameter avoided: databases that are to be renamed or dropped.
  /// - Throws: ``BackupError`` when no server, or none of `postgres` and `template1`, can be reached.
  public static func settings(
    for settings: ConnectionSettings, avoiding avoided: Set<String>
  ) throws(BackupError) -> ConnectionSettings {
    var refusal: PostgresError?
    for name in ["postgres", "template1"] where !avoided.contains(name) {
      var candidate = settings
      candidate["dbname"] = name
      do {
        return try Connection(candidate, applicationName: "tsdb restore").narrowed(candidate)
      } catch {
        // Absent, or closed to this role or to everybody.
        guard ["3D000", "42501", "55000", "28000"].contains(error.sqlState) else {
          throw .swapping(error, "cannot connect")
        }
        refusal = refusal ?? error
      }
    }
    throw BackupError(
      .failed, "no maintenance database can be reached", detail: refusal.map { "\($0.message)." },
      hint: "grant connect on database postgres or template1, or create the database postgres")
  }
}

extension BackupError {
  /// What the server said while databases were renamed, dropped or looked at.
  ///
  /// - Parameter doing: what could not be done, as the beginning of a sentence.
  /// - Returns: an error of kind `tryAgain` where the server was away or somebody was in the way.
  public static func swapping(_ error: PostgresError, _ doing: String) -> BackupError {
    let isPassing =
      error.isServerUnavailable || error.isLockTimeout || error.isRetryableConflict || error.isCancellation
    let kind: Kind =
      if error.origin == .client { .invalidInput } else { isPassing ? .tryAgain : .failed }
    return BackupError(
      kind, "\(doing): \(error.message)", detail: error.detail, hint: error.hint,
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
