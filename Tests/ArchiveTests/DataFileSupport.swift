import Archive
import Compression
import Foundation
import SystemPackage
import TestSupport

/// A directory for one test's data files, and what is done with them over and over.
struct DataFiles {
  let directory: TemporaryDirectory
  let descriptor: FileDescriptor

  init() throws {
    directory = try TemporaryDirectory()
    descriptor = try FileDescriptor.open(FilePath(directory.path), .readOnly)
  }

  func close() { try? descriptor.close() }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: directory.path(name))))
  }

  /// Rows of `count` patients' visits; the same for the same numbers.
  static func rows(_ range: Range<Int>) -> [[UInt8]] {
    range.map { number in
      let random = (UInt64(number) &+ 1) &* 0x9E37_79B9_7F4A_7C15
      let text = "\(number)\t\(String(random, radix: 16))\tconsulta \(number % 7)\t\\N\tx\(random % 1000)\n"
      return Array(text.utf8)
    }
  }

  /// Writes `pieces` one after the other.
  @discardableResult
  func write(
    _ name: String, _ compression: DataCompression, _ pieces: [[[UInt8]]]
  ) throws -> DataFileSummary {
    let writer = try DataFileWriter(
      directory: descriptor, name: name, compression: compression, pieceCount: pieces.count)
    let compressor = try PieceCompressor(compression)
    for (index, rows) in pieces.enumerated() {
      let piece = writer.piece(index, compressor)
      for row in rows { try piece.append(row) }
      try piece.finish()
    }
    return try writer.finish()
  }

  func readPiece(_ piece: BackupManifest.Piece, _ name: String, compressed: Bool = true) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try DataFileReader(directory: descriptor).readPiece(piece, of: name, isCompressed: compressed) {
      bytes += $0
    }
    return bytes
  }

  func readStream(
    _ name: String, _ format: StreamFormat, expected: BackupManifest.File? = nil
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    _ = try DataFileReader(directory: descriptor).readStream(
      name, format: format, endMarker: .required, expected: expected
    ) { bytes += $0 }
    return bytes
  }

  /// What a program writes to standard output for the file `name`.
  func run(_ program: [String], _ name: String) async throws -> (status: Int32?, output: [UInt8]) {
    let command =
      program.joined(separator: " ") + " < '\(directory.path(name))' > '\(directory.path(name)).out'"
    let result = try await ToolRun(
      executable: "sh", ["-c", command], environment: ["PATH": "/usr/bin:/bin"]
    ).finish()
    return (result.exitStatus, try bytes(name + ".out"))
  }
}

extension PieceWriter {
  func append(_ row: [UInt8], endsRow: Bool = true) throws {
    try row.withUnsafeBytes { try append($0, endsRow: endsRow) }
  }
}
