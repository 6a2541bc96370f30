import Archive
import Testing

@testable import Backups

@Suite struct `what stands in the way of a restore` {
  private static var needs: RestoreNeeds {
    RestoreNeeds(
      serverVersion: 150_020,
      database: RestoredDatabase(encoding: "UTF8", localeProvider: "libc", collate: "xx_XX"),
      roles: ["owner", "reader"], owners: ["owner"],
      extensions: ["hstore": "1.8", "vector": String?.none],
      tablespaces: ["fast"], size: 10_000_000, connections: 5, newName: "new")
  }

  private static var server: RestoreServerFacts {
    var server = RestoreServerFacts()
    server.versionNumber = 150_020
    server.role = "me"
    server.isSuperuser = true
    server.roles = ["owner", "reader", "me"]
    server.tablespaces = ["fast"]
    server.extensions = ["hstore": "1.8", "vector": "0.5"]
    server.freeSpace = 20_000_000
    return server
  }

  @Test func `is nothing on a server that has everything`() {
    let preflight = RestorePreflight(Self.needs, Self.server)
    #expect(preflight.problems == [])
    #expect(preflight.error == nil)
    #expect(preflight.notes == [])
  }

  typealias Change = @Sendable (inout RestoreNeeds, inout RestoreServerFacts) -> Void
  private static let cases: [(Change, String, String)] = [
    ({ $1.isPooled = true }, "pooler", "the server itself"),
    ({ $1.isInRecovery = true }, "standby", "primary"),
    ({ $1.versionNumber = 140_012 }, "PostgreSQL 15, and the server is PostgreSQL 14", "--older-server"),
    ({ $1.freeConnections = 3 }, "5 connections, and the server has 3", "--jobs 2"),
    ({ $1.databases = ["new"] }, "\"new\" exists already", "--into"),
    (
      {
        $1.isSuperuser = false; $1.memberships = ["owner"]
      }, "may not make databases", "alter role \"me\" createdb;"
    ),
    ({ $1.knowsEncoding = false }, "does not know the encoding \"UTF8\"", ""),
    ({ $1.missingLocales = ["xx_XX"] }, "locale \"xx_XX\"", "dpkg-reconfigure"),
    (
      {
        $0.database.localeProvider = "icu"; $1.hasICU = false
      }, "without ICU", ""
    ),
    ({ $1.tablespaces = [] }, "no tablespace \"fast\"", "create tablespace \"fast\""),
    ({ $1.roles = ["me", "owner"] }, "role \"reader\" does not exist", "create role \"reader\" nologin;"),
    (
      {
        $1.isSuperuser = false; $1.canCreateDatabases = true
      }, "no member of \"owner\"", "grant \"owner\" to \"me\";"
    ),
    (
      {
        $1.isSuperuser = false; $1.canCreateDatabases = true; $1.superusers = ["owner"]
      }, "no member of \"owner\"",
      "restore as a superuser, or pass --no-owner"
    ),
    ({ $1.extensions["vector"] = nil }, "extension \"vector\"", "postgresql-15-pgvector"),
    ({ $1.extensions["hstore"] = nil }, "extension \"hstore\"", "postgresql-contrib"),
    ({ $1.freeSpace = 9_000_000 }, "had 10 MB", "make room"),
  ]

  @Test(arguments: cases.indices)
  func `is said with what helps`(number: Int) throws {
    var (needs, server) = (Self.needs, Self.server)
    let (change, message, remedy) = Self.cases[number]
    change(&needs, &server)
    let preflight = RestorePreflight(needs, server)
    try #require(preflight.problems.count == 1)
    #expect(preflight.problems[0].message.contains(message))
    #expect((preflight.problems[0].remedy ?? "").contains(remedy))
    #expect(preflight.error?.detail == "Nothing was changed.")
  }

