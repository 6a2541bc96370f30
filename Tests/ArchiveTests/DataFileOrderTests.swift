import Archive
import Compression
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What happens when pieces wait for one another, and when one fails.
struct DataFileOrderTests {
  private let files: DataFiles

  init() throws { files = try DataFiles() }

  /// One row that hardly compresses, so that every block of it comes out at once: it repeats only
  /// beyond the reach of deflate.
  private static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    let period = (0..<8192).map { _ in random.next() | 0x2020_2020_2020_2020 }.withUnsafeBytes { Array($0) }
    let text = period.map { $0 == 10 || $0 == 92 ? 33 : $0 }
    return Array(Array(repeating: text, count: count / text.count).joined().dropLast()) + [10]
  }

  private static func spin(until condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
      if ContinuousClock.now > deadline { return false }
      usleep(1000)
    }
    return true
  }

  @Test func `a piece whose allowance is used up waits for its turn and then goes on`() throws {
    defer { files.close() }
    let row = Self.noise(1 << 20, seed: 1)
    let allowance = BufferAllowance(bytes: 2 << 20)
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .none, pieceCount: 2, allowance: allowance)
    let written = Atomic(0)
    let ended = DispatchSemaphore(value: 0)
    let failed = Mutex<String?>(nil)
    Thread.detachNewThread {
      do {
        let piece = writer.piece(1, try PieceCompressor(.none))
        for _ in 0..<8 {
          try piece.append(row)
          written.add(1, ordering: .relaxed)
        }
        try piece.finish()
      } catch { failed.withLock { $0 = "\(error)" } }
      ended.signal()
    }
    // Two rows fit into the allowance; the third is split at it, and the thread stands still.
    #expect(Self.spin { written.load(ordering: .relaxed) == 2 && allowance.available < 256 << 10 })
    usleep(100_000)
    #expect(written.load(ordering: .relaxed) == 2)
    #expect(writer.bytesWritten == 0)
    let first = writer.piece(0, try PieceCompressor(.none))
    try first.append(DataFiles.rows(0..<1)[0])
    try first.finish()
    #expect(ended.wait(timeout: .now() + 20) == .success)
    #expect(failed.withLock { $0 } == nil)
    let summary = try writer.finish()
    #expect(summary.pieces.map(\.rows) == [1, 8])
    #expect(allowance.available == 2 << 20)
    let expected = DataFiles.rows(0..<1)[0] + Array(repeating: row, count: 8).joined()
    #expect(try files.readStream("1.dat", .none) == expected)
  }

  @Test func `abandoning wakes the threads that wait and stops the one that writes`() throws {
    defer { files.close() }
    let row = Self.noise(1 << 20, seed: 2)
    let allowance = BufferAllowance(bytes: 1 << 20)
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .none, pieceCount: 5, allowance: allowance)
    let errors = Mutex<[ArchiveError]>([])
    let ended = DispatchSemaphore(value: 0)
    for index in 1..<4 {
      Thread.detachNewThread {
        do {
          let piece = writer.piece(index, try PieceCompressor(.none))
          for _ in 0..<8 { try piece.append(row) }
          try piece.finish()
        } catch let error as ArchiveError { errors.withLock { $0.append(error) } } catch {}
        ended.signal()
      }
    }
    #expect(Self.spin { allowance.available < 256 << 10 })
    let first = writer.piece(0, try PieceCompressor(.none))
    try first.append(row)
    let reason = ArchiveError(.system, "the connection was lost")
    writer.abandon(reason)
    writer.abandon(ArchiveError(.system, "a second reason"))
    for _ in 1..<4 { #expect(ended.wait(timeout: .now() + 20) == .success) }
    #expect(errors.withLock { $0 } == [reason, reason, reason])
    #expect(throws: reason) { try first.append(row) }
    #expect(throws: reason) { _ = try writer.finish() }
    #expect(throws: (any Error).self) { try files.readStream("1.dat", .none) }
    #expect(allowance.available == 1 << 20)
  }

  @Test func `a full disk is told apart, and the threads that wait hear of it`() async throws {
    defer { files.close() }
    let mountPoint = files.directory.path("small")
    mkdir(mountPoint, 0o700)
    let mounted = try await ToolRun(
      executable: "mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mountPoint],
      environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
    ).finish()
    // Only root may mount, and not in every container.
    guard mounted.exitStatus == 0 else { return }
    defer { umount2(mountPoint, 0) }
    let small = try FileDescriptor.open(FilePath(mountPoint), .readOnly)
    defer { try? small.close() }
    let writer = try DataFileWriter(
      directory: small, name: "1.dat", compression: .fastest, pieceCount: 2)
    let row = Self.noise(1 << 20, seed: 3)
    let second = writer.piece(1, try PieceCompressor(.fastest))
    try second.append(row)
    let first = writer.piece(0, try PieceCompressor(.fastest))
    let error = #expect(throws: ArchiveError.self) {
      for _ in 0..<4 { try first.append(row) }
      try first.finish()
    }
    #expect(error?.kind == .diskFull)
    let other = #expect(throws: ArchiveError.self) { try second.finish() }
    #expect(other == error)
  }

  @Test func `a file that lacks a piece is not finished`() throws {
    defer { files.close() }
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .fastest, pieceCount: 3)
    let compressor = try PieceCompressor(.fastest)
    for index in [0, 2] {
      let piece = writer.piece(index, compressor)
      try piece.append(DataFiles.rows(0..<1)[0])
      try piece.finish()
    }
    let error = #expect(throws: ArchiveError.self) { _ = try writer.finish() }
    #expect(error?.message == "file \"1.dat\" has 1 of 3 pieces")
  }

  @Test func `a piece that ends inside a row is refused`() throws {
    defer { files.close() }
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .fastest, pieceCount: 1)
    let piece = writer.piece(0, try PieceCompressor(.fastest))
    try piece.append(Array("1\tab".utf8), endsRow: false)
    #expect(throws: ArchiveError.self) { try piece.finish() }
  }

  @Test func `a file that exists is not written over, and a link is not followed`() throws {
    defer { files.close() }
    try files.directory.write("1.dat", "old")
    symlink(files.directory.path("elsewhere"), files.directory.path("2.dat"))
    for name in ["1.dat", "2.dat", "../3.dat", "a/b", "", ".."] {
      #expect(throws: ArchiveError.self) {
        _ = try DataFileWriter(
          directory: files.descriptor, name: name, compression: .none, pieceCount: 0)
      }
    }
    #expect(try files.directory.read("1.dat") == "old")
    #expect(!FileManager.default.fileExists(atPath: files.directory.path("elsewhere")))
  }

  @Test func `one stream is cut into pieces of rows`() throws {
    defer { files.close() }
    let rows = (0..<5).map { Self.noise(9 << 20, seed: UInt64($0)) }
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .fastest, pieceCount: nil)
    let piece = writer.piece(0, try PieceCompressor(.fastest))
    for row in rows { try piece.append(row) }
    try piece.finish()
    let summary = try writer.finish()
    // The fourth row passes 32 MiB.
    #expect(summary.pieces.map(\.rows) == [4, 1])
    #expect(try files.readPiece(summary.pieces[1], "1.dat") == rows[4])
    #expect(try files.readPiece(summary.pieces[0], "1.dat") == Array(rows[..<4].joined()))
    #expect(try files.readStream("1.dat", .gzip) == Array(rows.joined()))
    #expect(writer.bytesTaken == 5 * 9 << 20)
  }

  @Test func `a row of 300 MB passes in parts with a few MB of memory`() throws {
    defer { files.close() }
    let part = Self.noise(1 << 16, seed: 9).map { $0 == 10 ? 11 : $0 }
    let writer = try DataFileWriter(
      directory: files.descriptor, name: "1.dat", compression: .fastest, pieceCount: 1)
    let piece = writer.piece(0, try PieceCompressor(.fastest))
    let before = try residentPeak()
    let count = 300 << 4
    for _ in 0..<count { try piece.append(part, endsRow: false) }
    try piece.append([10])
    try piece.finish()
    let summary = try writer.finish()
    #expect(summary.rows == 1)
    #expect(summary.bytes == 300 << 20 + 1)
    var bytes = 0
    var largest = 0
    try DataFileReader(directory: files.descriptor).readPiece(
      summary.pieces[0], of: "1.dat", isCompressed: true
    ) { block in
      bytes += block.count
      largest = max(largest, block.count)
    }
    #expect(bytes == 300 << 20 + 1)
    #expect(largest <= 256 << 10)
    // Other tests run in this process meanwhile; a row held whole would cost three times this.
    #expect(try residentPeak() - before < 100 << 20)
  }

  /// The most memory that this process has had, in bytes; 0 where /proc does not tell.
  private func residentPeak() throws -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 * 1024 } ?? 0
  }
}
