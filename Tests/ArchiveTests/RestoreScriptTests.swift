import Archive
import Foundation
import TestSupport
import Testing

/// What a restore sends is what pg_restore would.
struct RestoreScriptTests {
  @Test func `the statements are those of pg_restore, in its order`() async throws {
    let cluster = try await PostgresCluster.shared
    let version = try await PgDump.majorVersion(cluster) * 10000
    try await RichDatabase.with { database in
      var dumps = [[], ["--clean", "--create"], ["--schema-only"], ["--load-via-partition-root"]]
      if version >= 180000 { dumps.append(["--statistics"]) }
      for dumped in dumps {
        let files = try TemporaryDirectory()
        let path = try await PgDump.dump(database, ["-Fd"] + dumped, into: files)
        let contents = try ArchiveDirectory(opening: path).contents()
        for arguments in Self.options.keys.sorted() {
          let theirs = try await PgDump.run(
            cluster, "pg_restore", ["-f", "-"] + arguments.split(separator: " ").map(String.init) + [path])
          var options = RestoreScript.Options()
          Self.options[arguments]?(&options)
          let script = try RestoreScript(contents, options: options)
          #expect(script.encoding == "UTF8")
          var ours = try Self.text(script, version)
          if version < 160000 { ours = ours.map(Self.withAlterTable) }
          try Self.expectEqual(
            ours, Self.statements(theirs), "\(dumped) \(arguments)")
        }
      }
    }
  }

  @Test func `structure and content are told apart as pg_restore does`() async throws {
    let cluster = try await PostgresCluster.shared
    try await RichDatabase.with { database in
      let files = try TemporaryDirectory()
      let path = try await PgDump.dump(database, ["-Fd"], into: files)
      let script = try RestoreScript(ArchiveDirectory(opening: path).contents())
      for (option, isContent) in [("--schema-only", false), ("--data-only", true)] {
        let list = try await PgDump.run(cluster, "pg_restore", ["--list", option, path])
        let theirs = list.split(separator: "\n").compactMap {
          $0.first == ";" ? nil : Int32($0.prefix { $0 != ";" })
        }
        let ours = script.entries.filter { $0.isContent == isContent }.map(\.dumpID)
        #expect(Set(theirs) == Set(ours), "\(option): \(Set(theirs).symmetricDifference(ours).sorted())")
        #expect(ours.count > 20)
      }
    }
  }

  @Test func `text stays in the archive's encoding`() async throws {
    try await withDatabase(options: "encoding 'LATIN1' locale 'C'") { database in
      try await database.execute(#"create table "größe" (a text); insert into "größe" values ('ä')"#)
      let files = try TemporaryDirectory()
      let source = try await ArchiveSource(opening: PgDump.dump(database, ["-Fc"], into: files))
      #expect(source.encoding == "LATIN1")
      let script = try RestoreScript(source.contents, options: RestoreScript.Options())
      let settings = script.sessionSettings(serverVersion: 150000)
      #expect(settings.contains(Array("SET client_encoding = 'LATIN1';".utf8)))
      let name = Array("\"gr".utf8) + [0xf6, 0xdf] + Array("e\"".utf8)
      var session = RestoreSession(script)
      let table = try #require(script.entries.first { $0.kind == "TABLE" })
      let statements = try session.statements(of: table)
      #expect(statements.last == Array("ALTER TABLE public.".utf8) + name + Array(" OWNER TO postgres;".utf8))
      let data = try #require(script.entries.first { $0.kind == "TABLE DATA" })
      var rows: [UInt8] = []
      try source.readData(of: data) { rows += $0 }
      #expect(rows == [0xe4, 10])
    }
  }

  private static let options: [String: @Sendable (inout RestoreScript.Options) -> Void] = [
    "": { _ in },
    "--no-owner": { $0.noOwner = true },
    "--no-acl": { $0.noPrivileges = true },
    "--no-tablespaces": { $0.noTablespaces = true },
    "--no-table-access-method": { $0.noTableAccessMethod = true },
  ]

  /// pg_restore 15 says TABLE of everything that has columns; both do the same.
  private static func withAlterTable(_ line: Substring) -> Substring {
    let kinds = ["VIEW", "MATERIALIZED VIEW", "SEQUENCE"]
    guard line.contains(" OWNER TO "), let kind = kinds.first(where: { line.hasPrefix("ALTER \($0) ") })
    else { return line }
    return "ALTER TABLE" + line.dropFirst("ALTER \(kind)".count)
  }

  /// The whole script as text, without what is not a statement.
  private static func text(_ script: RestoreScript, _ version: Int) throws -> [Substring] {
    var text: [UInt8] = []
    var session = RestoreSession(script)
    for statement in script.sessionSettings(serverVersion: version) { text += statement + [10] }
    for entry in script.entries {
      for statement in try session.statements(of: entry) { text += statement + [10] }
      if entry.hasData { text += entry.copyStatement ?? [] }
    }
    return lines(String(decoding: text, as: UTF8.self)[...])
  }

  /// The lines of a plain-text restore, without comments, data, and the lines around large objects.
  private static func statements(_ text: String) -> [Substring] {
    var isData = false
    var kept = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if isData {
        if line == "\\." { isData = false }
        continue
      }
      isData = line.hasSuffix(" FROM stdin;")
      let isLargeObject = ["open", "close"].contains { line.hasPrefix("SELECT pg_catalog.lo_\($0)(") }
      if isLargeObject || line.hasPrefix("SELECT pg_catalog.lowrite(") || line == "BEGIN;"
        || line == "COMMIT;"
      {
        continue
      }
      if line.hasPrefix("\\restrict ") || line.hasPrefix("\\unrestrict ") { continue }
      kept += line + "\n"
    }
    return lines(kept[...])
  }

  private static func lines(_ text: Substring) -> [Substring] {
    text.split(separator: "\n").filter { !$0.hasPrefix("--") }
  }

  private static func expectEqual(_ ours: [Substring], _ theirs: [Substring], _ name: String) throws {
    #expect(theirs.count > 50, "\(name)")
    guard ours != theirs else { return }
    let place =
      zip(ours, theirs).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      ?? min(ours.count, theirs.count)
    Issue.record(
      """
      \(name): differs at line \(place) of \(ours.count) and \(theirs.count)
      ours:   \(ours.dropFirst(place).prefix(3))
      theirs: \(theirs.dropFirst(place).prefix(3))
      """)
  }
}
