import Archive
import Postgres

/// Errors from below in the words of a restore.
enum RestoreFailure {
  /// What went wrong with one entry of the archive.
  static func explain(_ error: any Error, entry: ArchiveEntry) -> any Error {
    switch error {
    case let error as PostgresError where !error.isCancellation:
      var details: [String] = []
      if let detail = error.detail { details.append(detail.hasSuffix(".") ? detail : detail + ".") }
      // Of a COPY it names the table and the line.
      if let context = error.context { details.append("Context: \(context).") }
      return BackupError(
        error.isServerUnavailable ? .tryAgain : .failed,
        "\(entry.label) cannot be restored: \(error.message)",
        detail: details.isEmpty ? nil : details.joined(separator: "\n"), hint: hint(error),
        sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
    case let error as ArchiveError:
      return BackupError(
        .failed, "\(entry.label) cannot be restored: \(error.message)", detail: error.detail, hint: error.hint
      )
    default: return error
    }
  }

  private static func hint(_ error: PostgresError) -> String? {
    switch error.sqlState {
    case "42501":
      "restore as a superuser, or as a role that may do this, or pass --no-owner --no-privileges"
    case "53100": "make room where the server keeps its data, and run the same command again"
    case "53200": "raise max_locks_per_transaction, or pass a smaller --jobs"
    case "58P01": "install what is missing on the server's machine, and run the same command again"
    case "42704" where error.message.hasPrefix("role "): "create the role, or pass --create-missing-roles"
    default: error.hint
    }
  }

  /// Says in the end what became of the new database.
  static func finish(_ error: any Error, outcome: String, isCancelled: Bool) -> BackupError {
    let explained = isCancelled ? BackupError(.interrupted, "interrupted") : BackupFailure.explain(error)
    return BackupError(
      explained.kind, explained.message,
      detail: explained.detail.map { $0.hasSuffix(outcome) ? $0 : "\($0)\n\(outcome)" } ?? outcome,
      hint: explained.hint,
      sqlState: explained.sqlState)
  }
}
