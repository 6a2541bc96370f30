import Archive
import Backups
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
    switch error {
    case let error as MigrationError:
      message = error.summary
      location = error.location?.description
      excerpt = error.excerpt?.isEmpty == true ? nil : error.excerpt
      sqlState = error.sqlState
      detail = error.detail
      hint = error.hint
    case let error as ConfigurationError:
      message = error.summary
      location = error.location?.description
      excerpt = nil
      sqlState = nil
      detail = error.detail
      hint = error.hint
    case let error as BackupError:
      message = error.message
      location = nil
      excerpt = nil
      sqlState = error.sqlState
      detail = error.detail
      hint = error.hint
    case let error as MaintenanceError:
      message = error.message
      location = nil
      excerpt = nil
      sqlState = error.sqlState
      detail = error.detail
      hint = error.hint
    case let error as ArchiveError:
      message = error.message
      location = nil
      excerpt = nil
      sqlState = nil
      detail = error.detail
      hint = error.hint
    case let error as LocalServerError:
      message = error.message
      location = nil
      excerpt = nil
      sqlState = nil
      detail = error.detail
      hint = error.hint
    case let error as PostgresError:
      message = error.message
      location = nil
      excerpt = nil
      sqlState = error.sqlState.isEmpty ? nil : error.sqlState
      detail = error.detail
      hint = error.hint
    case is CancellationError:
      message = "interrupted"
      (location, excerpt, sqlState, detail, hint) = (nil, nil, nil, nil, nil)
    default:
      message = "\(error)"
      (location, excerpt, sqlState, detail, hint) = (nil, nil, nil, nil, nil)
    }
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
