import Crypto

/// A number that two databases share when their schemas are equal, and practically never otherwise.
///
/// The sum, modulo 2^256, of the SHA-256 of each object's kind, identity and definition. A sum does
/// not depend on the order of reading, and one object can be added or taken away without the others.
public struct CatalogFingerprint: Sendable, Hashable {
  private var words = Words()

  /// The fingerprint of an empty catalogue.
  public init() {}

  public init(of objects: some Sequence<CatalogObject>) {
    for object in objects { add(object) }
  }

  /// Reads what ``description`` wrote; nil for anything else, and for other versions of the rules.
  public init?(_ text: String) {
    let digits = text.dropFirst(Self.prefix.count)
    guard text.hasPrefix(Self.prefix), digits.utf8.count == 64 else { return nil }
    for index in 0..<4 {
      let part = digits.dropFirst(48 - index * 16).prefix(16)
      guard !part.hasPrefix("+"), !part.hasPrefix("-"), let word = UInt64(part, radix: 16) else { return nil }
      words[index] = word
    }
  }

  /// The fingerprint after `object` has come to the catalogue.
  public func adding(_ object: CatalogObject) -> Self {
    var result = self
    result.add(object)
    return result
  }

  /// The fingerprint after `object` has gone from the catalogue.
  public func removing(_ object: CatalogObject) -> Self {
    var result = self
    result.remove(object)
    return result
  }

  mutating func add(_ object: CatalogObject) {
    guard object.kind.isFingerprinted else { return }
    let hash = Self.hash(object)
    var carry: UInt64 = 0
    for index in 0..<4 {
      let (sum, overflow) = words[index].addingReportingOverflow(hash[index])
      let (total, again) = sum.addingReportingOverflow(carry)
      words[index] = total
      carry = overflow || again ? 1 : 0
    }
  }

  mutating func remove(_ object: CatalogObject) {
    guard object.kind.isFingerprinted else { return }
    let hash = Self.hash(object)
    var borrow: UInt64 = 0
    for index in 0..<4 {
      let (difference, overflow) = words[index].subtractingReportingOverflow(hash[index])
      let (total, again) = difference.subtractingReportingOverflow(borrow)
      words[index] = total
      borrow = overflow || again ? 1 : 0
    }
  }

  /// Each part is preceded by its length, so that no two objects feed the hash the same bytes.
  private static func hash(_ object: CatalogObject) -> Words {
    var bytes: [UInt8] = []
    for part in [object.kind.rawValue, object.identity, object.definition] {
      withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: part.utf8)
    }
    return SHA256.hash(data: bytes).withUnsafeBytes { digest in
      var words = Words()
      for index in 0..<4 {
        words[index] = UInt64(littleEndian: digest.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      return words
    }
  }
}

/// Four words, least significant first.
///
/// Not a `SIMD4`: that is aligned to 32 bytes, and Swift 6.3 places such a value wrongly in the frame
/// of an asynchronous function, which overwrites what lies behind it.
private struct Words: Sendable, Hashable {
  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var third: UInt64 = 0
  private var fourth: UInt64 = 0

  subscript(index: Int) -> UInt64 {
    get {
      switch index {
      case 0: first
      case 1: second
      case 2: third
      default: fourth
      }
    }
    set {
      switch index {
      case 0: first = newValue
      case 1: second = newValue
      case 2: third = newValue
      default: fourth = newValue
      }
    }
  }
}

extension CatalogFingerprint: CustomStringConvertible {
  /// Changes with the rules for definitions, so that fingerprints made by different rules never
  /// compare as a changed schema.
  private static let prefix = "catalog-v1:"

  /// The text to store: `catalog-v1:` and 64 hexadecimal digits.
  public var description: String {
    Self.prefix
      + (0..<4).reversed().map { index in
        let digits = String(words[index], radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
      }.joined()
  }
}
