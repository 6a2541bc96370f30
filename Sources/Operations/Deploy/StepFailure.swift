import Backups
import Checklists
import Deployments
import LocalServer
import Maintenance
import Migrations
import Postgres

/// What every error of the domains says, for a step that it ended.
struct StepFailure: Sendable {
  var kind: DeploymentError.Kind
  var message: String
  var detail: String?
  var hint: String?
  var sqlState: String?

  init(
    _ kind: DeploymentError.Kind, _ message: String, detail: String? = nil, hint: String? = nil,
    sqlState: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.detail = detail
    self.hint = hint
    self.sqlState = sqlState
  }

  init(_ error: any Error) {
    switch error {
    case let error as DeploymentError:
      self.init(error.kind, error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    case let error as MigrationError:
      let place = error.location.map { place in
        "At \(place)." + (error.excerpt.map { $0.isEmpty ? "" : "\n\($0)" } ?? "")
      }
      self.init(
        Self.kind(error.kind), error.summary, detail: Self.joined(place, error.detail), hint: error.hint,
        sqlState: error.sqlState)
    case let error as BackupError:
      self.init(
        Self.kind(error.kind), error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState
      )
    case let error as MaintenanceError:
      self.init(
        Self.kind(error.kind), error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState
      )
    case let error as ChecklistError:
      self.init(
        Self.kind(error.kind), error.message,
        detail: Self.joined(error.location.map { "At \($0)." }, error.detail), hint: error.hint)
    case let error as ConfigurationError:
      self.init(
        .invalidInput, error.summary, detail: Self.joined(error.location.map { "At \($0)." }, error.detail),
        hint: error.hint)
    case let error as LocalServerError:
      self.init(
        error.code == .timeout ? .tryAgain : .failed, error.message, detail: error.detail, hint: error.hint)
    case let error as PostgresError:
      self.init(
        error.isServerUnavailable || error.origin == .connectionLost ? .tryAgain : .failed, error.message,
        detail: error.detail, hint: error.hint, sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
    case is CancellationError: self.init(.interrupted, "interrupted")
    default: self.init(.failed, "\(error)")
    }
    // A cancelled statement is how the server tells of our own interruption.
    if Task.isCancelled { kind = .interrupted }
  }

  private static func joined(_ first: String?, _ second: String?) -> String? {
    let parts = [first, second].compactMap { $0 }.filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: "\n")
  }

  private static func kind(_ kind: MigrationError.Kind) -> DeploymentError.Kind {
    switch kind {
    case .invalidInput, .historyMismatch, .failed: .failed
    case .tryAgain: .tryAgain
    case .interrupted: .interrupted
    }
  }

  private static func kind(_ kind: BackupError.Kind) -> DeploymentError.Kind {
    switch kind {
    case .invalidInput, .failed: .failed
    case .tryAgain: .tryAgain
    case .interrupted: .interrupted
    }
  }

  private static func kind(_ kind: MaintenanceError.Kind) -> DeploymentError.Kind {
    switch kind {
    case .invalidInput, .failed: .failed
    case .tryAgain: .tryAgain
    case .interrupted: .interrupted
    }
  }

  private static func kind(_ kind: ChecklistError.Kind) -> DeploymentError.Kind {
    switch kind {
    case .invalidInput, .failed: .failed
    case .tryAgain: .tryAgain
    case .interrupted: .interrupted
    }
  }
}
