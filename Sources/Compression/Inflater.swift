import CZlib

#if canImport(CISAL)
  import CISAL
#endif

/// A library that decodes raw deflate data.
protocol Inflater: AnyObject {
  /// Decodes `input`, all of it unless the last block ends before.
  ///
  /// - Returns: nil while the data goes on; after the last block, what of the input was not of it.
  func inflate(
    _ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> DeflateRest?
  /// Whether what came so far ends with a whole block, at a byte's end; also true before the first.
  var isAtBlockEnd: Bool { get }
  func reset()
}

/// What follows deflate data's last block.
struct DeflateRest {
  /// Bytes that the library had taken in already, the first one lowest.
  var bits: UInt64 = 0
  var bitsCount = 0
  /// Bytes of the input that it took; the rest follows ``bits``.
  var consumed: Int
}

#if canImport(CISAL)
  /// Raw inflate by ISA-L.
  final class ISALInflater: Inflater {
    private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: StreamDecoder.outputSize, alignment: 64)

    init() { isal_inflate_init(state) }

    deinit {
      state.deallocate()
      buffer.deallocate()
    }

    func inflate(
      _ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> DeflateRest? {
      // The library does not write to its input.
      state.pointee.next_in = UnsafeMutablePointer(
        mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
      state.pointee.avail_in = UInt32(input.count)
      repeat {
        state.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        state.pointee.avail_out = UInt32(buffer.count)
        let status = isal_inflate(state)
        guard status >= 0 else {
          throw CompressionError(.damaged, "the compressed data is damaged")
        }
        let count = buffer.count - Int(state.pointee.avail_out)
        if count > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        if state.pointee.block_state == ISAL_BLOCK_FINISH {
          return rest(of: input.count)
        }
      } while state.pointee.avail_out == 0 || state.pointee.avail_in > 0
      return nil
    }

    private func rest(of count: Int) -> DeflateRest {
      let bits = max(0, Int(state.pointee.read_in_length))
      return DeflateRest(
        bits: state.pointee.read_in >> UInt64(bits % 8), bitsCount: bits / 8,
        consumed: count - Int(state.pointee.avail_in))
    }

    var isAtBlockEnd: Bool {
      let block = state.pointee.block_state
      return (block == ISAL_BLOCK_NEW_HDR || block == ISAL_BLOCK_HDR)
        && state.pointee.read_in_length == 0 && state.pointee.tmp_in_size == 0
    }

    func reset() { isal_inflate_init(state) }
  }
#endif

/// Raw inflate by zlib.
final class ZlibInflater: Inflater {
  // On the heap: zlib's state points back to the structure.
  private let stream: UnsafeMutablePointer<z_stream>
  private let buffer: UnsafeMutableRawBufferPointer
  private(set) var isAtBlockEnd = true

  init() throws(CompressionError) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let status = inflateInit2_(
      stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      stream.deallocate()
      throw CompressionError(.outOfMemory, "zlib cannot start: status \(status)")
    }
    self.stream = stream
    buffer = .allocate(byteCount: StreamDecoder.outputSize, alignment: 64)
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    buffer.deallocate()
  }

  func inflate(
    _ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> DeflateRest? {
    // The library does not write to its input.
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = uInt(input.count)
    repeat {
      stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = uInt(buffer.count)
      // Z_BLOCK stops at the end of each block, where alone zlib tells that it is there.
      let status = CZlib.inflate(stream, Z_BLOCK)
      let count = buffer.count - Int(stream.pointee.avail_out)
      if count > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
      switch status {
      case Z_OK: isAtBlockEnd = stream.pointee.data_type & 0x87 == 0x80
      case Z_STREAM_END: return DeflateRest(consumed: input.count - Int(stream.pointee.avail_in))
      case Z_BUF_ERROR: return nil
      default: throw CompressionError(.damaged, "the compressed data is damaged")
      }
    } while stream.pointee.avail_out == 0 || stream.pointee.avail_in > 0
    return nil
  }

  func reset() {
    inflateReset(stream)
    isAtBlockEnd = true
  }
}
