import Checklists

/// Text from the database, a file or a message, cleaned for a report that others may read: on one line, without secrets,
/// e-mail addresses and what stands behind the host in a URL.
///
/// Only ``ReportCleaning`` makes one, so that nothing gets into the facts that was not cleaned.
public struct ReportText: Sendable, Hashable, Encodable {
  public let text: String

  fileprivate init(cleaned text: String) {
    self.text = text
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// Cleans what goes into a report.
public struct ReportCleaning: Sendable {
  private let redaction: Redaction
  private static let limit = 400

  /// - Parameter redaction: knows the secrets of this process.
  public init(_ redaction: Redaction) {
    self.redaction = redaction
  }

  public func callAsFunction(_ text: String) -> ReportText {
    let cleaned = redaction.clean(Self.visible(Self.withoutPaths(text)))
    return ReportText(cleaned: cleaned.count > Self.limit ? cleaned.prefix(Self.limit - 1) + "…" : cleaned)
  }

  public func callAsFunction(_ text: String?) -> ReportText? { text.map { self($0) } }

  /// What turns the direction of text around is written out: a name must not show as another.
  private static func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isDirection) else { return text }
    return text.unicodeScalars.map { scalar in
      isDirection(scalar) ? "‹U+\(String(scalar.value, radix: 16, uppercase: true))›" : String(scalar)
    }.joined()
  }

  private static func isDirection(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x061C, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  /// `https://host/…`: webhooks keep their secret in the path as well as in the query, others before the host.
  private static func withoutPaths(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let mark = rest.firstRange(of: "://") {
      result += rest[..<mark.upperBound]
      let authority = rest[mark.upperBound...].prefix { !isEndOfURL($0) && !"/?#".contains($0) }
      let tail = rest[authority.endIndex...].prefix { !isEndOfURL($0) }
      result += authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
      if !tail.isEmpty { result += tail == "/" ? "/" : "/…" }
      rest = rest[tail.endIndex...]
    }
    return result + rest
  }

  private static func isEndOfURL(_ character: Character) -> Bool {
    character.isWhitespace || "\"'<>`".contains(character)
  }
}
