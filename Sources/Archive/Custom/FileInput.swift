/// The bytes of an open file from some place on, read in blocks.
struct FileInput: ByteInput {
  private let file: ArchiveFile
  private let buffer: Buffer
  /// The unread part of the buffer.
  private var unread = 0..<0
  /// In the file, of the first byte after the buffer's.
  private var blockEnd: Int64

  /// Bytes of a block, and the most that one call of ``forEachBlock(count:_:)``'s closure gets.
  static let blockSize = 64 << 10

  private final class Buffer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: FileInput.blockSize, alignment: 64)
    deinit { bytes.deallocate() }
  }

  /// - Parameter offset: at most the file's size.
  init(_ file: ArchiveFile, from offset: Int64) {
    self.file = file
    buffer = Buffer()
    blockEnd = min(offset, file.size)
  }

  var position: UInt64 { UInt64(blockEnd) - UInt64(unread.count) }
  var remaining: UInt64 { UInt64(max(0, file.size - blockEnd)) + UInt64(unread.count) }

  mutating func next() throws(ArchiveError) -> UInt8? {
    if unread.isEmpty { try fill() }
    guard let index = unread.first else { return nil }
    unread.removeFirst()
    return buffer.bytes[index]
  }

  mutating func next(_ count: Int) throws(ArchiveError) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, Self.blockSize))
    while bytes.count < count {
      if unread.isEmpty { try fill() }
      guard !unread.isEmpty else { return nil }
      let part = unread.prefix(count - bytes.count)
      bytes.append(contentsOf: buffer.bytes[part])
      unread = part.upperBound..<unread.upperBound
      if buffer.bytes[part].contains(0) { break }
    }
    return bytes
  }

  /// Hands on the next `count` bytes in blocks, valid during the call.
  ///
  /// - Returns: whether all of them were there.
  mutating func forEachBlock(
    count: Int64, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Bool {
    var rest = count
    while rest > 0 {
      if unread.isEmpty { try fill() }
      guard !unread.isEmpty else { return false }
      let part = unread.prefix(Int(min(rest, Int64(Self.blockSize))))
      unread = part.upperBound..<unread.upperBound
      rest -= Int64(part.count)
      try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[part]))
    }
    return true
  }

  /// Passes over `count` bytes, which are at most ``remaining``.
  mutating func skip(_ count: Int64) {
    let part = unread.prefix(Int(min(count, Int64(Self.blockSize))))
    unread = part.upperBound..<unread.upperBound
    blockEnd += count - Int64(part.count)
  }

  private mutating func fill() throws(ArchiveError) {
    let count = try file.read(at: blockEnd, into: buffer.bytes)
    unread = 0..<count
    blockEnd += Int64(count)
  }
}
