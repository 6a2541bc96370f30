#if canImport(CISAL)
  import CISAL

  /// Raw deflate by ISA-L's stateful interface.
  final class ISALDeflate: DeflateEngine {
    private let stream: UnsafeMutablePointer<isal_zstream>
    private let levelBuffer: UnsafeMutablePointer<UInt8>
    private let output: UnsafeMutableRawBufferPointer
    private var sinceReset = 0

    private static let outputSize = 256 << 10
    /// ISA-L counts positions in 32 bits. A history forgotten once a gigabyte costs nothing.
    private static let resetInterval = 1 << 30

    init(level: Int) throws(CompressionError) {
      guard (0...3).contains(level) else {
        throw CompressionError(.unsupported, "ISA-L has no compression level \(level)")
      }
      let size = Self.levelBufferSize(level)
      // The structure's hash table is to begin on a cache line.
      let memory = UnsafeMutableRawPointer.allocate(
        byteCount: MemoryLayout<isal_zstream>.size, alignment: 64)
      stream = memory.bindMemory(to: isal_zstream.self, capacity: 1)
      levelBuffer = .allocate(capacity: max(size, 1))
      output = .allocate(byteCount: Self.outputSize, alignment: 64)
      isal_deflate_init(stream)
      stream.pointee.level = UInt32(level)
      stream.pointee.level_buf = levelBuffer
      stream.pointee.level_buf_size = UInt32(size)
    }

    deinit {
      UnsafeMutableRawPointer(stream).deallocate()
      levelBuffer.deallocate()
      output.deallocate()
    }

    /// The sizes that igzip_lib.h calls default, which are macros of macros that do not get through
    /// to Swift: 4 KiB, the hash table (for level 3 another 16 KiB) and 64 Ki tokens of four bytes.
    private static func levelBufferSize(_ level: Int) -> Int {
      let kibi = 1024
      let tokens = 4 * 64 * kibi
      return switch level {
      case 0: 0
      case 1: 4 * kibi + 2 * 8 * kibi + tokens
      case 2: 4 * kibi + 2 * 32 * kibi + tokens
      default: 4 * kibi + 16 * kibi + 2 * 32 * kibi + tokens
      }
    }

    func compress(
      _ block: UnsafeRawBufferPointer, endsPiece: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
      sinceReset += block.count
      let forgets = sinceReset >= Self.resetInterval
      // The library does not write to its input.
      stream.pointee.next_in = UnsafeMutablePointer(
        mutating: block.baseAddress?.assumingMemoryBound(to: UInt8.self))
      stream.pointee.avail_in = UInt32(block.count)
      stream.pointee.flush = UInt16(endsPiece || forgets ? FULL_FLUSH : NO_FLUSH)
      repeat {
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let status = isal_deflate(stream)
        guard status == COMP_OK else {
          throw CompressionError(.damaged, "ISA-L cannot compress: status \(status)")
        }
        let count = output.count - Int(stream.pointee.avail_out)
        if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<count])) }
      } while stream.pointee.avail_out == 0
      if forgets { reset() }
    }

    func reset() {
      isal_deflate_reset(stream)
      sinceReset = 0
    }
  }
#endif
