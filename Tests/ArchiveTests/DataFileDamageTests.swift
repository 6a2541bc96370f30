import Archive
import Compression
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Files that are not what they were.
struct DataFileDamageTests {
  private let files: DataFiles
  private let reader: DataFileReader

  init() throws {
    files = try DataFiles()
    reader = DataFileReader(directory: files.descriptor)
  }

  private func overwrite(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: files.directory.path(name)))
  }

  private func streamError(_ name: String, _ format: StreamFormat, expected: BackupManifest.File? = nil)
    -> ArchiveError?
  {
    do {
      _ = try reader.readStream(name, format: format, endMarker: .required, expected: expected) { _ in }
      return nil
    } catch let error as ArchiveError {
      return error
    } catch {
      Issue.record(error)
      return nil
    }
  }

  @Test(arguments: [DataCompression.isal(level: 2), .gzip(level: 6), .none])
  func `every changed bit is found`(_ compression: DataCompression) throws {
    defer { files.close() }
    let pieces = [DataFiles.rows(0..<400), DataFiles.rows(400..<700)]
    let summary = try files.write("1.dat", compression, pieces)
    let rows = Array(pieces.joined().joined())
    let whole = try files.bytes("1.dat")
    let file = BackupManifest.File(path: "1.dat", size: summary.size, sha256: summary.sha256)
    let format: StreamFormat = compression == .none ? .none : .gzip
    let count = min(whole.count * 8, 2000)
    var isSilent = 0
    for sample in 0..<count {
      let bit = sample * (whole.count * 8 / count)
      let index = bit / 8
      var changed = whole
      changed[index] ^= 1 << UInt8(bit % 8)
      try overwrite("1.dat", changed)
      #expect(streamError("1.dat", format, expected: file)?.kind == .damaged, "bit \(bit)")
      // Without the manifest's digest: found, or the rows are right all the same.
      if compression != .none {
        if let found = try? files.readStream("1.dat", .gzip) {
          #expect(found == rows, "bit \(bit)")
          isSilent += 1
        }
      }
      let piece = summary.pieces.firstIndex { $0.offset <= index && index < $0.offset + $0.length }
      if let piece {
        if let found = try? files.readPiece(summary.pieces[piece], "1.dat", compressed: compression != .none)
        {
          #expect(compression != .none && found == Array(pieces[piece].joined()), "bit \(bit)")
        }
      }
    }
    #expect(count >= 2000)
    // The time and the system in the header, and the filling bits before a stored block.
    #expect(isSilent < 60)
  }

  @Test(arguments: [DataCompression.isal(level: 2), .gzip(level: 6), .none])
  func `a file cut anywhere is found`(_ compression: DataCompression) throws {
    defer { files.close() }
    let summary = try files.write("1.dat", compression, [DataFiles.rows(0..<40), DataFiles.rows(40..<60)])
    let whole = try files.bytes("1.dat")
    let format: StreamFormat = compression == .none ? .none : .gzip
    // Of a plain file the last two newlines say nothing.
    for length in 0..<(whole.count - (compression == .none ? 2 : 0)) {
      try overwrite("1.dat", Array(whole[..<length]))
      #expect(streamError("1.dat", format)?.kind == .damaged, "\(length) bytes")
      for piece in summary.pieces where piece.offset + piece.length > length {
        #expect(throws: ArchiveError.self, "\(length) bytes") {
          try files.readPiece(piece, "1.dat", compressed: compression != .none)
        }
      }
    }
    try overwrite("1.dat", whole)
    #expect(streamError("1.dat", format) == nil)
  }

  @Test func `an index that differs from the file is found`() throws {
    defer { files.close() }
    for (name, compression) in [("1.dat", DataCompression.fastest), ("2.dat", .none)] {
      let summary = try files.write(name, compression, [DataFiles.rows(0..<500), DataFiles.rows(500..<900)])
      let good = summary.pieces[0]
      let wrong: [(inout BackupManifest.Piece) -> Void] = [
        { $0.crc ^= 1 }, { $0.rows += 1 }, { $0.rows -= 1 }, { $0.bytes += 1 }, { $0.bytes -= 1 },
        { $0.length -= 1 }, { $0.length += 1 }, { $0.offset += 1 }, { $0.offset -= 1 },
        { $0.offset = summary.pieces[1].offset }, { $0.length = summary.size }, { $0.length = .max },
        { $0.offset = -1 }, { $0.length = -1 }, { $0.length = 0 }, { $0.offset = .max },
      ]
      for (number, change) in wrong.enumerated() {
        var piece = good
        change(&piece)
        #expect(throws: ArchiveError.self, "change \(number) of \(name)") {
          try files.readPiece(piece, name, compressed: compression != .none)
        }
      }
      #expect(try files.readPiece(good, name, compressed: compression != .none).count == good.bytes)
    }
  }

  @Test(arguments: [
    ("", "the data ends without the end marker"), ("1\n2\n", "the data ends without the end marker"),
    ("1\n\\.", "the data ends without the end marker"), ("1\n2\\.\n", "the data ends without the end marker"),
    ("1\n\\.\n2\n\\.\n", "something follows the end marker"),
    ("\\.\n\n\nx", "something follows the end marker"),
    ("1\n\\.\n\\.\n", "something follows the end marker"),
  ])
  func `the end marker stands once, at the end`(_ text: String, _ message: String) throws {
    defer { files.close() }
    try files.directory.write("1.dat", text)
    let error = streamError("1.dat", .none)
    #expect(error?.kind == .damaged)
    #expect([error?.message, error?.detail].contains { $0?.contains(message) == true })
  }

  @Test func `the end marker is found wherever blocks divide it`() throws {
    let rows = "1\ta\n\\\n.\n\\.\\.\nx\\.\n\n2\tb\n"
    let text = Array((rows + "\\.\n\n\n").utf8)
    for size in 1...text.count {
      var filter = EndMarkerFilter()
      var output: [UInt8] = []
      for start in stride(from: 0, to: text.count, by: size) {
        try text[start..<min(start + size, text.count)].withUnsafeBytes { block in
          try filter.take(block) { output += $0 }
        }
      }
      try filter.finish()
      #expect(String(decoding: output, as: UTF8.self) == rows, "blocks of \(size)")
      #expect(filter.rows == rows.utf8.count { $0 == 10 })
      #expect(filter.bytes == rows.utf8.count)
    }
  }

  @Test func `what is not a regular file inside the archive is not read`() throws {
    defer { files.close() }
    try files.directory.write("real", "1\n\\.\n")
    symlink(files.directory.path("real"), files.directory.path("link"))
    mkfifo(files.directory.path("pipe"), 0o600)
    mkdir(files.directory.path("directory"), 0o700)
    for name in ["link", "pipe", "directory", "../real", "absent", "", "/etc/passwd"] {
      #expect(streamError(name, .none) != nil, "\(name)")
    }
    #expect(streamError("real", .none) == nil)
  }

  @Test func `a file of another's archive is found under its suffix, the plain name first`() throws {
    defer { files.close() }
    try files.directory.write("1.dat.gz", "")
    try files.directory.write("2.dat.gz", "")
    try files.directory.write("2.dat", "")
    try files.directory.write("3.dat.lz4", "")
    try files.directory.write("4.dat.zst", "")
    #expect(try reader.find("1.dat") == ("1.dat.gz", .gzip))
    #expect(try reader.find("2.dat") == ("2.dat", .none))
    #expect(try reader.find("3.dat") == ("3.dat.lz4", .lz4))
    #expect(try reader.find("4.dat") == ("4.dat.zst", .zstd))
    #expect(throws: ArchiveError.self) { _ = try reader.find("5.dat") }
  }
}
