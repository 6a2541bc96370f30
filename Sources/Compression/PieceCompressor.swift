/// What a finished piece is.
public struct CompressedPiece: Sendable, Equatable {
  /// CRC-32 of the bytes before compression.
  public let crc: UInt32
  /// Before compression.
  public let bytes: Int64
  /// After compression.
  public let length: Int64
}

/// Turns bytes into pieces of raw deflate data.
///
/// A piece ends byte-aligned in a full flush: it decodes alone, and pieces joined are one deflate
/// stream that lacks only its last block. One compressor makes any number of pieces, one after the
/// other, in fixed memory of about 800 KiB. Not for use by several threads at a time.
public final class PieceCompressor {
  public let compression: DataCompression

  /// Bytes wait here until there is a block of them: a row is too little for a call of the library.
  private let staged: UnsafeMutableRawBufferPointer
  private var stagedCount = 0
  private let engine: any DeflateEngine
  private var crc: UInt32 = 0
  private var bytes: Int64 = 0
  private var length: Int64 = 0

  /// Blocks of 64 KiB to 4 MiB compress equally fast and to the same size.
  private static let blockSize = 256 << 10

  /// - Throws: ``CompressionError`` of kind `unsupported` for a level that does not exist or a library
  ///   that is not built in.
  public init(_ compression: DataCompression) throws(CompressionError) {
    engine = try Self.engine(compression)
    self.compression = compression
    staged = .allocate(byteCount: Self.blockSize, alignment: 64)
  }

  deinit { staged.deallocate() }

  private static func engine(_ compression: DataCompression) throws(CompressionError) -> any DeflateEngine {
    switch compression {
    case .none: return CopyEngine()
    case .gzip(let level): return try ZlibDeflate(level: level)
    case .isal(let level):
      #if canImport(CISAL)
        return try ISALDeflate(level: level)
      #else
        throw CompressionError(.unsupported, "ISA-L is not available on this platform")
      #endif
    }
  }

  /// The compressed bytes of this piece that were handed out so far.
  public var writtenLength: Int64 { length }

  /// Adds bytes to the piece.
  ///
  /// - Parameter sink: gets compressed bytes, valid during its call. After it has thrown, the piece
  ///   is lost: call ``reset()``.
  /// - Throws: what `sink` throws, and ``CompressionError`` when the library fails.
  @inline(__always)
  public func append(
    _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if input.count <= staged.count - stagedCount {
      stage(input)
    } else {
      try appendBlocks(input, sink)
    }
  }

  /// Ends the piece and makes ready for the next. A piece without bytes is empty.
  public func finishPiece(_ sink: (UnsafeRawBufferPointer) throws -> Void) throws -> CompressedPiece {
    if bytes > 0 || stagedCount > 0 {
      try compress(UnsafeRawBufferPointer(staged)[..<stagedCount], endsPiece: true, sink)
    }
    let piece = CompressedPiece(crc: crc, bytes: bytes, length: length)
    reset()
    return piece
  }

  /// Forgets the piece that was begun.
  public func reset() {
    engine.reset()
    stagedCount = 0
    crc = 0
    bytes = 0
    length = 0
  }

  private func stage(_ input: UnsafeRawBufferPointer) {
    guard let source = input.baseAddress, let target = staged.baseAddress else { return }
    (target + stagedCount).copyMemory(from: source, byteCount: input.count)
    stagedCount += input.count
  }

  private func appendBlocks(
    _ input: UnsafeRawBufferPointer, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var rest = input[...]
    if stagedCount > 0 {
      let room = staged.count - stagedCount
      stage(UnsafeRawBufferPointer(rebasing: rest.prefix(room)))
      rest = rest.dropFirst(room)
      try compress(UnsafeRawBufferPointer(staged)[...], endsPiece: false, sink)
      stagedCount = 0
    }
    while rest.count >= staged.count {
      try compress(rest.prefix(staged.count), endsPiece: false, sink)
      rest = rest.dropFirst(staged.count)
    }
    stage(UnsafeRawBufferPointer(rebasing: rest))
  }

  private func compress(
    _ block: Slice<UnsafeRawBufferPointer>, endsPiece: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let block = UnsafeRawBufferPointer(rebasing: block)
    crc = CRC32.checksum(crc, block)
    bytes += Int64(block.count)
    try engine.compress(block, endsPiece: endsPiece) { output in
      length += Int64(output.count)
      try sink(output)
    }
  }
}

/// A library that makes raw deflate data of blocks.
protocol DeflateEngine: AnyObject {
  /// Compresses one block; with `endsPiece`, what was kept back too, and a full flush.
  func compress(
    _ block: UnsafeRawBufferPointer, endsPiece: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws
  /// Makes ready for a piece that knows nothing of those before.
  func reset()
}

/// No compression: a piece is its bytes.
final class CopyEngine: DeflateEngine {
  func compress(
    _ block: UnsafeRawBufferPointer, endsPiece: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if !block.isEmpty { try sink(block) }
  }

  func reset() {}
}
