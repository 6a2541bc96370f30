import Digests
import Maintenance

/// An e-mail address that is to be erased; nothing prints it.
public struct ErasedAddress: Sendable, CustomStringConvertible, CustomReflectable {
  /// Trimmed and in lower case.
  private let text: String

  /// - Throws: ``MaintenanceError`` of kind `invalidInput` whose text does not repeat the address.
  public init(_ address: some StringProtocol) throws(MaintenanceError) {
    let words = address.split(whereSeparator: \.isWhitespace)
    text = words.count == 1 ? words[0].lowercased() : ""
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    // Quoted local parts would have to be looked for in several spellings.
    let isPlain = text.unicodeScalars.allSatisfy {
      $0.value > 0x20 && $0.value != 0x7F && !"\"\\<>(),;:".unicodeScalars.contains($0)
    }
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), isPlain, text.utf8.count <= 254 else {
      throw MaintenanceError(
        .invalidInput, "this is no e-mail address", detail: "Nothing was changed.",
        hint: "write one address such as NAME@HOST, without a name, quotes or angle brackets")
    }
  }

  public var description: String { "…" }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// Matches the address where it stands by itself: not the end of a longer name, nor the beginning of a longer host.
  /// All of its characters but ASCII letters and digits may be percent-encoded, also more than once. Group 1 is what
  /// stands before and is kept: to look behind for it takes the server several times as long.
  ///
  /// Source: PostgreSQL manual, "Regular Expression Details"; RFC 3986, sections 2.1 and 2.3.
  var pattern: String { Self.start(or: []) + spellings() + Self.end }

  /// As ``pattern``, in the text of JSON, where a line break is a backslash and a letter.
  var jsonPattern: String { Self.start(or: ["\\\\[bfnrt]"]) + spellings() + Self.end }

  /// As ``pattern``, in what `encode(…, 'escape')` makes of bytes: bytes outside ASCII are a backslash and three digits.
  var bytesPattern: String {
    Self.start(or: ["\\\\[bfnrt]", "\\\\000"]) + spellings(isEscaped: true) + Self.end
  }

  /// Matches the address and nothing else, but spaces around it, or a name before it in angle brackets.
  var wholePattern: String { "^(?:[^@<>]*<)?\(Self.spaces)\(spellings())\(Self.spaces)>?\\s*$" }

  private static let percent = "%(?:25)*"
  private static let spaces = "(?:\\s|\(percent)(?:20|0[9ad]))*"

  /// A percent-encoded character that is no part of a name: of ASCII all but letters, digits and `.%+-_`, outside ASCII
  /// the punctuation and spaces of two blocks.
  private static let encodedSeparator =
    "\(percent)(?:[01][0-9a-f]|2[0-46-9acf]|3[a-f]|40|5[b-e]|60|7[b-f]"
    + "|(?:c2|e2\(percent)8[01])\(percent)[89ab][0-9a-f])"

  private static let encodedLetter =
    "\(percent)(?:3[0-9]|[46][1-9a-f]|[57][0-9a]|c[3-9a-f]|d[0-9a-f]|e[013-9a-f]|f[0-4])"

  private static func start(or others: [String]) -> String {
    "((?<![[:alnum:]._%+-])|\(([encodedSeparator] + others).joined(separator: "|")))"
  }

  private static let end =
    "(?![[:alnum:]_-]|\(encodedLetter)|\(percent)(?:2d|5f)|(?:[.]|\(percent)2e)(?:[[:alnum:]]|\(encodedLetter)))"

  private func spellings(isEscaped: Bool = false) -> String {
    text.unicodeScalars.map { scalar in
      let isWord =
        scalar.isASCII && (scalar.properties.isAlphabetic || (0x30...0x39).contains(scalar.value))
      if isWord { return String(scalar) }
      let cases = Set([String(scalar), String(scalar).uppercased()]).sorted().map { Array($0.utf8) }
      // Outside ASCII nothing has a meaning of its own in a regular expression.
      var choices = [scalar.isASCII ? "\\\(scalar)" : String(scalar)]
      choices += cases.map { $0.map { Self.percent + Self.hexadecimal($0) }.joined() }
      if isEscaped, !scalar.isASCII {
        choices += cases.map { $0.map { "\\\\" + String($0, radix: 8) }.joined() }
      }
      return "(?:\(choices.joined(separator: "|")))"
    }.joined()
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
  }

  /// The HMAC-SHA-256 under `key`: it says whether an address was erased to whoever has key and address.
  func keyedDigest(_ key: ErasureKey) -> String {
    KeyedDigest.digest(of: Array(text.utf8), key: key.bytes)
  }
}

/// The key of the digests in `tsdb.erasures`; never stored.
public struct ErasureKey: Sendable, CustomStringConvertible, CustomReflectable {
  /// In bytes: a shorter one could be guessed from its id.
  static let leastLength = 32

  let bytes: [UInt8]

  /// - Throws: ``MaintenanceError`` of kind `invalidInput` for a key that is too short.
  public init(_ bytes: [UInt8]) throws(MaintenanceError) {
    let end = bytes.lastIndex { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }.map { $0 + 1 } ?? 0
    self.bytes = Array(bytes[..<end])
    guard self.bytes.count >= Self.leastLength else {
      throw MaintenanceError(
        .invalidInput, "the erasure key has \(self.bytes.count) bytes; it takes at least \(Self.leastLength)",
        detail: "Nothing was changed.",
        hint: "openssl rand -hex 32 makes one; keep it, or what was erased cannot be looked up")
    }
  }

  public var description: String { "…" }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// Names the key without telling it.
  var id: String {
    String(KeyedDigest.digest(of: Array("tsdb erasure key".utf8), key: bytes).prefix(16))
  }
}
