import Archive
import Foundation
import TestSupport
import Testing

/// Data comes out of every kind of archive as it went in.
struct ArchiveSourceTests {
  @Test func `every format gives the rows and large objects that pg_dump read`() async throws {
    let major = try await PgDump.majorVersion(PostgresCluster.shared)
    try await RichDatabase.with { database in
      let files = try TemporaryDirectory()
      let plain = try await PgDump.dump(database, ["-Fd", "-Z0"], into: files, name: "plain")
      let expected = try Self.rows(inFilesOf: plain)
      #expect(expected.count > 15)
      #expect(expected.values.contains { $0.count > 5000 })
      var kinds = [["-Fd", "-Z0"], ["-Fd", "-Z9"], ["-Fc", "-Z0"], ["-Fc", "-Z6"]]
      if major >= 16 {
        kinds += ["-Fd", "-Fc"].flatMap {
          [[$0, "--compress=lz4"], [$0, "--compress=zstd"], [$0, "--compress=none"]]
        }
      }
      for (number, arguments) in kinds.enumerated() {
        do {
          let path = try await PgDump.dump(database, arguments, into: files, name: "\(number)")
          try Self.check(path, expected, arguments)
        } catch _ as TestSupportError
          where arguments[1].hasSuffix("lz4") || arguments[1].hasSuffix("zstd")
        {
          print("skipped: pg_dump \(major) here has no \(arguments)")
        }
        if arguments[0] == "-Fc", let path = try await Self.piped(database, arguments, into: files) {
          try Self.check(path, expected, arguments + ["piped"])
        }
      }
      try await Self.checkTar(database, files, expected)
    }
  }

  /// The rows of a directory archive that is not compressed, by the table's name, straight from the files.
  private static func rows(inFilesOf path: String) throws -> [[UInt8]?: [UInt8]] {
    var rows: [[UInt8]?: [UInt8]] = [:]
    for entry in try TableOfContents(reading: PgDump.bytes(path + "/toc.dat")).entries
    where entry.kind == "TABLE DATA" {
      let bytes = try PgDump.bytes("\(path)/\(entry.dumpID).dat")
      #expect(bytes.suffix(5) == Array("\\.\n\n\n".utf8)[...])
      rows[entry.tag] = Array(bytes.dropLast(5))
    }
    return rows
  }

  private static let largeObjects: [UInt32: [UInt8]] = [
    70001: Array("one".utf8), 70002: Array(String(repeating: "two", count: 10000).utf8), 70003: [],
    3_000_000_007: Array("four".utf8),
  ]

  private static func check(_ path: String, _ expected: [[UInt8]?: [UInt8]], _ name: [String]) throws {
    let source = try ArchiveSource(opening: path)
    #expect(source.encoding == "UTF8")
    var rows: [[UInt8]?: [UInt8]] = [:]
    var objects: [UInt32: [UInt8]] = [:]
    // Backwards, as the order of reading is free.
    for entry in source.contents.entries.reversed() where entry.hasData {
      #expect(try source.storedSize(of: entry) ?? 0 > 0)
      if entry.kind == "BLOBS" {
        try source.readLargeObjects(of: entry) { object in
          var bytes: [UInt8] = []
          try object.read { bytes += $0 }
          #expect(throws: ArchiveError.self) { try object.read { _ in } }
          objects[object.oid] = bytes
        }
      } else {
        var bytes: [UInt8] = []
        let contents = try source.readData(of: entry) { bytes += $0 }
        #expect(contents.bytes == Int64(bytes.count))
        #expect(contents.rows == Int64(bytes.count { $0 == 10 }))
        rows[entry.tag] = bytes
      }
    }
    #expect(rows == expected, "\(name)")
    #expect(objects == largeObjects, "\(name)")
    try checkPassingOver(source)
  }

  /// Large objects that are not read are passed over.
  private static func checkPassingOver(_ source: ArchiveSource) throws {
    var oids: [UInt32] = []
    for entry in source.contents.entries where entry.kind == "BLOBS" {
      try source.readLargeObjects(of: entry) { oids.append($0.oid) }
    }
    #expect(oids.sorted() == largeObjects.keys.sorted())
  }

