/// Why an SQL file cannot be split into statements, and where.
///
/// Only what no server could accept is reported here. A statement the PostgreSQL 15 grammar does not know
/// is not an error: it may be newer syntax, and the server decides.
public struct SQLSyntaxError: Error, Sendable, Hashable {
  /// What is wrong.
  public enum Reason: Sendable, Hashable {
    /// A string constant that is never closed.
    case unterminatedString
    /// A `$tag$` string that is never closed.
    case unterminatedDollarQuote
    /// A `"name"` that is never closed.
    case unterminatedIdentifier
    /// A `/*` comment that is never closed.
    case unterminatedComment
    /// Another complaint of PostgreSQL's scanner.
    case invalidToken
    /// A zero byte, which PostgreSQL cannot store or receive.
    case nulByte
    /// Bytes that are not UTF-8.
    case invalidUTF8
    /// A backslash command of psql, without the backslash.
    case psqlMetaCommand(String)
    /// `copy … from stdin`, whose data only psql can send.
    case copyFromStdin
    /// The parser ran out of a resource of the system, such as memory.
    case parserUnavailable
  }

  /// What is wrong.
  public let reason: Reason
  /// Where: for something unterminated, where it opens.
  public let position: SourcePosition
  /// One line, lower case, without a full stop.
  public let message: String
  /// Facts, in sentences.
  public let detail: String?
  /// What to do about it.
  public let hint: String?

  init(
    _ reason: Reason, at position: SourcePosition, message: String, detail: String? = nil,
    hint: String? = nil
  ) {
    self.reason = reason
    self.position = position
    self.message = message
    self.detail = detail
    self.hint = hint
  }
}

extension SQLSyntaxError: CustomStringConvertible {
  /// `line:column: message`.
  public var description: String { "\(position): \(message)" }
}

extension SQLSyntaxError {
  /// The scanner's message, without the text "at or near …", which may run to the end of the file.
  static func scanner(_ rawMessage: String, at position: SourcePosition) -> SQLSyntaxError {
    let message = withoutContext(rawMessage)
    let tooFar = "The place where the last one opens is shown; an earlier one may be the one left open."
    if message.hasPrefix("unterminated quoted string") {
      return SQLSyntaxError(.unterminatedString, at: position, message: message, detail: tooFar)
    }
    if message.hasPrefix("unterminated dollar-quoted string") {
      return SQLSyntaxError(
        .unterminatedDollarQuote, at: position, message: message,
        detail: "The closing tag must be spelled exactly like the opening one, also in case.")
    }
    if message.hasPrefix("unterminated quoted identifier") {
      return SQLSyntaxError(.unterminatedIdentifier, at: position, message: message, detail: tooFar)
    }
    if message.hasPrefix("unterminated /* comment") {
      return SQLSyntaxError(
        .unterminatedComment, at: position, message: message,
        detail: "Comments nest in PostgreSQL: every /* inside needs its own */.")
    }
    if message.hasPrefix("out of memory") || message.hasPrefix("memory exhausted") {
      return SQLSyntaxError(.parserUnavailable, at: position, message: message)
    }
    return SQLSyntaxError(.invalidToken, at: position, message: message)
  }

  /// A parser message up to its "at or near", for the same reason.
  static func withoutContext(_ message: String) -> String {
    let marker = Array(" at or near \"".utf8)
    let bytes = Array(message.utf8)
    guard bytes.count > marker.count else { return message }
    for start in 0...(bytes.count - marker.count)
    where bytes[start] == marker[0] && bytes[start..<(start + marker.count)].elementsEqual(marker) {
      return String(decoding: bytes[..<start], as: UTF8.self)
    }
    return message
  }
}
