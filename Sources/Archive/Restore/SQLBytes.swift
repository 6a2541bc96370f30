/// The bytes of an SQL text, written as a string with names and statements, which are bytes in the
/// archive's encoding, put in: `"ALTER \(object) OWNER TO \(owner);"`. Names go in quoted; see
/// ``SQLIdentifier``.
struct SQLBytes: ExpressibleByStringInterpolation {
  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var bytes: [UInt8] = []

    init(literalCapacity: Int, interpolationCount: Int) {
      bytes.reserveCapacity(literalCapacity + 32 * interpolationCount)
    }

    mutating func appendLiteral(_ literal: String) { bytes.append(contentsOf: literal.utf8) }

    mutating func appendInterpolation(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }
  }

  let bytes: [UInt8]

  init(stringLiteral value: String) { bytes = Array(value.utf8) }

  init(stringInterpolation: StringInterpolation) { bytes = stringInterpolation.bytes }
}
