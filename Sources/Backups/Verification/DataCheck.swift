import Archive
import Compression
import Digests
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Reads all files of a backup by several tasks: each file once for its digest, and each piece of a data file
/// once more for its rows, so that one large table keeps all of them busy.
final class DataCheck: Sendable {
  private enum Item: Sendable {
    case digest(BackupManifest.File)
    /// Indexes into the manifest.
    case piece(table: Int, piece: Int)
    /// What stands around the pieces of a table's file.
    case frame(table: Int)
  }

  private struct State {
    var next = 0
    var findings: [VerificationFinding] = []
    /// By table; nil once a piece of it was found damaged.
    var fingerprints: [Int: ContentFingerprint?] = [:]
    var done: Int64 = 0
  }

  private let manifest: BackupManifest
  private let directory: HeldDirectory
  private let items: [Item]
  private let total: Int64
  private let report: @Sendable (VerificationProgress) -> Void
  private let state = Mutex(State())

  /// - Parameter readable: the files to look at; what is wrong with the others is known.
  init(
    manifest: BackupManifest, directory: HeldDirectory, readable: Set<String>,
    depth: BackupVerification.Depth = .rows, report: @escaping @Sendable (VerificationProgress) -> Void
  ) {
    self.manifest = manifest
    self.directory = directory
    self.report = report
    let tables = Dictionary(manifest.tables.indices.map { (manifest.tables[$0].file, $0) }) { first, _ in
      first
    }
    // The largest first, so that the last one does not keep the others waiting; and a file's digest beside its
    // pieces, while it is in the cache.
    let files = manifest.files.filter { readable.contains($0.path) }.sorted { $0.size > $1.size }
    items = files.flatMap { file -> [Item] in
      guard let table = tables[file.path] else { return [.digest(file)] }
      let around: [Item] = [.digest(file), .frame(table: table)]
      guard depth == .rows else { return around }
      return around
        + manifest.tables[table].pieces.indices.map { .piece(table: table, piece: $0) }
    }
    total = files.reduce(0) { $0 + $1.size * (depth == .digests || tables[$1.path] == nil ? 1 : 2) }
  }

  func run(jobs: Int) async throws -> [VerificationFinding] {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<min(jobs, max(1, items.count)) { group.addTask { try self.work() } }
      try await group.waitForAll()
    }
    return state.withLock { $0.findings + fingerprintFindings($0.fingerprints) }
  }

  private func work() throws {
    let reader = DataFileReader(directory: directory.descriptor)
    let hasher = RowHasher()
    while let item = take() {
      try Task.checkCancellation()
      switch item {
      case .digest(let file): try checkDigest(file)
      case .piece(let table, let piece): try checkPiece(table, piece, reader, hasher)
      case .frame(let table): try checkFrame(manifest.tables[table])
      }
    }
  }

  private func take() -> Item? {
    state.withLock { state in
      guard state.next < items.count else { return nil }
      defer { state.next += 1 }
      return items[state.next]
    }
  }

  private func checkDigest(_ file: BackupManifest.File) throws {
    try finding(file.path) {
      let descriptor = try open(file.path)
      defer { try? descriptor.close() }
      var digest = SHA256Digest()
      var size: Int64 = 0
      var buffer = [UInt8](repeating: 0, count: 256 << 10)
      while case let count = try buffer.withUnsafeMutableBytes({ try descriptor.read(into: $0) }), count > 0 {
        buffer.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        size += Int64(count)
        if size & 0x3f_ffff < Int64(count) { try Task.checkCancellation() }
        advance(Int64(count))
      }
      if size != file.size { return "it has \(size) bytes instead of \(file.size)" }
      return digest.finish() == file.sha256 ? nil : "its SHA-256 differs"
    }
  }

  private func open(_ path: String) throws(BackupError) -> FileDescriptor {
    guard let slash = path.firstIndex(of: "/") else { return try directory.openFile(path) }
    return try directory.subdirectory(String(path[..<slash]))
      .openFile(String(path[path.index(after: slash)...]))
  }

  private func checkPiece(_ table: Int, _ piece: Int, _ reader: DataFileReader, _ hasher: RowHasher) throws {
    let (index, table) = (table, manifest.tables[table])
    let isCompressed = table.file.hasSuffix(DataFileSuffix.gzip.rawValue)
    hasher.reset()
    let isSound = try finding(table.file) {
      try reader.readPiece(table.pieces[piece], of: table.file, isCompressed: isCompressed) { block in
        try Task.checkCancellation()
        hasher.addRows(block)
      }
      return nil
    }
    advance(table.pieces[piece].length)
    state.withLock { state in
      guard isSound else { return state.fingerprints[index] = .some(nil) }
      switch state.fingerprints[index] {
      case .none: state.fingerprints[index] = hasher.fingerprint
      case .some(.none): break
      case .some(.some(var sum)):
        sum.add(hasher.fingerprint)
        state.fingerprints[index] = sum
      }
    }
  }

  /// The header before the first piece, and the end marker, checksum and length after the last.
  private func checkFrame(_ table: BackupManifest.Table) throws {
    try finding(table.file) {
      let file = try directory.openFile(table.file)
      defer { try? file.close() }
      return try FrameCheck(table: table).difference(in: file)
    }
  }

  private func fingerprintFindings(_ sums: [Int: ContentFingerprint?]) -> [VerificationFinding] {
    sums.compactMap { index, sum in
      guard let sum, sum.description != manifest.tables[index].fingerprint else { return nil }
      return VerificationFinding(
        path: manifest.tables[index].file, problem: "the fingerprint of its rows differs from the manifest's")
    }
  }

  /// Adds what `body` returns or throws as a finding; returns whether there was none.
  @discardableResult
  private func finding(_ path: String, _ body: () throws -> String?) throws -> Bool {
    let problem: String?
    do {
      problem = try body()
    } catch let error as CancellationError {
      throw error
    } catch let error as ArchiveError {
      problem = [error.message, error.detail].compactMap { $0 }.joined(separator: ". ")
    } catch let error as BackupError {
      problem = error.message
    } catch {
      problem = "it cannot be read: \(error)"
    }
    guard let problem else { return true }
    state.withLock { $0.findings.append(VerificationFinding(path: path, problem: problem)) }
    return false
  }

  private func advance(_ bytes: Int64) {
    let done = state.withLock { state in
      state.done += bytes
      return state.done
    }
    report(VerificationProgress(done: done, total: total))
  }
}

extension RowHasher {
  /// Adds the lines of a block, of which the last may go on in the next.
  fileprivate func addRows(_ block: UnsafeRawBufferPointer) {
    guard let start = block.baseAddress else { return }
    var offset = 0
    while offset < block.count {
      guard let newline = memchr(start + offset, Int32(UInt8(ascii: "\n")), block.count - offset) else {
        return add(UnsafeRawBufferPointer(rebasing: block[offset...]), endsRow: false)
      }
      let end = UnsafeRawPointer(newline) - start + 1
      add(UnsafeRawBufferPointer(rebasing: block[offset..<end]), endsRow: true)
      offset = end
    }
  }
}
