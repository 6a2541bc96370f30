import Archive
import Compression
import Digests
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

struct DataFileWriterTests {
  private static let compressions: [DataCompression] = [
    .none, .isal(level: 0), .isal(level: 1), .isal(level: 2), .isal(level: 3), .gzip(level: 1),
    .gzip(level: 6), .gzip(level: 9),
  ]
  private static let marker = Array("\\.\n\n\n".utf8)

  private let files: DataFiles

  init() throws { files = try DataFiles() }

  @Test(arguments: compressions)
  func `gzip and our own reader find the rows, with the end marker once`(_ compression: DataCompression)
    async throws
  {
    defer { files.close() }
    let pieces = [
      DataFiles.rows(0..<20_000), [], DataFiles.rows(20_000..<20_001), DataFiles.rows(20_001..<50_000),
    ]
    let rows = Array(pieces.joined().joined())
    let summary = try files.write("1.dat", compression, pieces)
    let program = compression == .none ? ["cat"] : ["gzip", "-dc"]
    let (status, output) = try await files.run(program, "1.dat")
    #expect(status == 0)
    #expect(output == rows + Self.marker)
    let whole = try files.bytes("1.dat")
    #expect(summary.size == whole.count)
    #expect(summary.sha256 == SHA256Digest.digest(of: whole))
    #expect(summary.bytes == rows.count)
    #expect(summary.rows == 50_000)
    #expect(summary.pieces.map(\.rows) == [20_000, 1, 29_999])
    let file = BackupManifest.File(path: "1.dat", size: summary.size, sha256: summary.sha256)
    #expect(try files.readStream("1.dat", compression == .none ? .none : .gzip, expected: file) == rows)
    // Each piece alone, the last first.
    let hasher = RowHasher()
    for (piece, expected) in zip(summary.pieces, [pieces[0], pieces[2], pieces[3]]).reversed() {
      #expect(
        try files.readPiece(piece, "1.dat", compressed: compression != .none) == Array(expected.joined()))
      for row in expected { row.withUnsafeBytes { hasher.add($0, endsRow: true) } }
    }
    #expect(hasher.fingerprint == summary.fingerprint)
  }

  @Test(arguments: compressions)
  func `an empty table has the end marker and no pieces`(_ compression: DataCompression) async throws {
    defer { files.close() }
    for (name, count) in [("none", 0), ("one", 1)] {
      let summary = try files.write(name, compression, Array(repeating: [], count: count))
      #expect(summary.pieces.isEmpty)
      #expect(summary.rows == 0)
      let (status, output) = try await files.run(compression == .none ? ["cat"] : ["zcat"], name)
      #expect(status == 0)
      #expect(output == Self.marker)
    }
  }

  @Test func `pieces that threads finish in any order make the file that one thread makes`() throws {
    defer { files.close() }
    let pieces = (0..<60).map { DataFiles.rows($0 * 1000..<($0 * 1000 + 200 + $0 * 37 % 900)) }
    let serial = try files.write("serial", .isal(level: 2), pieces)
    for round in 0..<4 {
      let parallel = try files.writeInParallel(
        "parallel\(round)", .isal(level: 2), pieces, threads: 5,
        allowance: BufferAllowance(bytes: round % 2 == 0 ? 10 << 20 : 20 << 10))
      #expect(parallel == serial)
      #expect(try files.bytes("parallel\(round)") == files.bytes("serial"))
    }
  }
}

extension DataFiles {
  /// Threads take pieces in order and dawdle in between, so that later pieces are often ready first.
  func writeInParallel(
    _ name: String, _ compression: DataCompression, _ pieces: [[[UInt8]]], threads: Int,
    allowance: BufferAllowance
  ) throws -> DataFileSummary {
    let writer = try DataFileWriter(
      directory: descriptor, name: name, compression: compression, pieceCount: pieces.count,
      allowance: allowance)
    let next = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
      do {
        let compressor = try PieceCompressor(compression)
        while true {
          let index = next.add(1, ordering: .relaxed).oldValue
          if index >= pieces.count { return }
          let piece = writer.piece(index, compressor)
          usleep(UInt32((index * 7919) % 4000))
          for row in pieces[index] { try piece.append(row) }
          try piece.finish()
        }
      } catch {
        writer.abandon((error as? ArchiveError) ?? ArchiveError(.system, "\(error)"))
      }
    }
    return try writer.finish()
  }
}
