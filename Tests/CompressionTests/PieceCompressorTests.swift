import Compression
import Foundation
import TestSupport
import Testing

struct PieceCompressorTests {
  static let compressions: [DataCompression] =
    (0...3).map { .isal(level: $0) } + [1, 6, 9].map { .gzip(level: $0) }

  private func compress(
    _ parts: [[UInt8]], with compressor: PieceCompressor
  ) throws -> (bytes: [UInt8], piece: CompressedPiece) {
    var output: [UInt8] = []
    for part in parts {
      try part.withUnsafeBytes { part in
        try compressor.append(part) { output += $0 }
      }
    }
    let piece = try compressor.finishPiece { output += $0 }
    return (output, piece)
  }

  private func decode(_ bytes: [UInt8]) throws -> [UInt8] {
    let decoder = try StreamDecoder(.rawDeflate)
    var output: [UInt8] = []
    try bytes.withUnsafeBytes { try decoder.decode($0) { output += $0 } }
    try decoder.finish()
    return output
  }

  /// Parts below, at and above the size of the blocks inside; text and what does not compress.
  private static func parts(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { number in
      let length = [1, 150, 4000, 262_143, 262_144, 262_145, 700_000][Int.random(in: 0..<7, using: &random)]
      let words = number % 3 == 0 ? 0..<UInt64.max : 0..<(1 << 20)
      let tile = (0..<6000).map { _ in UInt64.random(in: words, using: &random) }
      return Array(tile.withUnsafeBytes { Array(repeating: Array($0), count: 15) }.joined().prefix(length))
    }
  }

  @Test(arguments: compressions)
  func `a piece decodes alone and says what it holds`(_ compression: DataCompression) throws {
    let compressor = try PieceCompressor(compression)
    var pieces: [(bytes: [UInt8], text: [UInt8])] = []
    for seed in 0..<3 {
      let parts = Self.parts(6, seed: UInt64(seed))
      let (bytes, piece) = try compress(parts, with: compressor)
      let text = Array(parts.joined())
      #expect(piece.bytes == text.count)
      #expect(piece.length == bytes.count)
      #expect(piece.crc == CRC32.checksum(text))
      pieces.append((bytes, text))
    }
    for piece in pieces.reversed() { #expect(try decode(piece.bytes) == piece.text) }
    // Joined they are one stream, and the same bytes give the same piece again.
    #expect(try decode(Array(pieces.map(\.bytes).joined())) == Array(pieces.map(\.text).joined()))
    #expect(try compress(Self.parts(6, seed: 0), with: compressor).bytes == pieces[0].bytes)
    // A piece without its last byte does not pass.
    #expect(throws: CompressionError.self) { try decode(pieces[0].bytes.dropLast()) }
  }

  @Test(arguments: compressions + [.none])
  func `a piece without bytes is empty`(_ compression: DataCompression) throws {
    let (bytes, piece) = try compress([], with: PieceCompressor(compression))
    #expect(bytes.isEmpty)
    #expect((piece.crc, piece.bytes, piece.length) == (0, 0, 0))
  }

  @Test func `checksums of parts combine to that of the whole`() {
    let (first, second) = (Array("abc".utf8), Array(repeating: UInt8(7), count: 100_001))
    let combined = CRC32.combine(
      CRC32.checksum(first), CRC32.checksum(second), secondLength: Int64(second.count))
    #expect(combined == CRC32.checksum(first + second))
    #expect(CRC32.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
  }

  @Test(arguments: [
    ("none", DataCompression.none), ("isal", .isal(level: 2)), ("isal:0", .isal(level: 0)),
    ("isal:3", .isal(level: 3)), ("gzip", .gzip(level: 6)), ("gzip:1", .gzip(level: 1)),
    ("gzip:9", .gzip(level: 9)),
  ])
  func `arguments are read`(_ text: String, _ expected: DataCompression) {
    let compression = DataCompression(argument: text)
    #expect(compression == expected)
    #expect(compression.flatMap { DataCompression(argument: $0.description) } == expected)
  }

  @Test(arguments: [
    "", "None", "none:", "none:0", "isal:", "isal:4", "isal:-1", "isal:+1", "isal:2:1", "gzip:0", "gzip:10",
    "gzip: 6", "zstd", "lz4",
  ])
  func `other arguments are refused`(_ text: String) {
    #expect(DataCompression(argument: text) == nil)
  }
}
