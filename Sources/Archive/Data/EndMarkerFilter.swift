#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Takes the end marker off COPY text that comes in blocks.
///
/// The server stops at the first line `\.` and ignores what follows; so anything but newlines after it
/// is an error here, and so is its absence.
public struct EndMarkerFilter: Sendable {
  /// What pg_dump writes after the rows of a table.
  public static let marker = Array("\\.\n\n\n".utf8)

  /// Bytes of the marker's line seen so far, of those that are not handed on yet: 0 to 2.
  private var held = 0
  private var isAtLineStart = true
  private var isPastMarker = false

  /// Lines handed on.
  public private(set) var rows: Int64 = 0
  /// Bytes handed on.
  public private(set) var bytes: Int64 = 0

  public init() {}

  /// Hands on what of `block` comes before the marker.
  ///
  /// - Parameter output: gets rows in parts, valid during its call.
  /// - Throws: what `output` throws, and ``ArchiveError`` when something follows the marker.
  public mutating func take(
    _ block: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var rest = block[...]
    while !rest.isEmpty, !isPastMarker, isAtLineStart || held > 0 {
      try takeLineStart(&rest, output)
    }
    if isPastMarker { return try checkPastMarker(rest) }
    if rest.isEmpty { return }
    let end = Self.markerStart(rest) ?? Self.withoutOpenMarker(rest)
    try handOn(UnsafeRawBufferPointer(rebasing: rest[..<end]), output)
    rest = rest[end...]
    while !rest.isEmpty, !isPastMarker { try takeLineStart(&rest, output) }
    if isPastMarker { try checkPastMarker(rest) }
  }

  /// Says that no more bytes come.
  ///
  /// - Throws: ``ArchiveError`` when the marker did not come.
  public func finish() throws(ArchiveError) {
    guard isPastMarker else {
      throw ArchiveError(.damaged, "the data ends without the end marker")
    }
  }

  /// Looks at the first bytes of a line one by one, as long as they may be the marker.
  private mutating func takeLineStart(
    _ rest: inout Slice<UnsafeRawBufferPointer>, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let line = Self.line
    guard let byte = rest.first else { return }
    if byte == line[held] {
      rest = rest.dropFirst()
      isAtLineStart = false
      held += 1
      if held == line.count { isPastMarker = true }
      return
    }
    let count = held
    held = 0
    isAtLineStart = false
    if count > 0 {
      try line.withUnsafeBytes { try handOn(UnsafeRawBufferPointer(rebasing: $0[..<count]), output) }
    }
    if byte == UInt8(ascii: "\n") {
      try handOn(UnsafeRawBufferPointer(rebasing: rest.prefix(1)), output)
      rest = rest.dropFirst()
    }
  }

  private mutating func handOn(
    _ bytes: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard let last = bytes.last else { return }
    isAtLineStart = last == UInt8(ascii: "\n")
    rows += Int64(lineCount(bytes))
    self.bytes += Int64(bytes.count)
    try output(bytes)
  }

  private func checkPastMarker(_ rest: Slice<UnsafeRawBufferPointer>) throws(ArchiveError) {
    guard rest.allSatisfy({ $0 == UInt8(ascii: "\n") }) else {
      throw ArchiveError(
        .damaged, "something follows the end marker",
        detail: "The server would ignore it, so rows would be missing.")
    }
  }

  private static let line = Array("\\.\n".utf8)
  private static let lineAfterNewline = Array("\n\\.\n".utf8)

  /// Where the marker begins that stands in `bytes` after a newline.
  private static func markerStart(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
    let whole = UnsafeRawBufferPointer(rebasing: bytes)
    guard let start = whole.baseAddress else { return nil }
    var index = 0
    while let found = memchr(start + index, 0x0a, whole.count - index) {
      index = UnsafeRawPointer(found) - start + 1
      if index + 2 >= whole.count { return nil }
      if whole[index] == line[0], whole[index + 1] == line[1], whole[index + 2] == line[2] {
        return bytes.startIndex + index
      }
    }
    return nil
  }

  /// The end of `bytes`, or where a marker begins there that may go on in the next block.
  private static func withoutOpenMarker(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
    for length in [3, 2] where bytes.suffix(length).elementsEqual(lineAfterNewline.prefix(length)) {
      return bytes.endIndex - length + 1
    }
    return bytes.endIndex
  }
}

/// The number of newlines, which in COPY text is the number of rows that end.
func lineCount(_ bytes: UnsafeRawBufferPointer) -> Int {
  let (ones, low): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x7f7f_7f7f_7f7f_7f7f)
  let newlines = ones &* UInt64(UInt8(ascii: "\n"))
  let wholeWords = bytes.count & ~7
  var count = 0
  var offset = 0
  while offset < wholeWords {
    // Eight bytes at a time, each counted in a byte of its own; so no more than fit into a byte.
    let end = min(offset + 8 * Int(UInt8.max), wholeWords)
    var sums: UInt64 = 0
    while offset < end {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ newlines
      // The highest bit of a byte stays clear only where the byte is zero.
      let others = ((word & low) &+ low) | word
      sums &+= (~others >> 7) & ones
      offset += 8
    }
    let pairs = (sums & 0x00ff_00ff_00ff_00ff) &+ ((sums >> 8) & 0x00ff_00ff_00ff_00ff)
    count += Int((pairs &* 0x0001_0001_0001_0001) >> 48)
  }
  for byte in bytes[wholeWords...] where byte == UInt8(ascii: "\n") { count += 1 }
  return count
}
