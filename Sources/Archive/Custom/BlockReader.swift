import Compression

/// Reads the blocks of an archive in custom format: a kind, a dump id, and chunks, each a length and
/// that many bytes, up to one of length 0.
struct BlockReader {
  enum Kind: UInt8 {
    case data = 1
    /// For each large object its oid and chunks; then the oid 0.
    case largeObjects = 3
  }

  private var reader: PrimitiveReader<FileInput>

  init(_ file: ArchiveFile, from offset: Int64, header: ArchiveHeader) {
    reader = PrimitiveReader(FileInput(file, from: offset))
    reader.integerSize = header.integerSize
    reader.offsetSize = header.offsetSize
  }

  var position: UInt64 { reader.input.position }
  var isAtEnd: Bool { reader.input.remaining == 0 }

  mutating func header() throws(ArchiveError) -> (kind: Kind, dumpID: Int32) {
    let position = position
    let byte = try reader.byte("a block of data")
    guard let kind = Kind(rawValue: byte) else {
      throw .damaged(at: position, expected: "a block of data, 1 or 3", found: "\(byte)")
    }
    return (kind, try reader.integer("a dump id above 0", in: 1...Int32.max))
  }

  /// The oid of the next large object of the block; nil at the block's end.
  mutating func largeObject() throws(ArchiveError) -> UInt32? {
    // Written as a signed number.
    let oid = UInt32(bitPattern: try reader.integer("the oid of a large object"))
    return oid == 0 ? nil : oid
  }

  mutating func skipChunks() throws(ArchiveError) {
    while let length = try chunk() { reader.input.skip(length) }
  }

  /// Decodes all chunks as one stream.
  mutating func decodeChunks(
    _ decoder: StreamDecoder, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    do {
      while let length = try chunk() {
        let isComplete = try reader.input.forEachBlock(count: length) { try decoder.decode($0, body) }
        guard isComplete else { throw ArchiveError.cut(at: position, expected: "data") }
      }
      try decoder.finish()
    } catch let error as CompressionError {
      throw ArchiveError(
        .damaged, "the archive is damaged before byte \(position)", detail: "Reason: \(error.message).")
    }
  }

  /// The length of the next chunk; nil at the end of the chunks.
  private mutating func chunk() throws(ArchiveError) -> Int64? {
    let position = position
    let length = Int64(try reader.integer("the length of a chunk", in: 0...Int32.max))
    guard length <= reader.input.remaining else {
      throw .damaged(at: position, expected: "the length of a chunk", found: "\(length)")
    }
    return length == 0 ? nil : length
  }
}
