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

  private static func explain(_ error: PostgresError) -> BackupError {
    let hint: String? =
      if error.isLockTimeout {
        "somebody holds the table or waits for it with DDL: try again, or raise --lock-timeout"
      } else if error.isInsufficientPrivilege {
        error.message.contains("row-level security")
          ? "back up as the tables' owner, or as a role with BYPASSRLS"
          : "the role needs SELECT on every table and sequence: grant pg_read_all_data to it"
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
