import Postgres
import TestSupport
import Testing

@Suite(.database) struct `A connection` {
  private var database: TestDatabase {
    get throws { try #require(TestDatabase.current) }
  }

  @Test func `an error has its SQLSTATE, position, detail, hint and constraint`() async throws {
    let session = try database.connect()
    let syntax = await #expect(throws: PostgresError.self) {
      try await session.run { _ = try $0.execute("select 'ñ日' frm t") }
    }
    #expect(syntax?.sqlState == "42601")
    // Counted in characters, not bytes.
    #expect(syntax?.position == 17)

    let hinted = await #expect(throws: PostgresError.self) {
      try await session.run { connection in
        try connection.execute("create table t (alpha int constraint positive check (alpha > 0))")
        _ = try connection.execute("select alpho from t")
      }
    }
    #expect(hinted?.sqlState == "42703" && hinted?.hint?.contains("alpha") == true)

    let check = await #expect(throws: PostgresError.self) {
      try await session.run { _ = try $0.query("insert into t values ($1)", ["-1"]) }
    }
    #expect(check?.sqlState == "23514" && check?.constraint == "positive")
    #expect(check?.detail?.contains("-1") == true)

    let inner = await #expect(throws: PostgresError.self) {
      try await session.run { connection in
        _ = try connection.execute("do $$ begin execute 'select 1 from nowhere'; end $$")
      }
    }
    #expect(inner?.internalQuery == "select 1 from nowhere" && inner?.internalPosition == 15)
    #expect(inner?.context?.contains("PL/pgSQL") == true)
  }

  @Test func `notices are kept in order until they are taken`() async throws {
    let (first, second) = try await database.connect().run { connection in
      try connection.execute("do $$ begin raise notice 'one'; raise warning 'two' using hint = 'h'; end $$")
      let first = connection.takeNotices()
      try connection.execute("drop table if exists missing")
      return (first, connection.takeNotices() + connection.takeNotices())
    }
    #expect(first.map(\.message) == ["one", "two"])
    #expect(first.map(\.severity) == ["NOTICE", "WARNING"])
    #expect(first.last?.hint == "h")
    #expect(second.count == 1)
  }

  @Test func `a flood of notices is cut, and says so`() async throws {
    let notices = try await database.connect().run { connection in
      try connection.execute(
        "do $$ begin for i in 1..1500 loop raise notice '%', i; end loop; raise warning 'late'; end $$")
      return connection.takeNotices()
    }
    #expect(notices.count == 1_001 && notices.first?.message == "1" && notices[999].message == "1000")
    #expect(notices.last?.message == "501 more were left out" && notices.last?.severity == "WARNING")
  }

  @Test func `executeEach gives every result and stops at the first failure`() async throws {
    let session = try database.connect()
    let tags = try await session.run { connection in
      var tags: [String] = []
      try connection.executeEach("create table t (a int); insert into t values (1), (2); select * from t; ;")
      {
        tags.append("\($0) \($1.commandTag) \($1.rowCount)")
      }
      return tags
    }
    #expect(tags == ["0 CREATE TABLE 0", "1 INSERT 0 2 0", "2 SELECT 2 2"])

    let (seen, error, count) = try await session.run { connection in
      var seen: [Int] = []
      var error: PostgresError?
      do {
        try connection.executeEach("insert into t values (3); select 1/0; insert into t values (4)") {
          index, _ in
          seen.append(index)
        }
      } catch let failure { error = failure as? PostgresError }
      return (seen, error, try connection.query("select count(*) from t").text(0, 0))
    }
    #expect(seen == [0] && count == "2")
    #expect(error?.sqlState == "22012")
  }

  @Test func `several statements in one call are one transaction`() async throws {
    let database = try database
    await #expect(throws: PostgresError.self) {
      try await database.execute("create table u (a int); select 1/0")
    }
    #expect(try await database.value("select to_regclass('u')") == nil)
  }

  @Test(arguments: ["copy t from stdin", "copy t to stdout", "select 1; copy t to stdout"])
  func `a refused COPY leaves the connection usable`(sql: String) async throws {
    let session = try database.connect()
    try await session.run { _ = try $0.execute("create table t (a int); insert into t values (1), (2)") }
    let error = await #expect(throws: PostgresError.self) {
      try await session.run { _ = try $0.execute(sql) }
    }
    #expect(error?.origin == .client)
    #expect(try await session.run { try $0.query("select count(*) from t").integer(0, 0) } == 2)
  }

  @Test(arguments: ["copy t from stdin", "copy t to stdout; select 1"])
  func `executeEach refuses COPY too`(sql: String) async throws {
    let session = try database.connect()
    try await session.run { _ = try $0.execute("create table t (a int); insert into t values (1), (2)") }
    let error = await #expect(throws: PostgresError.self) {
      try await session.run { try $0.executeEach(sql) { _, _ in } }
    }
    #expect(error?.origin == .client)
    #expect(try await session.run { try $0.query("select count(*) from t").integer(0, 0) } == 2)
  }

  @Test func `values: null, empty, binary-looking, long`() async throws {
    let long = String(repeating: "x", count: 3_000_000)
    let row = try await database.connect().run { connection in
      let result = try connection.query("select null, '', $1::text, true, 42", [long])
      return (
        result[0, 0], result[0, 1], result[0, 2], result.isTrue(0, 3), result.integer(0, 4), result[1, 0],
        result[0, 9]
      )
    }
    #expect(row.0 == nil && row.1 == "" && row.2 == long && row.3 && row.4 == 42)
    #expect(row.5 == nil && row.6 == nil)
  }

  @Test func `a transaction block shows, failed or not`() async throws {
    let states = try await database.connect().run { connection in
      var states = [connection.isInTransaction]
      try connection.execute("begin")
      states.append(connection.isInTransaction)
      _ = try? connection.execute("select 1/0")
      states.append(connection.isInTransaction)
      try connection.execute("rollback")
      return states + [connection.isInTransaction]
    }
    #expect(states == [false, true, true, false])
  }

  @Test func `text of a LATIN1 database arrives as UTF-8`() async throws {
    try await withDatabase(options: "encoding 'LATIN1' locale 'C'") { database in
      #expect(try await database.value("show server_encoding") == "LATIN1")
      try await database.execute("create table \"año\" (a text); insert into \"año\" values ('señal ÿ')")
      #expect(try await database.value("select a from \"año\"") == "señal ÿ")
      #expect(try await database.value("select octet_length(a::bytea) from \"año\"") == "7")
      let error = await #expect(throws: PostgresError.self) { try await database.execute("select '日本'") }
      #expect(error?.sqlState == "22P05")
      let refused = await #expect(throws: PostgresError.self) {
        try await database.execute("select * from niño")
      }
      #expect(refused?.message.contains("niño") == true)
    }
  }
}

@Suite struct `Settings narrowed to the server that was reached` {
  @Test func `lead there alone, though several hosts were named`() async throws {
    let cluster = try await PostgresCluster.shared
    var several = cluster.settings()
    several["host"] = "/nonexistent,\(cluster.host)"
    several["port"] = "1,\(cluster.port)"
    several["target_session_attrs"] = "read-write"
    let connection = try Connection(several, applicationName: "test")
    let narrowed = connection.narrowed(several)
    #expect(narrowed["host"] == cluster.host && narrowed["port"] == "\(cluster.port)")
    #expect(narrowed["hostaddr"] == nil && narrowed["target_session_attrs"] == "any")
    let second = try Connection(narrowed, applicationName: "test")
    #expect(try second.query("select 1").text(0, 0) == "1")
  }
}
