/// Reads the numbers and texts that archives are made of.
///
/// What pg_dump never writes is refused, also where pg_restore would take it: minus zero, a text with
/// a zero byte. So whatever is accepted is written back as the same bytes.
struct PrimitiveReader<Input: ByteInput> {
  /// No statement that a server accepts is longer; PostgreSQL's limit of an allocation.
  static var maximumTextLength: Int64 { 0x3fff_ffff }

  var input: Input
  /// Bytes of a number's magnitude.
  var integerSize: UInt8 = 4
  /// Bytes of an offset.
  var offsetSize: UInt8 = 8

  init(_ input: Input) { self.input = input }

  mutating func byte(_ what: String) throws(ArchiveError) -> UInt8 {
    let position = input.position
    guard let byte = try input.next() else { throw .cut(at: position, expected: what) }
    return byte
  }

  /// A sign byte and a magnitude, least significant byte first.
  mutating func integer(_ what: String) throws(ArchiveError) -> Int32 {
    let position = input.position
    let sign = try byte(what)
    var magnitude: UInt64 = 0
    for index in 0..<UInt64(integerSize) {
      magnitude |= UInt64(try byte(what)) << (8 * index)
    }
    switch sign {
    case 0:
      guard let value = Int32(exactly: magnitude) else { break }
      return value
    case 1:
      guard magnitude > 0, magnitude <= 1 << 31 else { break }
      return Int32(truncatingIfNeeded: -Int64(magnitude))
    default: break
    }
    throw .damaged(at: position, expected: what, found: "sign byte \(sign) and magnitude \(magnitude)")
  }

  /// A number within bounds.
  mutating func integer(_ what: String, in range: ClosedRange<Int32>) throws(ArchiveError) -> Int32 {
    let position = input.position
    let value = try integer(what)
    guard range.contains(value) else { throw .damaged(at: position, expected: what, found: "\(value)") }
    return value
  }

  /// A text, or nil for NULL.
  ///
  /// - Parameter what: what a damaged length is reported as.
  mutating func optionalText(_ what: String) throws(ArchiveError) -> [UInt8]? {
    let position = input.position
    let length = Int64(try integer(what))
    if length == -1 { return nil }
    guard length >= 0, length <= Self.maximumTextLength, UInt64(length) <= input.remaining else {
      throw .damaged(at: position, expected: what, found: "a text of length \(length)")
    }
    guard let bytes = try input.next(Int(length)) else { throw .cut(at: input.position, expected: what) }
    guard !bytes.contains(0) else {
      throw .damaged(at: position, expected: what, found: "a text with a zero byte")
    }
    return bytes
  }

  mutating func text(_ what: String) throws(ArchiveError) -> [UInt8] {
    let position = input.position
    guard let text = try optionalText(what) else {
      throw .damaged(at: position, expected: what, found: "NULL")
    }
    return text
  }

  /// Magnitude only, least significant byte first.
  mutating func offset(_ what: String) throws(ArchiveError) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<UInt64(offsetSize) {
      value |= UInt64(try byte(what)) << (8 * index)
    }
    return value
  }
}

extension ArchiveError {
  static func damaged(at position: UInt64, expected: String, found: String) -> ArchiveError {
    ArchiveError(
      .damaged, "the archive is damaged at byte \(position)",
      detail: "Expected \(expected), found \(found).")
  }

  static func cut(at position: UInt64, expected: String) -> ArchiveError {
    damaged(at: position, expected: expected, found: "the end")
  }
}
