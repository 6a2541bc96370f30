import Archive
import Backups
import Compression
import Digests
import Foundation
import SystemPackage
import Timekeeping

/// A small backup that no server was needed for: three tables, one of them in several pieces and one empty, and a
/// file of the configuration.
public enum SampleBackup {
  /// Rows of the table `public.orders`, as COPY text.
  public static let orders: [String] = (1...600).map {
    "\($0)\tcustomer \($0 % 17)\t\(String(repeating: "x", count: $0 % 40))\n"
  }

  /// Writes a backup into the repository.
  ///
  /// - Returns: its id.
  @discardableResult
  public static func write(
    to repository: BackupRepository, database: String = "app", time: String = "2026-11-24T08:36:57Z",
    label: String? = nil, tables: [String] = [], compression: DataCompression = .fastest,
    systemIdentifier: String? = "7300000000000000001"
  ) throws -> String {
    guard let started = UTCTime(time) else { throw TestSupportError("\(time) is no time") }
    let partial = try repository.beginBackup(database: database, time: started)
    let directory = partial.directory
    var dataTables: [BackupManifest.Table] = []
    for (id, name, rows) in [(11, "orders", orders), (12, "notes", ["a\n", "b\\nc\n"]), (13, "empty", [])] {
      dataTables.append(try writeTable(Int32(id), name, rows, compression, directory))
    }
    try write(Self.contents(database, dataTables).bytes(), "toc.dat", directory)
    _ = try directory.makeDirectory("config")
    try write(Array("create role app;\n".utf8), "roles.sql", try directory.subdirectory("config"))
    let manifest = try manifest(
      id: partial.id, database: database, started: started, label: label, scope: tables, tables: dataTables,
      compression: compression, systemIdentifier: systemIdentifier, path: partial.path.string)
    try write(try manifest.bytes(), ManifestFile.name, directory)
    try partial.complete()
    return partial.id
  }

  private static func writeTable(
    _ id: Int32, _ name: String, _ rows: [String], _ compression: DataCompression, _ directory: HeldDirectory
  ) throws -> BackupManifest.Table {
    let pieces = stride(from: 0, to: rows.count, by: 200).map { rows[$0..<min($0 + 200, rows.count)] }
    let writer = try DataFileWriter(
      directory: directory.descriptor, name: "\(id).dat\(compression.fileSuffix)", compression: compression,
      pieceCount: pieces.count)
    let compressor = try PieceCompressor(compression)
    for (index, rows) in pieces.enumerated() {
      let piece = writer.piece(index, compressor)
      for row in rows {
        var row = row
        try row.withUTF8 { try piece.append(UnsafeRawBufferPointer($0), endsRow: true) }
      }
      try piece.finish()
    }
    let summary = try writer.finish()
    return BackupManifest.Table(
      dumpID: id, schema: "public", name: name, file: writer.name, rows: summary.rows, bytes: summary.bytes,
      fingerprint: summary.fingerprint.description, root: nil, pieces: summary.pieces)
  }

  private static func contents(_ database: String, _ tables: [BackupManifest.Table]) -> TableOfContents {
    let entries = tables.flatMap { table -> [ArchiveEntry] in
      let (name, schema) = (Array(table.name.utf8), Array(table.schema.utf8))
      return [
        ArchiveEntry(
          dumpID: table.dumpID - 10, hasData: false, tag: name, desc: Array("TABLE".utf8), section: .preData,
          definition: Array("create table public.\(table.name) (a text);\n".utf8), namespace: schema),
        ArchiveEntry(
          dumpID: table.dumpID, hasData: true, tag: name, desc: Array("TABLE DATA".utf8), section: .data,
          copyStatement: Array("COPY public.\(table.name) (a) FROM stdin;\n".utf8), namespace: schema,
          dependencies: [table.dumpID - 10],
          place: .file(Array("\(table.dumpID).dat".utf8))),
      ]
    }
    let header = ArchiveHeader(
      version: .v1_14, format: .tar, compression: .level(1), localTime: [57, 36, 8, 24, 10, 126, 0],
      database: Array(database.utf8), serverVersion: Array("15.20".utf8), dumpVersion: Array("15.20".utf8))
    return TableOfContents(header: header, entries: entries)
  }

  private static func write(_ bytes: [UInt8], _ name: String, _ directory: HeldDirectory) throws {
    let file = try directory.createFile(name)
    try file.closeAfter { _ = try file.writeAll(bytes) }
  }

  private static func manifest(
    id: String, database: String, started: UTCTime, label: String?, scope: [String],
    tables: [BackupManifest.Table], compression: DataCompression, systemIdentifier: String?, path: String
  ) throws -> BackupManifest {
    let paths = ["config/roles.sql", "toc.dat"] + tables.map(\.file)
    let files = try paths.sorted().map { name in
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
      return BackupManifest.File(path: name, size: Int64(bytes.count), sha256: SHA256Digest.digest(of: bytes))
    }
    return BackupManifest(
      tool: "tsdb 0.1.0", id: id, label: label, started: started.description,
      finished: (started + 75).description, scope: .init(tables: scope, excludedTables: []),
      server: .init(
        version: "15.20 (Debian 15.20-0+deb12u1)", versionNumber: 150_020, systemIdentifier: systemIdentifier,
        isStandby: false,
        database: .init(
          name: database, owner: "postgres", encoding: "UTF8", collate: "C.UTF-8", ctype: "C.UTF-8",
          localeProvider: "libc", locale: nil, icuRules: nil, tablespace: "pg_default", connectionLimit: -1,
          comment: nil, privileges: nil, settings: [], roleSettings: [:], size: 8_000_000)),
      snapshot: .init(id: "00000003-0000001B-1", lsn: "0/16B3748", time: started.description),
      migrations: .init(schema: "tsdb", head: "support_webhooks_schema", applied: 5), catalogFingerprint: nil,
      archive: .init(
        version: "1.14", encoding: "UTF8", compression: compression.description, dumpVersion: "15.20"),
      extensions: [], roles: ["postgres"], tablespaces: [], tables: tables,
      sequences: [.init(schema: "public", name: "orders_id_seq", value: 600, isCalled: true)],
      largeObjects: nil, files: files)
  }
}