  /// An archive that was written to a pipe, so that its offsets are not filled in.
  private static func piped(
    _ database: TestDatabase, _ arguments: [String], into files: TemporaryDirectory
  ) async throws -> String? {
    let path = files.path("piped")
    let cluster = database.cluster
    let command =
      [cluster.executable("pg_dump"), "-h", cluster.host, "-U", "postgres"] + arguments + [database.name]
    let result = try await ToolRun(
      executable: "/bin/sh", ["-c", "\"$@\" | cat > \"$0\"", path] + command,
      environment: ["PATH": "/usr/bin:/bin"]
    ).finish()
    return result.standardError.isEmpty ? path : nil
  }

  private static func checkTar(
    _ database: TestDatabase, _ files: TemporaryDirectory, _ expected: [[UInt8]?: [UInt8]]
  ) async throws {
    let tar = try await PgDump.dump(database, ["-Ft"], into: files, name: "a.tar")
    let error = #expect(throws: ArchiveError.self) { try ArchiveSource(opening: tar) }
    #expect(error?.kind == .unsupported)
    #expect(error?.hint?.contains("tar -xf") == true)
    let directory = files.path("unpacked")
    let result = try await ToolRun(
      executable: "/bin/sh", ["-c", "mkdir \"$1\" && tar -xf \"$0\" -C \"$1\"", tar, directory],
      environment: ["PATH": "/usr/bin:/bin"]
    ).finish()
    #expect(result.exitStatus == 0)
    try check(directory, expected, ["unpacked"])
  }

  @Test func `what is no archive is refused with what to do`() throws {
    let files = try TemporaryDirectory()
    for (name, text) in [("sql", "--\n-- PostgreSQL database dump\n--\n"), ("empty", ""), ("short", "PGDM")] {
      let error = #expect(throws: ArchiveError.self) { try ArchiveSource(opening: files.write(name, text)) }
      #expect(error?.kind == .unsupported)
      #expect(error?.hint == "a dump in plain text is run with psql")
    }
    #expect(
      (#expect(throws: ArchiveError.self) { try ArchiveSource(opening: files.path("x")) })?.kind == .missing)
  }

  @Test func `a compressed table of contents is read, but not beside a plain one`() async throws {
    let files = try TemporaryDirectory()
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let bytes = try PgDump.bytes(tests.appendingPathComponent("Fuzz/Corpus/contents/15.dat").path)
    try files.write("a/toc.dat", bytes: bytes)
    let expected = try ArchiveSource(opening: files.path("a")).contents
    #expect(expected.bytes() == bytes)
    let gzip = try await ToolRun(
      executable: "gzip", ["-k", files.path("a/toc.dat")], environment: ["PATH": "/usr/bin:/bin"]
    ).finish()
    #expect(gzip.exitStatus == 0)
    #expect(throws: ArchiveError.self) { try ArchiveSource(opening: files.path("a")) }
    try FileManager.default.removeItem(atPath: files.path("a/toc.dat"))
    #expect(try ArchiveSource(opening: files.path("a")).contents == expected)
    let compressed = try PgDump.bytes(files.path("a/toc.dat.gz"))
    for bad in [compressed + [0], compressed.dropLast(), []] {
      try files.write("a/toc.dat.gz", bytes: Array(bad))
      #expect(
        (#expect(throws: ArchiveError.self) { try ArchiveSource(opening: files.path("a")) })?.kind == .damaged
      )
    }
  }

  @Test(.database) func `INSERT statements instead of rows are refused with what to do`() async throws {
    let database = try #require(TestDatabase.current)
    try await database.execute("create table t as select 1 as a")
    let files = try TemporaryDirectory()
    for format in ["-Fd", "-Fc"] {
      let path = try await PgDump.dump(database, [format, "--inserts"], into: files, name: format)
      let source = try ArchiveSource(opening: path)
      let entry = try #require(source.contents.entries.first { $0.hasData })
      let error = #expect(throws: ArchiveError.self) { try source.readData(of: entry) { _ in } }
      #expect(error?.kind == .unsupported)
      #expect(error?.hint?.contains("pg_restore") == true)
    }
  }
}
