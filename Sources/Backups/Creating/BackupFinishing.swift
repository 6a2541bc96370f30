import Archive
import Digests
import SystemPackage
import Timekeeping

/// The last files of a backup: configuration, manifest, and the table of contents at the very end.
///
/// A directory with a table of contents and without its data restores as an empty database, with
/// success; so it comes last.
struct BackupFinishing {
  let work: BackupWork

  private var directory: HeldDirectory { work.partial.directory }

  func write(_ gathered: BackupWork.Gathered) throws -> BackupManifest {
    let contents = gathered.contents.bytes()
    var files = zip(gathered.plan.tables, gathered.data).map { table, data in
      BackupManifest.File(path: fileName(of: table), size: data.size, sha256: data.sha256)
    }
    let known = Set(files.map(\.path))
    // Files of large objects, which pg_dump wrote.
    for name in try directory.names() where !known.contains(name) && !name.hasPrefix(".") {
      guard try directory.attributes(name)?.kind == .regular else { continue }
      files.append(try file(name, in: directory, path: name))
    }
    let catalog = ConfigurationCopy.File(name: CatalogList.fileName, text: gathered.facts.catalog.text)
    files += try writeConfiguration(
      gathered.configuration + (work.options.isWholeDatabase ? [catalog] : []))
    files.append(
      BackupManifest.File(
        path: "toc.dat", size: Int64(contents.count), sha256: SHA256Digest.digest(of: contents)))
    files.sort { $0.path < $1.path }
    let manifest = manifest(gathered, files: files)
    try write(try manifest.bytes(), as: "manifest.json", in: directory)
    try write(contents, as: "toc.dat", in: directory)
    return manifest
  }

  private func writeConfiguration(_ copies: [ConfigurationCopy.File]) throws -> [BackupManifest.File] {
    _ = try directory.makeDirectory("config")
    let configuration = try directory.subdirectory("config")
    var contents = work.projectFiles
    for copy in copies { contents[copy.name] = Array(copy.text.utf8) }
    var files: [BackupManifest.File] = []
    for (name, bytes) in contents.sorted(by: { $0.key < $1.key }) {
      try write(bytes, as: name, in: configuration)
      files.append(
        BackupManifest.File(
          path: "config/\(name)", size: Int64(bytes.count), sha256: SHA256Digest.digest(of: bytes)))
    }
    return files
  }

  private func write(_ bytes: [UInt8], as name: String, in directory: HeldDirectory) throws {
    let file = try directory.createFile(name)
    defer { try? file.close() }
    do {
      try file.writeAll(bytes)
    } catch let error as Errno {
      throw BackupError.system("write", directory.path.appending(name), error.rawValue)
    }
  }

  private func file(
    _ name: String, in directory: HeldDirectory, path: String
  ) throws -> BackupManifest.File {
    let file = try directory.openFile(name)
    defer { try? file.close() }
    var digest = SHA256Digest()
    var size: Int64 = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    while case let count = try file.read(into: buffer), count > 0 {
      digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      size += Int64(count)
    }
    return BackupManifest.File(path: path, size: size, sha256: digest.finish())
  }
}

extension BackupFinishing {
  private func manifest(
    _ gathered: BackupWork.Gathered, files: [BackupManifest.File]
  ) -> BackupManifest {
    let options = work.options
    let version = gathered.contents.header.version
    return BackupManifest(
      tool: options.tool, id: work.partial.id, label: options.label, started: "\(work.started)",
      finished: "\(UTCTime.now)",
      scope: BackupManifest.Scope(tables: options.tables, excludedTables: options.excludedTables),
      server: gathered.facts.server,
      snapshot: BackupManifest.Snapshot(
        id: gathered.snapshot.id, lsn: gathered.snapshot.lsn, time: gathered.snapshot.time),
      migrations: gathered.facts.migrations,
      catalogFingerprint: options.isWholeDatabase ? gathered.facts.catalogFingerprint : nil,
      archive: BackupManifest.ArchiveFacts(
        version: "\(version.major).\(version.minor)", encoding: gathered.snapshot.encoding,
        compression: "\(options.compression)", dumpVersion: work.program.version),
      extensions: gathered.facts.extensions, roles: roles(gathered), tablespaces: gathered.facts.tablespaces,
      tables: tables(gathered), sequences: gathered.sequences, largeObjects: gathered.largeObjects,
      files: files)
  }

  /// Who owns something in the archive, and for a whole database who is named in a privilege.
  private func roles(_ gathered: BackupWork.Gathered) -> [String] {
    var roles = Set(
      gathered.contents.entries.compactMap { entry in
        entry.owner.flatMap { $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self) }
      })
    if work.options.isWholeDatabase { roles.formUnion(gathered.facts.roles) }
    return roles.sorted()
  }

  private func fileName(of table: DataPlan.Table) -> String {
    table.fileName(work.options.compression)
  }

  private func tables(_ gathered: BackupWork.Gathered) -> [BackupManifest.Table] {
    zip(gathered.plan.tables, gathered.data).map { table, data in
      BackupManifest.Table(
        dumpID: table.dumpID, schema: table.relation.schemaText, name: table.relation.nameText,
        file: fileName(of: table), rows: data.rows, bytes: data.bytes, fingerprint: "\(data.fingerprint)",
        root: table.relation.loadRoot.map { String(decoding: $0, as: UTF8.self) }, pieces: data.pieces)
    }.sorted { ($0.schema, $0.name) < ($1.schema, $1.name) }
  }
}
