/// Where an archive's bytes come from, one after another.
protocol ByteInput {
  /// The place of the next byte, counted from the archive's first.
  var position: UInt64 { get }
  /// How many bytes are left: the bound of every length that the archive states.
  var remaining: UInt64 { get }

  /// The next byte; nil at the end.
  mutating func next() throws(ArchiveError) -> UInt8?
  /// The next `count` bytes, which is at most ``remaining``; nil when the end comes before. They may
  /// end early with a block that has a zero byte, which no text has: a sparse file costs no memory.
  mutating func next(_ count: Int) throws(ArchiveError) -> [UInt8]?
}

/// Bytes in memory.
struct MemoryInput: ByteInput {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var position: UInt64 { UInt64(index) }
  var remaining: UInt64 { UInt64(bytes.count - index) }

  mutating func next() -> UInt8? {
    guard index < bytes.count else { return nil }
    defer { index += 1 }
    return bytes[index]
  }

  mutating func next(_ count: Int) -> [UInt8]? {
    guard count <= bytes.count - index else { return nil }
    defer { index += count }
    return Array(bytes[index..<index + count])
  }
}
