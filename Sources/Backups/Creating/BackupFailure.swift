import Archive
import Compression
import Postgres

/// Errors from below in the words of a backup.
enum BackupFailure {
  /// - Returns: a ``BackupError`` with the kind that a caller acts on.
  static func explain(_ error: any Error) -> BackupError {
    switch error {
    case let error as BackupError: error
    case is CancellationError: BackupError(.interrupted, "interrupted")
    case let error as PostgresError: explain(error)
    case let error as ArchiveError:
      BackupError(
        .failed, error.message, detail: error.detail,
        hint: error.kind == .diskFull ? BackupError.diskFullHint : error.hint)
    case let error as CompressionError: BackupError(.failed, error.message)
    default: BackupError(.failed, "\(error)")
    }
  }

  /// What a worker is told when the session that holds the snapshot has ended under it.
  private static func isSnapshotLost(_ error: PostgresError) -> Bool {
    (error.sqlState == "22023" && error.message.hasPrefix("invalid snapshot identifier"))
      // From PostgreSQL 17 on; nothing else of ours names a snapshot.
      || (error.sqlState == "42704" && error.message.hasPrefix("snapshot "))
      || (error.sqlState == "55000" && error.message.hasPrefix("could not import the requested snapshot"))
  }

  private static func explain(_ error: PostgresError) -> BackupError {
    if isSnapshotLost(error) {
      return BackupError(
        .tryAgain, "the session that held the snapshot has ended",
        detail: "The server says: \(error.message).",
        hint: "see the server's log for why, and run the same command again", sqlState: error.sqlState)
    }
    let hint: String? =
      if error.isLockTimeout {
        "somebody holds the table or waits for it with DDL: try again, or raise --lock-timeout"
      } else if error.isInsufficientPrivilege {
        error.message.contains("row-level security")
          ? "back up as the tables' owner, or as a role with BYPASSRLS"
          : "the role needs SELECT on every table and sequence: grant pg_read_all_data to it"
      } else if error.sqlState == "53100" {
        "make room where the server keeps its data, and run the same command again"
      } else {
        error.hint
      }
    let kind: BackupError.Kind =
      error.isCancellation
      ? .interrupted : error.isLockTimeout || error.isServerUnavailable ? .tryAgain : .failed
    return BackupError(
      kind, error.message, detail: error.detail ?? error.context, hint: hint,
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
