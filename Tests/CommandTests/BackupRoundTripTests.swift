import Archive
import Foundation
import Postgres
import TestSupport
import Testing

/// What PostgreSQL's own tools make of a backup of a database that holds everything.
@Suite struct `A backup of everything` {
  /// Takes a backup of a filled database.
  private func withBackup(
    _ kind: BackupFixture.Kind, _ options: String = "",
    _ body: (_ source: TestDatabase, _ path: String, _ project: TestProject) async throws -> Void
  ) async throws {
    try await withBackupFixture(kind) { source in
      let project = try TestProject(source)
      try await project.done(
        "backup create --jobs 3 \(options)", environment: ["TSDB_PG_BINDIR": source.cluster.binaries])
      let name = try #require(project.backups().last)
      try await body(source, project.backupPath(name), project)
    }
  }

  @Test(arguments: BackupFixture.Kind.allCases, ["isal", "gzip:1", "none"])
  func `is entry by entry and byte by byte what pg_dump writes`(
    kind: BackupFixture.Kind, compression: String
  ) async throws {
    try await withBackup(kind, "--compress \(compression)") { source, path, project in
      let dump = project.directory.path("dump")
      // pg_dump leaves these to the database, which has others; a backup is read with these always.
      try await run(
        source, "pg_dump", ["-Fd", "-Z1", "-f", dump],
        environment: ["PGOPTIONS": "-c bytea_output=hex -c timezone=UTC"])
      let (ours, theirs) = (try Contents(path), try Contents(dump))
      #expect(ours.entries == theirs.entries)
      #expect(ours.dataEntries == theirs.dataEntries)
      #expect(ours.files.keys.sorted() == theirs.files.keys.sorted())
      let pairs = theirs.files.map { "\(path)/\(ours.files[$0] ?? "")\n\(dump)/\($1)\n" }.joined()
      let comparison = try await ToolRun(
        executable: "/bin/bash", ["-c", Self.comparing], environment: ["PATH": "/usr/bin:/bin"], input: pairs
      ).finish(within: .seconds(120))
      #expect(comparison.standardOutput == "equal \(theirs.files.count)\n", "\(comparison)")
    }
  }

  /// Compares pairs of files, decompressed; each may be there with or without a suffix.
  private static let comparing = """
    text() { if [ -e "$1" ]; then cat "$1"; else gzip -dc "$1.gz"; fi; }
    equal=0
    while IFS= read -r ours && IFS= read -r theirs; do
      if cmp <(text "$ours") <(text "$theirs") >&2; then equal=$((equal + 1)); else echo "$ours"; fi
    done
    echo "equal $equal"
    """

  @Test(arguments: BackupFixture.Kind.allCases, [[], ["-j4"], ["-1"]])
  func `is restored by plain pg_restore`(kind: BackupFixture.Kind, options: [String]) async throws {
    try await withBackup(kind) { source, path, _ in
      try await withDatabase(on: source.cluster, options: kind.databaseOptions) { target in
        try await run(target, "pg_restore", options + ["-e", "-d", target.name, path])
        // A parallel restore changes neither: each table is one entry.
        let differences = try await RoundTripComparison.differences(
          source.settings, target.settings, binaries: source.cluster.binaries, options: .order)
        #expect(differences.isEmpty)
      }
    }
  }

  @Test func `is restored by every newer pg_restore that is installed`() async throws {
    try await withBackup(.everything) { source, path, _ in
      for binaries in try await newerBinaries(than: source.cluster) {
        for options in [[], ["-j4"]] {
          try await withDatabase(on: source.cluster, options: "encoding 'UTF8'") { target in
            let result = try await ToolRun(
              executable: binaries + "/pg_restore", options + ["-d", target.name, path],
              environment: target.settings.toolEnvironment
            ).finish(within: .seconds(120))
            // pg_restore 17 and later set what older servers do not know, say so, and go on.
            let errors = result.standardError.split(separator: "\n").filter { $0.contains("ERROR:") }
            #expect(errors.allSatisfy { $0.contains("transaction_timeout") }, "\(binaries): \(result)")
            let differences = try await RoundTripComparison.differences(
              source.settings, target.settings, binaries: source.cluster.binaries)
            #expect(differences.isEmpty, "\(binaries)")
          }
        }
      }
    }
  }

