import Compression
import Foundation
import TestSupport
import Testing

/// Streams that real programs made.
struct StreamDecoderTests {
  private static let text = Array(
    (0..<30_000).map { "\($0)\tconsulta \($0 % 7)\t\(($0 * 7919) % 10_007)\n" }.joined().utf8)

  enum Maker: String, CaseIterable {
    case gzip = "gzip -c"
    case gzipNamed = "gzip -c -N in"
    case gzipHeader = "python3 -c 'HEADER'"
    case zlib = "python3 -c 'import sys,zlib;sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'"
    case lz4 = "lz4 -c -BD --content-size"
    case zstd = "zstd -c -3"

    var format: StreamFormat {
      switch self {
      case .gzip, .gzipNamed, .gzipHeader: .gzip
      case .zlib: .zlib
      case .lz4: .lz4
      case .zstd: .zstd
      }
    }

    /// A header with every optional part, with its checksum.
    var command: String {
      rawValue.replacingOccurrences(
        of: "HEADER",
        with: """
          import sys,zlib,gzip
          d=sys.stdin.buffer.read()
          h=bytes([31,139,8,31])+b"abcd"+bytes([0,3])+b"\\x05\\x00extra"+b"name\\x00"+b"comment\\x00"
          h+=(zlib.crc32(h)&65535).to_bytes(2,"little")
          sys.stdout.buffer.write(h+gzip.compress(d)[10:])
          """)
    }
  }

  private func make(_ maker: Maker, _ bytes: [UInt8] = text) async throws -> [UInt8] {
    let directory = try TemporaryDirectory()
    try directory.write("in", bytes: bytes)
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let home = ProcessInfo.processInfo.environment["HOME"] ?? "/"
    let result = try await ToolRun(
      executable: "sh", ["-c", "cd '\(directory.path)' && \(maker.command) < in > out"],
      environment: ["PATH": path, "HOME": home]
    ).finish()
    try #require(result.exitStatus == 0, "\(result)")
    return Array(try Data(contentsOf: URL(fileURLWithPath: directory.path("out"))))
  }

  private func decode(
    _ bytes: [UInt8], _ format: StreamFormat, by size: Int = 1 << 20, many: Bool = false
  ) throws -> [UInt8] {
    let decoder = try StreamDecoder(format, acceptsConcatenatedMembers: many)
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      try bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { block in
        try decoder.decode(block) {
          #expect($0.count <= StreamDecoder.outputSize)
          output += $0
        }
      }
    }
    try decoder.finish()
    return output
  }

  private func errorKind(_ bytes: [UInt8], _ format: StreamFormat, many: Bool = false) -> CompressionError
    .Kind?
  {
    do {
      _ = try decode(bytes, format, many: many)
      return nil
    } catch {
      return (error as? CompressionError)?.kind
    }
  }

  @Test(arguments: Maker.allCases)
  func `streams decode whatever the size of the blocks`(_ maker: Maker) async throws {
    let stream = try await make(maker)
    for size in [1, 2, 3, 7, 997, 65_536, stream.count] {
      #expect(try decode(stream, maker.format, by: size) == Self.text, "blocks of \(size)")
    }
  }

  @Test(arguments: Maker.allCases)
  func `an empty stream decodes to nothing, and no stream is incomplete`(_ maker: Maker) async throws {
    #expect(try decode(try await make(maker, []), maker.format).isEmpty)
    #expect(errorKind([], maker.format) == .incomplete)
  }

  @Test(arguments: Maker.allCases)
  func `a stream cut anywhere is incomplete`(_ maker: Maker) async throws {
    let stream = try await make(maker, Array(Self.text.prefix(2000)))
    for length in 0..<stream.count {
      #expect(errorKind(Array(stream[..<length]), maker.format) == .incomplete, "\(length) bytes")
    }
  }

  @Test(arguments: Maker.allCases)
  func `what follows a stream is an error, unless it is a member and members are accepted`(
    _ maker: Maker
  ) async throws {
    let stream = try await make(maker, Array(Self.text.prefix(2000)))
    for garbage in [[0], [10], Array("garbage of some length".utf8), Array(repeating: 0, count: 512), stream]
    {
      #expect(errorKind(stream + garbage, maker.format) == .trailingGarbage)
    }
    guard maker.format != .zlib else { return }
    let twice = Array([Self.text.prefix(2000), Self.text.prefix(2000)].joined())
    #expect(try decode(stream + stream, maker.format, many: true) == twice)
    for garbage in [[0], Array("garbage of some length".utf8), Array(repeating: 0, count: 512)] {
      #expect(errorKind(stream + garbage, maker.format, many: true) != nil)
    }
    #expect(errorKind(stream + stream.dropLast(), maker.format, many: true) == .incomplete)
  }

  @Test(arguments: [Maker.gzip, .zlib])
  func `a changed bit in the checksum or the length is found`(_ maker: Maker) async throws {
    let stream = try await make(maker, Array(Self.text.prefix(500)))
    for bit in 0..<(maker == .gzip ? 64 : 32) {
      var changed = stream
      changed[stream.count - 1 - bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(errorKind(changed, maker.format) == .damaged)
    }
  }

  @Test func `a gzip header is checked with its own checksum`() async throws {
    let stream = try await make(.gzipHeader, Array(Self.text.prefix(500)))
    // Magic, method, flags, three texts, checksum: 10 + 7 + 5 + 8 + 2 bytes.
    for bit in 0..<(32 * 8) {
      var changed = stream
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(errorKind(changed, .gzip) != nil, "bit \(bit)")
    }
  }
}
