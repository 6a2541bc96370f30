import Archive
import Compression
import Digests
import Postgres
import SystemPackage

/// An archive in pg_dump's directory format, opened for restoring: one of our own backups, or another's.
public final class RestoreSource: Sendable {
  /// The backup's id, or the name of the archive.
  public let name: String
  public let path: FilePath
  public let toc: TableOfContents
  /// nil for an archive that is not one of our backups.
  public let manifest: BackupManifest?
  /// Of data files in bytes, by dump id.
  public let dataSizes: [Int32: Int64]
  private let archive: ArchiveDirectory
  private let directory: HeldDirectory
  /// Keeps the backup from being removed meanwhile.
  private let held: HeldBackup?

  /// Opens a backup or an archive by its path; reads its table of contents and its manifest.
  ///
  /// - Throws: ``BackupError`` for what is no archive, is damaged or being written.
  public init(opening path: FilePath) throws(BackupError) {
    self.path = path
    let isBackup: Bool
    do {
      archive = try ArchiveDirectory(opening: path.string)
      isBackup = try archive.contains(ManifestFile.name)
    } catch {
      throw Self.unusable(error)
    }
    if isBackup {
      let held = try HeldBackup.open(path)
      self.held = held
      directory = held.directory
      manifest = try ManifestFile.read(in: directory).manifest
      name = manifest?.id ?? held.id
    } else {
      held = nil
      directory = try HeldDirectory(opening: path)
      manifest = nil
      name = path.lastComponent?.string ?? path.string
    }
    do {
      toc = try archive.contents()
      dataSizes = try Self.sizes(of: toc, in: archive)
    } catch {
      throw Self.unusable(error)
    }
  }

  private static func unusable(_ error: ArchiveError) -> BackupError {
    BackupError(
      .failed, error.message,
      detail: [error.detail, "Nothing was restored."].compactMap { $0 }.joined(separator: " "),
      hint: error.hint)
  }

  /// Opens every data file once, so that a missing one is found before anything is made.
  private static func sizes(
    of toc: TableOfContents, in archive: ArchiveDirectory
  ) throws(ArchiveError) -> [Int32: Int64] {
    var sizes: [Int32: Int64] = [:]
    for entry in toc.entries where entry.hasData {
      if entry.isLargeObjectData {
        var size: Int64 = 0
        for oid in try archive.largeObjects(of: entry, version: toc.header.version) {
          size += try archive.dataFile(ArchiveDirectory.largeObjectFile(oid)).file.size
        }
        sizes[entry.dumpID] = size
      } else {
        sizes[entry.dumpID] = try archive.dataFile(of: entry).file.size
      }
    }
    return sizes
  }

  /// Compares every file with the manifest; does nothing for an archive without one.
  ///
  /// Sizes, SHA-256 of every file, and names; what is in them is compared as it is loaded.
  /// - Throws: ``BackupError`` that names what differs.
  public func verify(
    jobs: Int, report: @escaping @Sendable (VerificationProgress) -> Void
  ) async throws {
    guard let held else { return }
    let result = try await BackupVerification(held, jobs: jobs, report: report).run()
    guard !result.isWhole else { return }
    let shown = result.findings.prefix(10).map { "\"\($0.path)\": \($0.problem)." }
    let rest = result.findings.count - shown.count
    throw BackupError(
      .failed, "the backup \"\(name)\" is damaged",
      detail: (shown + (rest > 0 ? ["\(rest) more."] : []) + ["No server was touched."]).joined(
        separator: "\n"),
      hint: "restore another backup: \"tsdb backup list\" shows which there are")
  }
}

extension RestoreSource {
  /// Reads one part of a table's rows; blocks its thread.
  ///
  /// - Parameter body: gets rows in parts of at most 256 KiB, cut anywhere. They are proven right only
  ///   when this method has returned.
  /// - Returns: how many rows there were.
  func readRows(
    of table: RestorePlan.Table, part: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Int64 {
    let reader = DataFileReader(directory: directory.descriptor)
    if let manifest = table.manifest, !manifest.pieces.isEmpty {
      let piece = manifest.pieces[part]
      try reader.readPiece(
        piece, of: manifest.file, isCompressed: manifest.file.hasSuffix(DataFileSuffix.gzip.rawValue), body)
      return piece.rows
    }
    guard case .file(let name) = toc.entries[table.entry].place else {
      throw ArchiveError(.unsupported, "the archive is not in directory format")
    }
    let found = try reader.find(String(decoding: name, as: UTF8.self))
    return try reader.readStream(found.name, format: found.format, endMarker: .required, body).rows
  }

  /// The oids of an entry's large objects.
  func largeObjects(of entry: ArchiveEntry) throws(ArchiveError) -> [UInt32] {
    try archive.largeObjects(of: entry, version: toc.header.version)
  }

  /// Reads the bytes of one large object; blocks its thread.
  func readLargeObject(_ oid: UInt32, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let reader = DataFileReader(directory: directory.descriptor)
    let found = try reader.find(String(decoding: ArchiveDirectory.largeObjectFile(oid), as: UTF8.self))
    _ = try reader.readStream(found.name, format: found.format, endMarker: .none, body)
  }
}
