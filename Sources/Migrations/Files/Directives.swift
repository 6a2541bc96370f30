import SQLSyntax

/// What the leading comment block of a migration file declares.
public struct Directives: Sendable, Equatable {
  /// A requirement and where it is written.
  public struct Requirement: Sendable, Equatable {
    public let name: String
    public let line: Int
    public let column: Int
  }

  public var version: String?
  public var requirements: [Requirement] = []
  public var isTransactional = true
  public var isRepeatable = false
  public var lockTimeout: Duration?
  public var statementTimeout: Duration?

  public init() {}

  public static let keywords = [
    "version", "requires", "transaction", "repeatable", "lock-timeout", "statement-timeout",
  ]

  /// A directive that cannot be read.
  struct Refusal: Error {
    let message: String
    let hint: String?
    let line: Int
    let column: Int
  }

  /// Reads the directives of `text`.
  ///
  /// The block ends at the first line that is neither blank nor a `--` comment; a directive after
  /// it would be ignored, so it is refused.
  init(parsing text: String) throws(Refusal) {
    self.init()
    var isLeading = true
    var depth = 0
    var seen: Set<String> = []
    var number = 0
    for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      let content = line.drop(while: Self.isBlank)
      if content.isEmpty { continue }
      if isLeading, depth > 0 || content.starts(with: "/*".utf8) {
        isLeading = Self.isOnlyComment(content, depth: &depth)
        continue
      }
      guard content.starts(with: "--".utf8) else {
        isLeading = false
        continue
      }
      let comment = content.drop { $0 == UInt8(ascii: "-") }.drop(while: Self.isBlank)
      guard Substring(comment.prefix(5)).lowercased() == "tsdb:" else { continue }
      // A comment is one line of UTF-8 cut at ASCII characters, so this cannot fail.
      let directive = Substring(comment.dropFirst(5))
      let column = line.distance(from: line.startIndex, to: content.startIndex) + 1
      guard isLeading else {
        throw Refusal(
          message: "a directive stands after the first statement, where it has no effect",
          hint: "move it to the comment block at the top of the file", line: number, column: column)
      }
      try apply(directive, line: number, column: column, lineText: Substring(line), seen: &seen)
    }
  }

  /// Follows `/* … */`, which nests in PostgreSQL, through a line; false when something else stands behind it.
  private static func isOnlyComment(_ line: Substring.UTF8View, depth: inout Int) -> Bool {
    var rest = line
    while !rest.isEmpty {
      if rest.starts(with: "/*".utf8) {
        depth += 1
        rest = rest.dropFirst(2)
      } else if depth > 0, rest.starts(with: "*/".utf8) {
        depth -= 1
        rest = rest.dropFirst(2)
      } else if depth == 0, let byte = rest.first, !isBlank(byte) {
        return rest.starts(with: "--".utf8)
      } else {
        rest = rest.dropFirst()
      }
    }
    return true
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

  private mutating func apply(
    _ directive: Substring, line: Int, column: Int, lineText: Substring, seen: inout Set<String>
  ) throws(Refusal) {
    let words = Self.words(of: directive)
    guard let keyword = words.first.map({ $0.text.lowercased() }) else {
      throw Refusal(
        message: "the directive is empty", hint: "known directives: \(Self.keywords.joined(separator: ", "))",
        line: line, column: column)
    }
    let values = words.dropFirst()
    func refuse(_ message: String, hint: String? = nil) -> Refusal {
      Refusal(message: message, hint: hint, line: line, column: column)
    }
    guard Self.keywords.contains(keyword) else {
      let nearest = EditDistance.nearest(to: keyword, in: Self.keywords)
      throw refuse(
        "unknown directive \"\(keyword)\"",
        hint: nearest.map { "did you mean \"\($0)\"?" }
          ?? "known directives: \(Self.keywords.joined(separator: ", "))")
    }
    if keyword != "requires", !seen.insert(keyword).inserted {
      throw refuse("directive \"\(keyword)\" is given twice", hint: "keep one of them")
    }
    switch keyword {
    case "version":
      guard let value = values.first, values.count == 1 else {
        throw refuse("directive \"version\" takes one value", hint: "-- tsdb: version 1.0.0")
      }
      version = value.text
    case "requires":
      guard !values.isEmpty else {
        throw refuse("directive \"requires\" takes one or more names", hint: "-- tsdb: requires OTHER_FILE")
      }
      for value in values {
        let name = value.text.hasSuffix(".sql") ? String(value.text.dropLast(4)) : value.text
        let offset = lineText.unicodeScalars.distance(from: lineText.startIndex, to: value.start)
        requirements.append(Requirement(name: name, line: line, column: offset + 1))
      }
    case "transaction":
      switch (values.first.map { $0.text.lowercased() }, values.count) {
      case ("on", 1): isTransactional = true
      case ("off", 1): isTransactional = false
      default:
        throw refuse("directive \"transaction\" takes \"on\" or \"off\"", hint: "-- tsdb: transaction off")
      }
    case "repeatable":
      guard values.isEmpty else { throw refuse("directive \"repeatable\" takes no value") }
      isRepeatable = true
    default:
      guard values.count == 1, let value = values.first, let duration = Duration(settingText: value.text)
      else {
        throw refuse(
          "directive \"\(keyword)\" takes a duration",
          hint: "write a number with ms, s, min or h: -- tsdb: \(keyword) 2s")
      }
      if keyword == "lock-timeout" { lockTimeout = duration } else { statementTimeout = duration }
    }
  }
}

extension Directives {
  /// A name as `requires` takes it: in double quotes where a blank or a comma would end it.
  static func written(_ name: String) -> String {
    name.contains { isSeparator($0) || $0 == "\"" } ? "\"\(name.replacing("\"", with: "\"\""))\"" : name
  }

  private struct Word {
    var text = ""
    let start: Substring.Index
  }

  private static func isSeparator(_ character: Character) -> Bool {
    character == " " || character == "\t" || character == "," || character == "\r"
  }

  /// The words of a directive, separated by blanks and commas; in double quotes both may be part of one,
  /// and `""` stands for a quote.
  private static func words(of directive: Substring) -> [Word] {
    var words: [Word] = []
    var rest = directive.drop(while: isSeparator)
    while let first = rest.first {
      var word = Word(start: rest.startIndex)
      if first == "\"" {
        rest = rest.dropFirst()
        while let character = rest.popFirst() {
          if character == "\"", rest.first != "\"" { break }
          if character == "\"" { rest = rest.dropFirst() }
          word.text.append(character)
        }
      } else {
        word.text = String(rest.prefix { !isSeparator($0) })
        rest = rest.drop { !isSeparator($0) }
      }
      words.append(word)
      rest = rest.drop(while: isSeparator)
    }
    return words
  }
}
