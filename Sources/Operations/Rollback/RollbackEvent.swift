import Backups
import Deployments
import Migrations
import Postgres

/// What a rollback tells while it goes on.
public enum RollbackEvent: Sendable {
  /// A step begins.
  case step(RollbackStep)
  case restore(RestoreEvent)
  case swap(SwapEvent)
  /// Something that a person should know, and that stops nothing.
  case warning(String, detail: String?, hint: String?)
}

public typealias RollbackReporter = @Sendable (RollbackEvent) -> Void

extension RollbackStep {
  /// The steps before which the live name still belongs to the failed database.
  var isBeforeSwap: Bool { self == .restore || self == .swap }
}

extension DeploymentError {
  /// A failure of one step of a rollback, with what became of the databases.
  init(_ error: any Error, during state: String) {
    let (kind, message, detail, hint, sqlState) = Self.parts(of: error)
    self.init(
      kind, message, detail: [detail, state].compactMap { $0 }.joined(separator: "\n"),
      hint: hint ?? "run the same command again: it continues", sqlState: sqlState)
  }

  /// An error from below, in whatever way it was thrown.
  static func parts(
    of error: any Error
  ) -> (kind: Kind, message: String, detail: String?, hint: String?, sqlState: String?) {
    switch error {
    case let error as DeploymentError: (error.kind, error.message, error.detail, error.hint, error.sqlState)
    case let error as BackupError:
      (Kind(error.kind), error.message, error.detail, error.hint, error.sqlState)
    case let error as MigrationError:
      (
        error.kind == .tryAgain ? .tryAgain : error.kind == .interrupted ? .interrupted : .failed,
        error.summary, error.detail, error.hint, error.sqlState
      )
    case let error as PostgresError:
      (
        error.isServerUnavailable || error.isCancellation ? .tryAgain : .failed, error.message, error.detail,
        error.hint, error.sqlState.isEmpty ? nil : error.sqlState
      )
    case is CancellationError: (.interrupted, "interrupted", nil, nil, nil)
    default: (.failed, "\(error)", nil, nil, nil)
    }
  }
}

extension DeploymentError.Kind {
  init(_ kind: BackupError.Kind) {
    self =
      switch kind {
      // What the record names is not the caller's input.
      case .invalidInput, .failed: .failed
      case .tryAgain: .tryAgain
      case .interrupted: .interrupted
      }
  }
}
