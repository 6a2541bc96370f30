/// Turns a source text into tokens, or says why no server could.
enum Tokenizer {
  static func tokenize(_ source: SourceText) throws(SQLSyntaxError) -> TokenizedText {
    try checkEncoding(source)
    var input = source.utf8
    input.append(0)
    var tokens: [Token] = []
    var start = 0
    while true {
      switch ScanOutcome(scanning: input, from: start) {
      case .tokens(let rest):
        tokens += rest
        let text = TokenizedText(parserInput: input, tokens: tokens.filter { $0.kind != .comment })
        try PsqlInput.refuse(in: text, of: source)
        return text
      case .failure(let message, let character):
        let place = source.byteOffset(ofCharacter: character, from: start)
        tokens += Self.tokens(in: &input, from: start, upTo: place)
        guard let literal = NewerNumericLiteral(in: input, at: place) else {
          // What psql alone understands is the better explanation when it comes first.
          try PsqlInput.refuse(
            in: TokenizedText(parserInput: input, tokens: tokens.filter { $0.kind != .comment }),
            of: source)
          throw SQLSyntaxError.scanner(message, at: source.position(at: place))
        }
        literal.mask(&input)
        start = place
      }
    }
  }

  /// The tokens before an error, which the scanner does not return with it.
  private static func tokens(in input: inout [UInt8], from start: Int, upTo end: Int) -> [Token] {
    guard end > start, end < input.count else { return [] }
    let byte = input[end]
    input[end] = 0
    defer { input[end] = byte }
    guard case .tokens(let tokens) = ScanOutcome(scanning: input, from: start) else { return [] }
    return tokens
  }

  private static func checkEncoding(_ source: SourceText) throws(SQLSyntaxError) {
    if let offset = source.utf8.firstIndex(of: 0) {
      throw SQLSyntaxError(
        .nulByte, at: source.position(at: offset), message: "the text contains a zero byte",
        detail: "PostgreSQL cannot receive one.",
        hint: "if the file is UTF-16, convert it to UTF-8")
    }
    guard String(validating: source.utf8, as: UTF8.self) == nil else { return }
    let offset = firstInvalidOffset(in: source.utf8)
    throw SQLSyntaxError(
      .invalidUTF8, at: source.position(at: offset), message: "the text is not valid UTF-8",
      hint: "convert the file to UTF-8")
  }

  private static func firstInvalidOffset(in bytes: [UInt8]) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput, .error: return offset
      }
    }
  }
}

/// A numeric literal of PostgreSQL 16 or later, which the scanner of 15 refuses: `0xFF`, `0o17`, `0b1`,
/// `1_000`.
struct NewerNumericLiteral {
  private let range: Range<Int>
  private let replacement: [UInt8]

  /// The literal that starts at `start`, or `nil` when what stands there is not one.
  init?(in input: [UInt8], at start: Int) {
    var end = start
    while end < input.count, Self.belongsToNumber(input, end, start: start) { end += 1 }
    let bytes = input[start..<end].map(lowercasedASCII)
    guard let replacement = Self.based(bytes) ?? Self.decimal(bytes) else { return nil }
    range = start..<end
    self.replacement = replacement
  }

  /// Puts the old spelling in its place. The value of a based literal becomes 1: nothing looks at it.
  func mask(_ input: inout [UInt8]) {
    input.replaceSubrange(range, with: replacement)
  }

  private static func belongsToNumber(_ input: [UInt8], _ index: Int, start: Int) -> Bool {
    switch input[index] {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...0xFF:
      return true
    case UInt8(ascii: "."):
      // "1..2" is a range of PL/pgSQL, not a fraction.
      return input[index + 1] != UInt8(ascii: ".")
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      let isBased = input[start] == UInt8(ascii: "0") && start + 1 < index && isLetter(input[start + 1])
      return !isBased && lowercasedASCII(input[index - 1]) == UInt8(ascii: "e")
    default: return false
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    let lower = lowercasedASCII(byte)
    return lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")
  }

  /// `0x`, `0o` and `0b`, each digit optionally after one underscore.
  private static func based(_ bytes: [UInt8]) -> [UInt8]? {
    guard bytes.count > 2, bytes[0] == UInt8(ascii: "0") else { return nil }
    let digits: Set<UInt8>
    switch bytes[1] {
    case UInt8(ascii: "x"): digits = Set("0123456789abcdef".utf8)
    case UInt8(ascii: "o"): digits = Set("01234567".utf8)
    case UInt8(ascii: "b"): digits = Set("01".utf8)
    default: return nil
    }
    guard hasWellPlacedUnderscores(bytes[1...], digits: digits) else { return nil }
    return Array(repeating: UInt8(ascii: "0"), count: bytes.count - 1) + [UInt8(ascii: "1")]
  }

  /// Decimal digits with underscores between them, with fraction and exponent.
  private static func decimal(_ bytes: [UInt8]) -> [UInt8]? {
    let parts = bytes.split(omittingEmptySubsequences: false) { byte in
      byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "+")
        || byte == UInt8(ascii: "-")
    }
    let digits = Set("0123456789".utf8)
    for part in parts where !part.isEmpty {
      guard digits.contains(part[part.startIndex]),
        hasWellPlacedUnderscores([UInt8(ascii: "0")] + part, digits: digits)
      else { return nil }
    }
    let plain = bytes.filter { $0 != UInt8(ascii: "_") }
    guard plain.count < bytes.count else { return nil }
    return Array(repeating: UInt8(ascii: "0"), count: bytes.count - plain.count) + plain
  }

  /// Whether everything behind the first byte is a digit or one underscore before a digit.
  private static func hasWellPlacedUnderscores(_ bytes: some Collection<UInt8>, digits: Set<UInt8>) -> Bool {
    var underscore = false
    for byte in bytes.dropFirst() {
      if byte == UInt8(ascii: "_") {
        if underscore { return false }
        underscore = true
      } else if digits.contains(byte) {
        underscore = false
      } else {
        return false
      }
    }
    return !underscore
  }
}
