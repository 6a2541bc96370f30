/// A kind of compressed bytes.
public enum StreamFormat: Sendable, Equatable {
  /// Not compressed.
  case none
  /// Deflate data with nothing around it (RFC 1951), which may end at any byte-aligned end of a block.
  case rawDeflate
  /// RFC 1950; what `pg_dump -Fc` writes.
  case zlib
  /// RFC 1952.
  case gzip
  /// LZ4's frame format.
  case lz4
  case zstd
}

/// Decodes compressed bytes as they come, in fixed memory, and takes nothing for granted: a stream that
/// ends early, something after its end, and a checksum that differs are errors.
///
/// After an error the decoder is of no more use. Not for use by several threads at a time.
public final class StreamDecoder {
  /// The most bytes that one call of an output closure gets.
  public static let outputSize = 256 << 10

  private let engine: any DecodingEngine

  /// - Parameter acceptsConcatenatedMembers: whether another gzip member or another frame may follow
  ///   the first, as in files put together by others. Anything else that follows is an error.
  /// - Throws: ``CompressionError`` of kind `outOfMemory`.
  public init(_ format: StreamFormat, acceptsConcatenatedMembers: Bool = false) throws(CompressionError) {
    switch format {
    case .none: engine = CopyDecoding()
    case .rawDeflate:
      engine = DeflateDecoding(.raw, inflater: try Self.inflater(), acceptsMore: false)
    case .zlib: engine = DeflateDecoding(.zlib, inflater: try Self.inflater(), acceptsMore: false)
    case .gzip:
      engine = DeflateDecoding(
        .gzip, inflater: try Self.inflater(), acceptsMore: acceptsConcatenatedMembers)
    case .lz4: engine = try LZ4Decoding(acceptsMore: acceptsConcatenatedMembers)
    case .zstd: engine = try ZstdDecoding(acceptsMore: acceptsConcatenatedMembers)
    }
  }

  /// Decodes the next bytes of the stream.
  ///
  /// - Parameter output: gets decoded bytes, at most ``outputSize`` at a time, valid during its call.
  /// - Throws: what `output` throws, and ``CompressionError``.
  public func decode(
    _ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if !input.isEmpty { try engine.decode(input, output) }
  }

  /// Says that no more bytes come.
  ///
  /// - Throws: ``CompressionError`` of kind `incomplete` unless the stream is at its end.
  public func finish() throws(CompressionError) { try engine.finish() }

  /// Makes ready for another stream of the same format.
  public func reset() { engine.reset() }

  private static func inflater() throws(CompressionError) -> any Inflater {
    #if canImport(CISAL)
      // Twice as fast as zlib. It lets some incomplete Huffman codes pass that zlib refuses; what it
      // then decodes to is checked by the checksums, as everything is.
      ISALInflater()
    #else
      try ZlibInflater()
    #endif
  }
}

/// A decoder of one format.
protocol DecodingEngine: AnyObject {
  func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void) throws
  func finish() throws(CompressionError)
  func reset()
}

/// Bytes that are not compressed.
final class CopyDecoding: DecodingEngine {
  func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void) throws {
    var rest = input[...]
    while !rest.isEmpty {
      try output(UnsafeRawBufferPointer(rebasing: rest.prefix(StreamDecoder.outputSize)))
      rest = rest.dropFirst(StreamDecoder.outputSize)
    }
  }

  func finish() throws(CompressionError) {}

  func reset() {}
}