  @Test func `is a note where it stops nothing`() {
    var server = Self.server
    server.freeSpace = nil
    server.extensions["hstore"] = "1.9"
    let preflight = RestorePreflight(Self.needs, server)
    #expect(preflight.problems == [])
    #expect(preflight.notes.count == 2)
  }
}

@Suite struct `what an archive names` {
  @Test(arguments: [
    (
      "GRANT SELECT ON TABLE app.t TO reader;\nGRANT ALL ON TABLE app.t TO \"od\"\"d\" WITH GRANT OPTION;",
      ["reader", "od\"d"]
    ),
    (
      "REVOKE ALL ON TABLE app.\"to x\" FROM PUBLIC;\nSET SESSION AUTHORIZATION boss;\nRESET SESSION AUTHORIZATION;",
      ["boss"]
    ),
    (
      "ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA app GRANT SELECT ON TABLES TO reader;",
      ["maker", "reader"]
    ),
    (
      "CREATE POLICY \"to none\" ON app.t FOR SELECT TO a, \"B c\" USING ((x = 'TO d'::text));", ["a", "B c"]
    ),
    ("CREATE POLICY p ON app.t USING ((owner = CURRENT_USER));", []),
    ("CREATE USER MAPPING FOR someone SERVER nowhere OPTIONS (\"user\" 'x');", ["someone"]),
    ("ALTER ROLE worker IN DATABASE app SET work_mem TO '1MB';", ["worker"]),
    ("GRANT SELECT(a,b) ON TABLE app.t TO x;", ["x"]),
    ("GRANT CREATE ON SCHEMA app TO CURRENT_USER;", []),
  ])
  func `as roles`(sql: String, names: [String]) {
    #expect(
      Set(ArchiveRoles.mentioned(in: Array(sql.utf8)).map { String(decoding: $0, as: UTF8.self) })
        == Set(names))
  }

  private func archive(_ database: String, _ others: [(String, String, String)] = []) -> TableOfContents {
    var entries = [("DATABASE", "old \"name\"", database)] + others
    entries.append(("TABLE", "t", "CREATE TABLE t ();"))
    return TableOfContents(
      header: ArchiveHeader(
        version: .init(major: 1, minor: 14, revision: 0), format: .tar, compression: .level(-1),
        localTime: [0, 0, 0, 1, 0, 126, 0], database: nil, serverVersion: nil, dumpVersion: nil),
      entries: entries.enumerated().map { number, entry in
        ArchiveEntry(
          dumpID: Int32(number + 1), hasData: false, tag: Array(entry.1.utf8), desc: Array(entry.0.utf8),
          section: .preData, definition: Array(entry.2.utf8))
      })
  }

  @Test(arguments: [
    (
      "CREATE DATABASE \"old \"\"name\"\"\" WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE = 'C';\n",
      RestoredDatabase(encoding: "LATIN1", collate: "C", ctype: "C")
    ),
    (
      "CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C.UTF-8' ICU_LOCALE = 'de-DE' TABLESPACE = \"fast one\";\n",
      RestoredDatabase(
        encoding: "UTF8", localeProvider: "icu", collate: "C.UTF-8", ctype: "C.UTF-8", locale: "de-DE",
        tablespace: "fast one")
    ),
    (
      "CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';\n",
      RestoredDatabase(
        encoding: "UTF8", localeProvider: "builtin", collate: "C", ctype: "C", locale: "C.UTF-8")
    ),
  ])
  func `as the making of its database`(statement: String, expected: RestoredDatabase) throws {
    #expect(try RestoredDatabase(archive(statement)) == expected)
  }

  @Test(arguments: [
    "", "CREATE DATABASE x; DROP DATABASE y;", "CREATE DATABASE x WITH ENCODING = ;",
    "DROP DATABASE x WITH A = 1;",
    "CREATE DATABASE x WITH EVIL = 1 ENCODING = 'UTF8';", "CREATE DATABASE x WITH TEMPLATE = template0;",
  ])
  func `and is refused where that is not pg_dump's`(statement: String) {
    #expect(throws: BackupError.self) { try RestoredDatabase(archive(statement)) }
  }

  @Test func `as statements about the database, which get the new name`() throws {
    let toc = archive(
      "",
      [
        (
          "DATABASE PROPERTIES", "old \"name\"",
          "ALTER DATABASE \"old \"\"name\"\"\" SET a TO 'x; y';\nALTER DATABASE \"old \"\"name\"\"\" CONNECTION LIMIT = 5;\nALTER ROLE r IN DATABASE \"old \"\"name\"\"\" SET b TO 'c';\n"
        ),
        (
          "COMMENT", "DATABASE \"old \"\"name\"\"\"",
          "COMMENT ON DATABASE \"old \"\"name\"\"\" IS 'DATABASE other';\n"
        ),
        ("ACL", "DATABASE x", "GRANT CONNECT ON DATABASE other TO PUBLIC;\n"),
      ])
    let plan = try RestorePlan(toc, manifest: nil, selection: RestoreSelection())
    let statements = plan.databaseStatements(toc, for: "new")
    func texts(_ statements: [[UInt8]]) -> [String] {
      statements.map { String(decoding: $0, as: UTF8.self).split(separator: "\n").joined() }
    }
    #expect(
      texts(statements.settings) == [
        "ALTER DATABASE \"new\" SET a TO 'x; y'", "ALTER ROLE r IN DATABASE \"new\" SET b TO 'c'",
      ])
    #expect(
      texts(statements.properties) == [
        "ALTER DATABASE \"new\" CONNECTION LIMIT = 5", "COMMENT ON DATABASE \"new\" IS 'DATABASE other'",
      ])
    #expect(statements.unknown == ["ACL \"DATABASE x\""])
  }

  @Test(arguments: [
    ("SELECT pg_catalog.setval('app.s', 42, true);\n", "app.s", "42", true),
    ("SELECT pg_catalog.setval('app.\"it''s\"', -7, false);\n", "app.\"it's\"", "-7", false),
    ("SELECT pg_catalog.setval(E'app.\"a\\\\b\"', 1, true);\n", "app.\"a\\b\"", "1", true),
  ])
  func `as the value of a sequence`(sql: String, sequence: String, value: String, isCalled: Bool) throws {
    let setting = try #require(SequenceSetting(Array(sql.utf8)))
    #expect(String(decoding: setting.sequence, as: UTF8.self) == sequence)
    #expect(setting.value == value)
    #expect(setting.isCalled == isCalled)
  }

  @Test(arguments: [RestoreMark.State.unfinished, .failed, .finished])
  func `as a mark, which is read back`(state: RestoreMark.State) throws {
    let mark = RestoreMark(
      state: state, source: "20261124T083657Z-a; run by b", time: "2026-11-24T08:36:57Z",
      runner: "process 1 on h",
      oid: 16_384)
    let read = try #require(RestoreMark(comment: mark.text, of: 16_384))
    #expect(RestoreMark(comment: mark.text, of: 6_384) == nil)
    #expect(read.state == state)
    #expect(read.runner == "process 1 on h")
    #expect(RestoreMark(comment: "a comment", of: 1) == nil)
    #expect(RestoreMark(comment: nil, of: 1) == nil)
  }

  @Test func `as the name of the new one, short enough`() {
    let time = "20261124T084852Z"
    #expect(RestoreName.make(for: "app", time: time, taken: []) == "app_restore_\(time)")
    #expect(
      RestoreName.make(for: "app", time: time, taken: ["app_restore_\(time)"]) == "app_restore_\(time)_2")
    let long = RestoreName.make(for: String(repeating: "ü", count: 40), time: time, taken: [])
    #expect(long.utf8.count <= 63 && long.hasSuffix("ü_restore_\(time)"))
  }
}
