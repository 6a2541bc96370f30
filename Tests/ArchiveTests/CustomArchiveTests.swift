import Archive
import Foundation
import TestSupport
import Testing

/// Archives in custom format that are cut or changed. The archives are those that fuzzing starts with.
struct CustomArchiveTests {
  static let names = [
    "small0_15", "small15", "small16", "small17", "small18", "smallpipe_18", "smalllz4_17", "smallzstd_17",
  ]

  private static func archive(_ name: String) throws -> [UInt8] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try PgDump.bytes(tests.appendingPathComponent("Fuzz/Corpus/custom/\(name).c").path)
  }

  private static func readAll(_ path: String) throws -> [UInt8] {
    let source = try ArchiveSource(opening: path)
    var bytes: [UInt8] = []
    for entry in source.contents.entries where entry.hasData {
      if entry.kind == "BLOBS" {
        try source.readLargeObjects(of: entry) { object in try object.read { bytes += $0 } }
      } else {
        try source.readData(of: entry) { bytes += $0 }
      }
    }
    return bytes
  }

  @Test(arguments: names) func `every cut is noticed`(name: String) throws {
    let files = try TemporaryDirectory()
    let bytes = try Self.archive(name)
    let path = try files.write("a", bytes: bytes)
    #expect(try Self.readAll(path) == Array("1\tone\n2\t\\N\nblob".utf8))
    // Every place in the data, a sample of the table of contents.
    for count in (0..<bytes.count).reversed() where count > bytes.count - 120 || count % 9 == 0 {
      truncate(path, off_t(count))
      #expect(throws: ArchiveError.self, "cut to \(count)") { try Self.readAll(path) }
    }
  }

  @Test(arguments: names) func `no changed bit does more than an error or another text`(name: String) throws {
    let files = try TemporaryDirectory()
    var bytes = try Self.archive(name)
    let path = files.path("a")
    var noticed = 0
    // The last bytes hold the data; of the table of contents a sample.
    let bits =
      (0..<(bytes.count - 120) * 8).filter { $0 % 53 == 0 } + ((bytes.count - 120) * 8..<bytes.count * 8)
    for bit in bits {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      try files.write("a", bytes: bytes)
      do {
        _ = try Self.readAll(path)
      } catch is ArchiveError {
        noticed += 1
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(noticed > bits.count / 10)
  }

  /// The file takes no room, and reading it none either.
  @Test func `a text of a gigabyte of zeros is refused at its first block`() throws {
    let files = try TemporaryDirectory()
    let bytes = try Self.archive("small15")
    // The database's name stands behind seven numbers.
    let place = try #require(bytes.lastRange(of: [5, 0, 0, 0] + Array("small".utf8)))
    let path = try files.write("a", bytes: Array(bytes.prefix(place)) + [255, 255, 255, 63])
    truncate(path, 1 << 40)
    let error = #expect(throws: ArchiveError.self) { try ArchiveSource(opening: path) }
    #expect(error?.detail?.contains("a text with a zero byte") == true)
  }

  /// An archive whose entry says that its data is somewhere else.
  @Test func `an offset outside the data is refused`() throws {
    let files = try TemporaryDirectory()
    let bytes = try Self.archive("small15")
    let data = try #require(bytes.lastRange(of: [1, 0, 0x13, 0x0d, 0, 0]))
    let stored: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: data >> (8 * $0)) }
    let place = try #require(bytes.lastRange(of: [2] + stored))
    for offset: [UInt8] in [
      [0], [255, 255, 255, 255, 255, 255, 255, 127], [255, 255, 255, 255, 255, 255, 255, 255], [5, 0],
    ] {
      var changed = bytes
      changed.replaceSubrange(place + 1..<place + 1 + offset.count, with: offset)
      try files.write("a", bytes: changed)
      let error = #expect(throws: ArchiveError.self) { try Self.readAll(files.path("a")) }
      #expect(error?.kind == .damaged)
    }
  }
}

extension [UInt8] {
  /// Where `other` begins for the last time.
  fileprivate func lastRange(of other: [UInt8]) -> Int? {
    (0...count - other.count).last { self[$0..<$0 + other.count].elementsEqual(other) }
  }
}
