import Digests

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension RowHasher {
  /// Adds the lines of a block, of which the last may go on in the next.
  func addLines(_ block: UnsafeRawBufferPointer) {
    guard let start = block.baseAddress else { return }
    var offset = 0
    while offset < block.count {
      guard let newline = memchr(start + offset, Int32(UInt8(ascii: "\n")), block.count - offset) else {
        return add(UnsafeRawBufferPointer(rebasing: block[offset...]), endsRow: false)
      }
      let end = UnsafeRawPointer(newline) - start + 1
      add(UnsafeRawBufferPointer(rebasing: block[offset..<end]), endsRow: true)
      offset = end
    }
  }
}
