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
  ///
  /// Source: PostgreSQL manual, "Regular Expression Details".
  var pattern: String { "(?<![[:alnum:]._%+-])" + escaped + Self.end }

  /// As ``pattern``, in the text of JSON, where a line break is a backslash and a letter.
  var jsonPattern: String { "(?:(?<![[:alnum:]._%+-])|(?<=\\\\[bfnrt]))" + escaped + Self.end }

  private static let end = "(?![[:alnum:]_-]|[.][[:alnum:]])"

  private var escaped: String {
    text.unicodeScalars.map { scalar in
      // Outside ASCII nothing has a meaning of its own in a regular expression.
      let isLiteral =
        scalar.value > 0x7F || scalar.properties.isAlphabetic || (0x30...0x39).contains(scalar.value)
      return isLiteral ? String(scalar) : "\\\(scalar)"
    }.joined()
  }

  /// The HMAC-SHA-256 under `key`: it says whether an address was erased to whoever has key and address.
  func keyedDigest(_ key: ErasureKey) -> String {
    KeyedDigest.digest(of: Array(text.utf8), key: key.bytes)
  }
}

/// The key of the digests in `erasures`; never stored.
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
