import SQLSyntax

/// A reason why migrations cannot be read, planned or run.
///
/// `summary` says what happened in one line, `detail` the facts, `hint` what to type next.
public struct MigrationError: Error, Sendable, Equatable {
  /// What kind of failure this is; the executable maps it to an exit status.
  public enum Kind: Sendable, Equatable {
    /// The files or their directives cannot be used; nothing was sent to the server.
    case invalidInput
    /// An applied file was edited or is missing; nothing was changed.
    case historyMismatch
    /// The server refused something; the transaction was rolled back.
    case failed
    /// Another run or another session is in the way, or the server is away; trying again may help.
    case tryAgain
    case interrupted
  }

  public let kind: Kind
  public let summary: String
  public let detail: String?
  public let hint: String?
  /// `file:line:column` of the place, where there is one.
  public let location: SourceLocation?
  /// The source line with a caret below.
  public let excerpt: String?
  public let sqlState: String?

  public init(
    _ kind: Kind, _ summary: String, detail: String? = nil, hint: String? = nil,
    location: SourceLocation? = nil, excerpt: String? = nil, sqlState: String? = nil
  ) {
    self.kind = kind
    self.summary = summary
    self.detail = detail
    self.hint = hint
    self.location = location
    self.excerpt = excerpt
    self.sqlState = sqlState
  }

  /// The same error with a further sentence of detail.
  public func adding(detail more: String) -> MigrationError {
    MigrationError(
      kind, summary, detail: [detail, more].compactMap { $0 }.joined(separator: " "), hint: hint,
      location: location, excerpt: excerpt, sqlState: sqlState)
  }
}

/// A place in a file.
public struct SourceLocation: Sendable, Equatable, CustomStringConvertible {
  public let path: String
  /// From 1.
  public let line: Int
  /// From 1, in characters.
  public let column: Int

  public init(path: String, line: Int, column: Int) {
    self.path = path
    self.line = line
    self.column = column
  }

  public var description: String { "\(path):\(line):\(column)" }
}
