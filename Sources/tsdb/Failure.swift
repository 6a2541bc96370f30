import Archive
import Backups
import Checklists
import Deployments
import LocalServer
import Maintenance
import Migrations
import Operations
import Postgres

/// An error as it is shown.
struct Failure: Encodable {
  var message: String
  let location: String?
  let excerpt: String?
  let sqlState: String?
  let detail: String?
  let hint: String?
  let status: Int32

  /// A fault in the command line itself.
  init(usage message: String, status: Int32) {
    self.message = message
    self.status = status
    (location, excerpt, sqlState, detail, hint) = (nil, nil, nil, nil, nil)
  }

  init(_ error: any Error) {
    status = ExitStatus(error).rawValue
    let parts = ErrorParts(error)
    message = parts.message
    location = parts.location
    excerpt = parts.excerpt
    sqlState = parts.sqlState
    detail = parts.detail
    hint = parts.hint
  }

  /// Up to six parts, each on lines of its own: message, place, source line, SQLSTATE, detail, hint.
  func text(style: Style) -> String {
    var lines = ["\(style.bad("error:")) \(Terminal.printable(message))"]
    if let location { lines.append("  --> \(location)") }
    if let excerpt {
      lines += excerpt.split(separator: "\n", omittingEmptySubsequences: false).map { "   | \($0)" }
    }
    if let sqlState { lines.append("sqlstate: \(sqlState)") }
    if let detail { lines.append("\(style.faint("detail:")) \(Self.indented(detail))") }
    if let hint { lines.append("\(style.good("hint:")) \(Self.indented(hint))") }
    return lines.joined(separator: "\n")
  }

  private static func indented(_ text: String) -> String {
    Terminal.printable(text).split(separator: "\n", omittingEmptySubsequences: false)
      .joined(separator: "\n        ")
  }
}

/// What each kind of error has to say.
private struct ErrorParts {
  let message: String
  var location: String?
  var excerpt: String?
  var sqlState: String?
  var detail: String?
  var hint: String?

  init(_ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil) {
    self.message = message
    self.detail = detail
    self.hint = hint
    self.sqlState = sqlState?.isEmpty == true ? nil : sqlState
  }

  init(_ error: any Error) {
    switch error {
    case let error as MigrationError:
      self.init(error.summary, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
      location = error.location?.description
      excerpt = error.excerpt?.isEmpty == true ? nil : error.excerpt
    case let error as ConfigurationError:
      self.init(error.summary, detail: error.detail, hint: error.hint)
      location = error.location?.description
    case let error as BackupError:
      self.init(error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    case let error as MaintenanceError:
      self.init(error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    case let error as ChecklistError:
      self.init(error.message, detail: error.detail, hint: error.hint)
      location = error.location
      excerpt = error.excerpt
    case let error as DeploymentError:
      self.init(error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    case let error as ArchiveError: self.init(error.message, detail: error.detail, hint: error.hint)
    case let error as LocalServerError: self.init(error.message, detail: error.detail, hint: error.hint)
    case let error as PostgresError:
      self.init(error.message, detail: error.detail, hint: error.hint, sqlState: error.sqlState)
    case is CancellationError: self.init("interrupted")
    default: self.init("\(error)")
    }
  }
}
