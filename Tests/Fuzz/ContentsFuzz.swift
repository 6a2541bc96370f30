/// A table of contents that is accepted is written back as the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzContents(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: count))
  if let contents = try? TableOfContents(reading: bytes) {
    precondition(contents.bytes() == bytes)
    if let cycle = contents.dependencyCycle() { precondition(!cycle.isEmpty) }
  }
  return 0
}
