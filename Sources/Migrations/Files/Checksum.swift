import Crypto
import SQLSyntax

/// A hash with the name of the way it was computed, such as `sha256-lf-v1:9f86…`.
///
/// The tag is there from the first release, so that another algorithm can be added without
/// declaring every applied file edited (sql-migrate#275).
public struct Checksum: Sendable, Hashable, CustomStringConvertible {
  public static let textAlgorithm = "sha256-lf-v1"
  public static let tokenAlgorithm = "sha256-tokens-v1"

  public let algorithm: String
  public let value: String

  /// A checksum as the history holds it; nil for text without a tag.
  public init?(_ description: String) {
    guard let colon = description.firstIndex(of: ":"), colon != description.startIndex else { return nil }
    algorithm = String(description[..<colon])
    value = String(description[description.index(after: colon)...])
  }

  /// The checksum of normalised text.
  public init(ofText text: String) {
    algorithm = Self.textAlgorithm
    value = Self.sha256(text.utf8)
  }

  /// The checksum of the token stream without comments and layout.
  ///
  /// - Throws: ``SQLSyntaxError`` for text that cannot be cut into tokens.
  public init(ofTokens source: SourceText) throws(SQLSyntaxError) {
    algorithm = Self.tokenAlgorithm
    value = Self.sha256(try SQLScript.tokenFingerprintInput(source))
  }

  public var description: String { "\(algorithm):\(value)" }

  private static func sha256(_ bytes: some Sequence<UInt8>) -> String {
    var hash = SHA256()
    let hashed: Void? = bytes.withContiguousStorageIfAvailable {
      hash.update(bufferPointer: UnsafeRawBufferPointer($0))
    }
    if hashed == nil { hash.update(data: Array(bytes)) }
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in hash.finalize() {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
