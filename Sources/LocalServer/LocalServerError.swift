import SystemPackage

/// A failure of the private local server, in the three parts a person needs.
public struct LocalServerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure, stable across releases.
  public enum Code: String, Sendable, CaseIterable {
    /// No usable PostgreSQL server binaries were found.
    case noInstallation = "server-not-installed"
    /// `TSDB_PG_BINDIR` names a directory without the server binaries.
    case invalidBinaryDirectory = "server-bindir-invalid"
    /// The existing cluster needs a major version that is not installed.
    case clusterVersion = "server-version-mismatch"
    /// No unprivileged account exists that could run the server for root.
    case noAccount = "server-no-account"
    /// The directory name cannot be used.
    case unusableDirectory = "server-directory-unusable"
    /// A directory in the way was not made by tsdb, or belongs to somebody else.
    case notOurs = "server-not-ours"
    /// The operating system refused access.
    case permission = "server-permission"
    /// The disk is full or a quota is used up.
    case diskFull = "server-disk-full"
    /// Any other refused system call.
    case system = "server-system"
    /// `initdb` failed.
    case initdb = "server-initdb"
    /// The data directory exists but is not a cluster, or is in use by something else.
    case dataDirectory = "server-data-directory"
    /// The server ended while starting.
    case startFailed = "server-start"
    /// The server, or another tsdb, was not ready in time. Trying again later may succeed.
    case timeout = "server-timeout"
    /// The server runs but its socket is gone.
    case socketMissing = "server-socket-missing"
    /// The server is not running and the request needs it.
    case notRunning = "server-not-running"
  }

  public let code: Code
  /// Lower case, one line, no full stop.
  public let message: String
  /// Facts, in sentences, possibly on several lines.
  public let detail: String?
  /// What to type next.
  public let hint: String?

  public init(_ code: Code, _ message: String, detail: String? = nil, hint: String? = nil) {
    self.code = code
    self.message = message
    self.detail = detail
    self.hint = hint
  }

  public var description: String {
    var lines = [message]
    if let detail { lines.append("detail: \(detail)") }
    if let hint { lines.append("hint: \(hint)") }
    return lines.joined(separator: "\n")
  }
}

extension LocalServerError {
  /// A refused system call: `could not <action> "<path>": <reason>`.
  static func system(_ action: String, _ path: FilePath, _ number: Int32) -> LocalServerError {
    let reason = Errno(rawValue: number)
    let text = "could not \(action) \"\(path)\": \(lowercasedFirst(reason.description))"
    switch reason {
    case .noSpace, .diskQuotaExceeded:
      return LocalServerError(.diskFull, text, hint: "free some space and run the same command again")
    case .permissionDenied, .notPermitted, .readOnlyFileSystem:
      return LocalServerError(
        .permission, text, hint: "check the owner and the mode of \"\(path.removingLastComponent())\"")
    default:
      return LocalServerError(.system, text)
    }
  }

  static func foreignOwner(_ path: FilePath, owner: String, caller: String) -> LocalServerError {
    LocalServerError(
      .notOurs, "\"\(path)\" belongs to another account",
      detail: "It belongs to \(owner), and this command runs as \(caller).",
      hint: "run the command as \(owner)")
  }

  private static func lowercasedFirst(_ text: String) -> String {
    text.prefix(1).lowercased() + text.dropFirst()
  }
}
