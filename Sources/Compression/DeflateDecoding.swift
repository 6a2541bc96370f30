import CZlib

/// Deflate data with or without what stands around it.
final class DeflateDecoding: DecodingEngine {
  enum Container {
    case raw
    case zlib
    case gzip
  }

  private enum Position {
    case header
    case body
    case trailer
    case end
  }

  private let container: Container
  private let inflater: any Inflater
  private let acceptsMore: Bool

  private var position = Position.header
  private var gzipHeader = GzipHeader()
  /// Bytes of a zlib header, or of a trailer.
  private var collected: [UInt8] = []
  /// CRC-32 or Adler-32 of the decoded bytes.
  private var checksum: UInt32 = 0
  private var length: UInt64 = 0

  init(_ container: Container, inflater: any Inflater, acceptsMore: Bool) {
    self.container = container
    self.inflater = inflater
    self.acceptsMore = acceptsMore
    begin()
  }

  func reset() {
    inflater.reset()
    begin()
  }

  private func begin() {
    position = container == .raw ? .body : .header
    gzipHeader = GzipHeader()
    collected = []
    checksum = container == .zlib ? 1 : 0
    length = 0
  }

  func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void) throws {
    var rest = input[...]
    while let byte = rest.first {
      if position == .body {
        let taken = try decodeBody(UnsafeRawBufferPointer(rebasing: rest), output)
        rest = rest.dropFirst(taken)
      } else {
        try step(byte)
        rest = rest.dropFirst()
      }
    }
  }

  func finish() throws(CompressionError) {
    let isComplete =
      switch position {
      case .header: false
      case .body: container == .raw && inflater.isAtBlockEnd
      case .trailer: false
      case .end: true
      }
    guard isComplete else {
      throw CompressionError(.incomplete, "the \(name) data ends early")
    }
  }

  private var name: String {
    switch container {
    case .raw: "deflate"
    case .zlib: "zlib"
    case .gzip: "gzip"
    }
  }

  /// Decodes until the input or the deflate data ends; returns how much of the input that took.
  private func decodeBody(
    _ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int {
    let rest = try inflater.inflate(input) { block in
      switch container {
      case .raw: break
      case .gzip: checksum = CRC32.checksum(checksum, block)
      case .zlib:
        checksum = UInt32(
          truncatingIfNeeded: adler32_z(
            uLong(checksum), block.baseAddress?.assumingMemoryBound(to: UInt8.self), block.count))
      }
      length &+= UInt64(block.count)
      try output(block)
    }
    guard let rest else { return input.count }
    position = container == .raw ? .end : .trailer
    for index in 0..<rest.bitsCount {
      try step(UInt8(truncatingIfNeeded: rest.bits >> UInt64(8 * index)))
    }
    return rest.consumed
  }

  /// Takes one byte outside the deflate data.
  private func step(_ byte: UInt8) throws(CompressionError) {
    switch position {
    case .header: try stepHeader(byte)
    case .trailer: try stepTrailer(byte)
    case .body: break
    case .end:
      guard acceptsMore, byte == GzipHeader.firstByte else {
        throw CompressionError(.trailingGarbage, "trailing garbage after the \(name) data")
      }
      reset()
      try stepHeader(byte)
    }
  }

  private func stepHeader(_ byte: UInt8) throws(CompressionError) {
    if container == .gzip {
      if try gzipHeader.take(byte) { position = .body }
      return
    }
    collected.append(byte)
    guard collected.count == 2 else { return }
    let (method, flags) = (UInt16(collected[0]), UInt16(collected[1]))
    guard method & 0x0f == 8, method >> 4 <= 7, (method << 8 | flags) % 31 == 0 else {
      throw CompressionError(.damaged, "this is not zlib data")
    }
    guard flags & 0x20 == 0 else {
      throw CompressionError(.unsupported, "the zlib data needs a preset dictionary")
    }
    collected = []
    position = .body
  }

  private func stepTrailer(_ byte: UInt8) throws(CompressionError) {
    collected.append(byte)
    guard collected.count == (container == .gzip ? 8 : 4) else { return }
    let expected =
      container == .gzip
      ? GzipFrame.trailer(crc: checksum, length: Int64(bitPattern: length))
      : GzipFrame.trailer(crc: checksum.byteSwapped, length: 0).dropLast(4)
    guard collected == Array(expected) else {
      throw CompressionError(.damaged, "the \(name) data is damaged: its checksum or length differs")
    }
    collected = []
    position = .end
  }
}

/// The header of a gzip member, taken byte by byte.
struct GzipHeader {
  static let firstByte: UInt8 = 0x1f

  /// In the order of the header.
  private enum Part: Int {
    case fixed
    case extraLength
    case extra
    case name
    case comment
    case checksum

    /// The bit that says that the part is there.
    var flag: UInt8 {
      switch self {
      case .fixed: 0
      case .extraLength, .extra: 4
      case .name: 8
      case .comment: 16
      case .checksum: 2
      }
    }
  }

  private var part = Part.fixed
  private var flags: UInt8 = 0
  private var index = 0
  private var extraLength = 0
  private var checksum: UInt32 = 0
  private var expected: UInt32 = 0

  /// - Returns: whether the header is complete with this byte.
  mutating func take(_ byte: UInt8) throws(CompressionError) -> Bool {
    if part != .checksum {
      checksum = withUnsafeBytes(of: byte) { CRC32.checksum(checksum, $0) }
    }
    switch part {
    case .fixed:
      try takeFixed(byte)
      guard index == 10 else { return false }
      return enter(.extraLength)
    case .extraLength:
      extraLength |= Int(byte) << (8 * index)
      index += 1
      guard index == 2 else { return false }
      if extraLength == 0 { return enter(.name) }
      part = .extra
      index = 0
      return false
    case .extra:
      index += 1
      return index == extraLength ? enter(.name) : false
    case .name: return byte == 0 ? enter(.comment) : false
    case .comment: return byte == 0 ? enter(.checksum) : false
    case .checksum:
      expected |= UInt32(byte) << (8 * UInt32(index))
      index += 1
      guard index == 2 else { return false }
      guard expected == checksum & 0xffff else {
        throw CompressionError(.damaged, "the gzip header is damaged: its checksum differs")
      }
      return true
    }
  }

  private mutating func takeFixed(_ byte: UInt8) throws(CompressionError) {
    let isGood =
      switch index {
      case 0: byte == Self.firstByte
      case 1: byte == 0x8b
      case 2: byte == 8
      case 3: byte & 0xe0 == 0
      default: true
      }
    guard isGood else { throw CompressionError(.damaged, "this is not gzip data") }
    if index == 3 { flags = byte }
    index += 1
  }

  /// Goes to `next`, or past it when the flags say that it is not there; returns whether nothing is
  /// left.
  private mutating func enter(_ next: Part) -> Bool {
    index = 0
    for candidate in [Part.extraLength, .name, .comment, .checksum]
    where candidate.rawValue >= next.rawValue && flags & candidate.flag != 0 {
      part = candidate
      return false
    }
    return true
  }
}
