import CXXHash

/// What a set of rows is, whatever their order: the sum of 128-bit hashes of the rows' COPY lines,
/// with their number.
///
/// Each row is hashed with XXH3-128 and the hashes are added modulo 2^128, so rows may be read in any
/// order and by several connections, and a row that occurs twice counts twice. It tells accidents, not
/// forgers: whoever may choose the rows can find another set with the same sum.
public struct ContentFingerprint: Sendable, Equatable {
  public private(set) var rows: Int64 = 0
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  public init() {}

  /// Adds one row: its COPY text with the newline at its end.
  public mutating func add(row: UnsafeRawBufferPointer) {
    add(tsdb_xxh3_128bits(row.baseAddress, row.count))
  }

  /// Adds the rows of another fingerprint.
  public mutating func add(_ other: ContentFingerprint) {
    rows += other.rows
    addHash(low: other.low, high: other.high)
  }

  mutating func add(_ hash: XXH128_hash_t) {
    rows += 1
    addHash(low: hash.low64, high: hash.high64)
  }

  private mutating func addHash(low otherLow: UInt64, high otherHigh: UInt64) {
    let (sum, carried) = low.addingReportingOverflow(otherLow)
    low = sum
    high = high &+ otherHigh &+ (carried ? 1 : 0)
  }
}

extension ContentFingerprint: CustomStringConvertible {
  /// Such as `rows-v1:00000000000000000000000000000000:0`: the sum in hexadecimal, the number of rows.
  public var description: String {
    "\(Self.prefix)\(Self.hexadecimal(high))\(Self.hexadecimal(low)):\(rows)"
  }

  /// Reads a ``description``; nil for anything else.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    let start = Self.prefix.utf8.count
    guard bytes.count > start + 33, text.hasPrefix(Self.prefix), bytes[start + 32] == UInt8(ascii: ":"),
      let high = Self.number(bytes[start..<start + 16]),
      let low = Self.number(bytes[(start + 16)..<(start + 32)]),
      let rows = Int64(String(decoding: bytes[(start + 33)...], as: UTF8.self)), rows >= 0
    else { return nil }
    (self.high, self.low, self.rows) = (high, low, rows)
    // Signs, upper case and superfluous zeros are read as numbers too.
    guard description == text else { return nil }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
  }

  private static let prefix = "rows-v1:"

  private static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
