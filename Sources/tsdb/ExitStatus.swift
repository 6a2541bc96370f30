import Archive
import ArgumentParser
import Backups
import Checklists
import Deployments
import LocalServer
import Maintenance
import Migrations
import Operations

/// The statuses that scripts outside the project rely on.
enum ExitStatus: Int32 {
  case done = 0
  case failed = 1
  case findings = 2
  case usage = 64
  case tryAgain = 75
  case interrupted = 130

  /// The only map from errors to statuses.
  init(_ error: any Error) {
    switch error {
    case let error as MigrationError:
      self =
        switch error.kind {
        case .invalidInput: .usage
        case .historyMismatch, .failed: .failed
        case .tryAgain: .tryAgain
        case .interrupted: .interrupted
        }
    case let error as BackupError:
      self =
        switch error.kind {
        case .invalidInput: .usage
        case .failed: .failed
        case .tryAgain: .tryAgain
        case .interrupted: .interrupted
        }
    case let error as MaintenanceError:
      self =
        switch error.kind {
        case .invalidInput: .usage
        case .failed: .failed
        case .tryAgain: .tryAgain
        case .interrupted: .interrupted
        }
    case let error as ChecklistError:
      self =
        switch error.kind {
        case .invalidInput: .usage
        case .failed: .failed
        case .tryAgain: .tryAgain
        case .interrupted: .interrupted
        }
    case let error as DeploymentError:
      self =
        switch error.kind {
        case .invalidInput: .usage
        case .failed: .failed
        case .tryAgain: .tryAgain
        case .interrupted: .interrupted
        }
    case is ArchiveError: self = .failed
    case is ConfigurationError: self = .usage
    case is CancellationError: self = .interrupted
    case let findings as Findings: self = findings.status
    default: self = .failed
    }
  }

  /// The part of every command's help that lists the statuses.
  static let help = """
    EXIT STATUS
      0    done, or nothing to do
      1    failed; the message says what was kept and what to type next
      2    findings (--check, verify, diff): something is not as it should be
      64   bad usage, configuration or migration files
      75   try again later: another run, a lock, or the server is unreachable
      130  interrupted
    """
}

/// Ends a command whose result is already printed with a status other than 0.
struct Findings: Error {
  let status: ExitStatus
}
