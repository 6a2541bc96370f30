import Archive
import Compression
import Digests
import Postgres
import SystemPackage

/// An archive opened for restoring: one of our own backups, or another's in directory or custom format.
public final class RestoreSource: Sendable {
  /// The backup's id, or the name of the archive.
  public let name: String
  public let path: FilePath
  /// nil for an archive that is not one of our backups.
  public let manifest: BackupManifest?
  /// Of entries' data in bytes as stored, by dump id.
  public let dataSizes: [Int32: Int64]
  private let archive: ArchiveSource
  /// Keeps the backup from being removed meanwhile; nil for what is no backup of ours.
  private let held: HeldBackup?

  public var toc: TableOfContents { archive.contents }

  /// Opens a backup or an archive by its path; reads its table of contents and its manifest.
  ///
  /// - Throws: ``BackupError`` for what is no archive, is damaged or being written.
  public init(opening path: FilePath) throws(BackupError) {
    self.path = path
    let isBackup = try Self.isBackup(path)
    do {
      archive = try ArchiveSource(opening: path.string)
      dataSizes = try Self.sizes(of: archive)
    } catch {
      throw Self.unusable(error)
    }
    if isBackup {
      held = try HeldBackup.open(path)
    } else {
      try Self.checkIsForeign(path)
      held = nil
    }
    manifest = try held.map { held throws(BackupError) in try ManifestFile.read(in: held.directory).manifest }
    name = manifest?.id ?? path.lastComponent?.string ?? path.string
  }

  /// - Throws: ``BackupError`` for a backup that is not finished.
  private static func isBackup(_ path: FilePath) throws(BackupError) -> Bool {
    let name = path.lastComponent?.string ?? ""
    for suffix in [BackupName.partialSuffix, BackupName.deletingSuffix] where name.hasSuffix(suffix) {
      throw BackupError(
        .invalidInput, "\"\(path)\" is not a finished backup", hint: "see \"tsdb backup list\"")
    }
    // An archive in custom format is a file.
    guard let directory = try? ArchiveDirectory(opening: path.string) else { return false }
    do {
      if try directory.contains(ManifestFile.name) { return true }
    } catch {
      throw unusable(error)
    }
    return false
  }

  /// Refuses a backup that has lost its manifest: taken for the archive of another program it would be
  /// restored without a comparison.
  private static func checkIsForeign(_ path: FilePath) throws(BackupError) {
    guard let directory = try? HeldDirectory(opening: path) else { return }
    let name = path.lastComponent?.string ?? path.string
    let hasConfiguration = try directory.attributes(NameCheck.configuration)?.kind == .directory
    let hasProofs = try directory.attributes(ProofLog.fileName) != nil
    guard hasConfiguration || hasProofs || BackupName.time(of: name) != nil else { return }
    throw BackupError(
      .failed, "the backup \"\(name)\" is damaged",
      detail: "\"\(ManifestFile.name)\" is missing: nothing can be compared. No server was touched.",
      hint: "restore another backup: \"tsdb backup list\" shows which there are; "
        + "pg_restore restores what is left, unchecked")
  }

  private static func unusable(_ error: ArchiveError) -> BackupError {
    BackupError(
      .failed, error.message,
      detail: [error.detail, "Nothing was restored."].compactMap { $0 }.joined(separator: " "),
      hint: error.hint)
  }

  /// Looks for the data of every entry, so that what is missing is found before anything is made.
  private static func sizes(of archive: ArchiveSource) throws(ArchiveError) -> [Int32: Int64] {
    var sizes: [Int32: Int64] = [:]
    for entry in archive.contents.entries where entry.hasData {
      sizes[entry.dumpID] = try archive.storedSize(of: entry)
    }
    return sizes
  }

  /// Compares every file with the manifest; does nothing for an archive without one.
  ///
  /// By digests alone: the manifest was written with what these very bytes decode to, and carries its own digest. While
  /// pieces are loaded their checksums and rows are compared as well, before the new database has a name anybody uses.
  /// - Throws: ``BackupError`` that names what differs.
  public func verify(
    jobs: Int, report: @escaping @Sendable (VerificationProgress) -> Void
  ) async throws {
    guard let held else { return }
    let verification = BackupVerification(
      held, jobs: jobs, depth: .digests, report: report)
    let result = try await verification.run()
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
    guard let manifest = table.manifest, !manifest.pieces.isEmpty, let held else {
      return try archive.readData(of: toc.entries[table.entry], body).rows
    }
    let piece = manifest.pieces[part]
    try DataFileReader(directory: held.directory.descriptor).readPiece(
      piece, of: manifest.file, isCompressed: manifest.file.hasSuffix(DataFileSuffix.gzip.rawValue), body)
    return piece.rows
  }

  /// What was in the schema; nil where the backup does not say.
  func catalogList() throws -> CatalogList? {
    let path = "\(NameCheck.configuration)/\(CatalogList.fileName)"
    guard let held, let manifest, manifest.files.contains(where: { $0.path == path }) else { return nil }
    let directory = try held.directory.subdirectory(NameCheck.configuration)
    let bytes = try directory.read(CatalogList.fileName, limit: CatalogList.maximumSize)
    return CatalogList(reading: String(decoding: bytes, as: UTF8.self))
  }

  /// Reads the large objects of an entry one after another; blocks its thread.
  func readLargeObjects(of entry: ArchiveEntry, _ body: (LargeObjectReader) throws -> Void) throws {
    try archive.readLargeObjects(of: entry, body)
  }
}