  private func run(
    _ database: TestDatabase, _ program: String, _ arguments: [String], environment: [String: String] = [:]
  ) async throws {
    let result = try await ToolRun(
      executable: database.cluster.executable(program), arguments,
      environment: database.settings.toolEnvironment.merging(environment) { $1 }
    ).finish(within: .seconds(120))
    try #require(result.exitStatus == 0, "\(program): \(result)")
  }

  /// Directories with a `pg_restore` of a later major version: those that `TSDB_TEST_PG_RESTORES` names,
  /// separated by colons, and Debian's.
  private func newerBinaries(than cluster: PostgresCluster) async throws -> [String] {
    let major = try #require(Int(try await cluster.value("show server_version_num"))) / 10_000
    let named = ProcessInfo.processInfo.environment["TSDB_TEST_PG_RESTORES"] ?? ""
    let root = "/usr/lib/postgresql"
    let debian = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).map {
      "\(root)/\($0)/bin"
    }
    var found: [String] = []
    for directory in named.split(separator: ":").map(String.init) + debian {
      guard FileManager.default.isExecutableFile(atPath: directory + "/pg_restore") else { continue }
      let version = try await ToolRun(
        executable: directory + "/pg_restore", ["--version"], environment: ["PATH": "/usr/bin:/bin"]
      ).finish()
      let words = version.standardOutput.split(whereSeparator: { $0 == " " || $0 == "." || $0 == "\n" })
      if let number = words.compactMap({ Int($0) }).first, number > major { found.append(directory) }
    }
    return found
  }
}

/// A table of contents with everything but the numbers of entries, which are ours to choose.
private struct Contents {
  /// In file order, but for the data section.
  private(set) var entries: [String] = []
  /// Sorted: the order of data entries means nothing.
  private(set) var dataEntries: [String] = []
  /// What a data file belongs to, and its name without the suffix of compression.
  private(set) var files: [String: String] = [:]

  init(_ path: String) throws {
    let contents = try ArchiveDirectory(opening: path).contents()
    let names = Dictionary(contents.entries.map { ($0.dumpID, Self.name($0)) }) { one, _ in one }
    for entry in contents.entries {
      let dependencies = entry.dependencies.map { names[$0] ?? "no entry" }
      let text = Self.text(entry, dependencies)
      if entry.section == .data { dataEntries.append(text) } else { entries.append(text) }
      if entry.hasData, Self.text(entry.desc) == "TABLE DATA", case .file(let name) = entry.place {
        files[Self.name(entry)] = Self.text(name)
      }
    }
    dataEntries.sort()
    for file in try FileManager.default.contentsOfDirectory(atPath: path) where file.hasPrefix("blob_") {
      let name = file.hasSuffix(".gz") ? String(file.dropLast(3)) : file
      files[name] = name
    }
  }

  private static func name(_ entry: ArchiveEntry) -> String {
    [entry.desc, entry.catalogOID, entry.objectOID, entry.namespace, entry.tag].map(text).joined(
      separator: "|")
  }

  private static func text(_ entry: ArchiveEntry, _ dependencies: [String]) -> String {
    let fields = [
      entry.definition, entry.dropStatement, entry.copyStatement, entry.tablespace, entry.tableAccessMethod,
      entry.owner, entry.withOIDs,
    ]
    return
      ([name(entry), "\(entry.hasData) \(entry.section) \(entry.relationKind)"] + fields.map(text)
      + dependencies).joined(separator: "\n")
  }

  /// Bytes that are no UTF-8 become characters one by one, so that nothing is lost.
  private static func text(_ bytes: [UInt8]?) -> String {
    guard let bytes else { return "NULL" }
    return String(validating: bytes, as: UTF8.self) ?? String(bytes.map { Character(Unicode.Scalar($0)) })
  }
}
