import Archive
import Compression
import SystemPackage

/// What `pg_dump` is asked for: the schema, and large objects.
struct SchemaDump: Sendable {
  let program: DumpProgram
  let options: BackupOptions
  let stop: StopSignal

  /// The schema under the snapshot, without any data.
  ///
  /// `--section` and not `--schema-only`: that leaves out the refreshing of materialized views and the
  /// large objects, and numbers entries differently.
  func schema(snapshot: String, into directory: FilePath) throws -> TableOfContents {
    try program.dump(
      [
        "--format=directory", "--section=pre-data", "--section=post-data", "--snapshot=\(snapshot)",
        "--file=\(directory)",
      ] + compression + selection, stop: stop)
    return try contents(of: directory)
  }

  /// The tables that the patterns select, by oid; nil when there is no pattern.
  func selectedTables(into directory: FilePath) throws -> Set<UInt32>? {
    guard !options.isWholeDatabase else { return nil }
    try program.dump(
      ["--format=directory", "--section=pre-data", "--file=\(directory)"] + selection, stop: stop)
    let entries = try contents(of: directory).entries
    return Set(
      entries.lazy.filter { $0.kind == "TABLE" }.compactMap { entry in
        entry.objectOID.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }
      })
  }

  /// Large objects with their data files, under the snapshot, and nothing else.
  func largeObjects(snapshot: String, into directory: FilePath) throws -> TableOfContents {
    try program.dump(
      [
        "--format=directory", "--section=data", "--exclude-table-data=*.*", "--snapshot=\(snapshot)",
        "--jobs=\(options.jobs)", "--file=\(directory)",
      ] + largeObjectCompression, stop: stop)
    return try contents(of: directory)
  }

  private var selection: [String] {
    options.tables.map { "--table=\($0)" } + options.excludedTables.map { "--exclude-table=\($0)" }
      // A pattern that matches nothing is a mistake, not an empty backup.
      + (options.tables.isEmpty ? [] : ["--strict-names"])
  }

  /// What the header says; there is no data to compress.
  private var compression: [String] { options.compression == .none ? ["--compress=0"] : [] }

  private var largeObjectCompression: [String] {
    options.compression == .none ? ["--compress=0"] : ["--compress=1"]
  }

  private func contents(of directory: FilePath) throws -> TableOfContents {
    try ArchiveDirectory(opening: directory.string).contents()
  }
}
