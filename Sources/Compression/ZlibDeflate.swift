import CZlib

/// Raw deflate by zlib.
final class ZlibDeflate: DeflateEngine {
  // On the heap: zlib's state points back to the structure.
  private let stream: UnsafeMutablePointer<z_stream>
  private let output: UnsafeMutableRawBufferPointer

  init(level: Int) throws(CompressionError) {
    guard (1...9).contains(level) else {
      throw CompressionError(.unsupported, "gzip has no compression level \(level)")
    }
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let status = deflateInit2_(
      stream, Int32(level), Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      stream.deallocate()
      throw CompressionError(.outOfMemory, "zlib cannot start: status \(status)")
    }
    self.stream = stream
    output = .allocate(byteCount: 256 << 10, alignment: 64)
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
    output.deallocate()
  }

  func compress(
    _ block: UnsafeRawBufferPointer, endsPiece: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    // The library does not write to its input.
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: block.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = uInt(block.count)
    repeat {
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = uInt(output.count)
      let status = deflate(stream, endsPiece ? Z_FULL_FLUSH : Z_NO_FLUSH)
      guard status == Z_OK || status == Z_BUF_ERROR else {
        throw CompressionError(.damaged, "zlib cannot compress: status \(status)")
      }
      let count = output.count - Int(stream.pointee.avail_out)
      if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
    } while stream.pointee.avail_out == 0
  }

  func reset() { deflateReset(stream) }
}
