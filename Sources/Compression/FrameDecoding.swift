import CLZ4
import CZstd

/// LZ4 frames.
final class LZ4Decoding: DecodingEngine {
  private let context: OpaquePointer
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: StreamDecoder.outputSize, alignment: 64)
  private let acceptsMore: Bool
  private var isAtEnd = false

  init(acceptsMore: Bool) throws(CompressionError) {
    var context: OpaquePointer?
    let status = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
    guard LZ4F_isError(status) == 0, let context else {
      throw CompressionError(.outOfMemory, "lz4 cannot start")
    }
    self.context = context
    self.acceptsMore = acceptsMore
  }

  deinit {
    LZ4F_freeDecompressionContext(context)
    buffer.deallocate()
  }

  func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void) throws {
    var rest = input[...]
    var isOutputFull = false
    while !rest.isEmpty || isOutputFull {
      if isAtEnd {
        guard acceptsMore else {
          throw CompressionError(.trailingGarbage, "trailing garbage after the lz4 data")
        }
        isAtEnd = false
      }
      var produced = buffer.count
      var consumed = rest.count
      let source = UnsafeRawBufferPointer(rebasing: rest)
      let status = LZ4F_decompress(
        context, buffer.baseAddress, &produced, source.baseAddress, &consumed, nil)
      guard LZ4F_isError(status) == 0 else {
        throw CompressionError(
          .damaged, "the lz4 data is damaged: \(String(cString: LZ4F_getErrorName(status)))")
      }
      rest = rest.dropFirst(consumed)
      isAtEnd = status == 0
      isOutputFull = produced == buffer.count && !isAtEnd
      if produced > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<produced])) }
    }
  }

  func finish() throws(CompressionError) {
    guard isAtEnd else { throw CompressionError(.incomplete, "the lz4 data ends early") }
  }

  func reset() {
    LZ4F_resetDecompressionContext(context)
    isAtEnd = false
  }
}

/// Zstandard frames, with windows of at most 128 MiB, as the zstd command takes them by default.
final class ZstdDecoding: DecodingEngine {
  private let stream: OpaquePointer
  private let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: StreamDecoder.outputSize, alignment: 64)
  private let acceptsMore: Bool
  private var isAtEnd = false

  init(acceptsMore: Bool) throws(CompressionError) {
    guard let stream = ZSTD_createDStream() else {
      throw CompressionError(.outOfMemory, "zstd cannot start")
    }
    self.stream = stream
    self.acceptsMore = acceptsMore
  }

  deinit {
    ZSTD_freeDStream(stream)
    buffer.deallocate()
  }

  func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void) throws {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var isOutputFull = false
    while source.pos < source.size || isOutputFull {
      if isAtEnd {
        guard acceptsMore else {
          throw CompressionError(.trailingGarbage, "trailing garbage after the zstd data")
        }
        isAtEnd = false
      }
      var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      let status = ZSTD_decompressStream(stream, &target, &source)
      guard ZSTD_isError(status) == 0 else {
        throw CompressionError(
          .damaged, "the zstd data is damaged: \(String(cString: ZSTD_getErrorName(status)))")
      }
      isAtEnd = status == 0
      isOutputFull = target.pos == target.size && !isAtEnd
      if target.pos > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<target.pos])) }
    }
  }

  func finish() throws(CompressionError) {
    guard isAtEnd else { throw CompressionError(.incomplete, "the zstd data ends early") }
  }

  func reset() {
    ZSTD_DCtx_reset(stream, ZSTD_reset_session_only)
    isAtEnd = false
  }
}
