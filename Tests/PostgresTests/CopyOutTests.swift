import Foundation
import Postgres
import TestSupport
import Testing

/// What a COPY gave.
struct CopiedRows: Sendable, Equatable {
  var bytes: [UInt8] = []
  var rows = 0
  var parts = 0
  var tagged: Int64 = 0

  var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Connection {
  func copied(_ sql: String, by path: CopyOutPath) throws -> CopiedRows {
    var copied = CopiedRows()
    copied.tagged = try copyOut([UInt8](sql.utf8), by: path) { bytes, endsRow in
      copied.bytes += bytes
      copied.parts += 1
      if endsRow { copied.rows += 1 }
    }
    return copied
  }
}

@Suite(.database) struct `COPY to the client` {
  private var database: TestDatabase {
    get throws { try #require(TestDatabase.current) }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `many rows come in order, and the connection stays usable`(path: CopyOutPath) async throws {
    let copied = try await database.connect().run { connection in
      let copied = try connection.copied("copy (select generate_series(1, 200000)) to stdout", by: path)
      #expect(try connection.query("select 7").text(0, 0) == "7")
      return copied
    }
    #expect(copied.rows == 200_000 && copied.parts == 200_000 && copied.tagged == 200_000)
    #expect(copied.text == (1...200_000).map { "\($0)\n" }.joined())
  }

  @Test(arguments: CopyOutPath.allCases)
  func `an empty table has no rows, one without columns empty ones`(path: CopyOutPath) async throws {
    let (empty, lines) = try await database.connect().run { connection in
      try connection.execute("create table empty (a int); create table nothing ()")
      try connection.execute("insert into nothing select from generate_series(1, 3)")
      return (
        try connection.copied("copy empty to stdout", by: path),
        try connection.copied("copy nothing to stdout", by: path)
      )
    }
    #expect(empty == CopiedRows())
    #expect(lines == CopiedRows(bytes: [10, 10, 10], rows: 3, parts: 3, tagged: 3))
  }

  @Test func `rows around the sizes of the buffers are the same on both paths`() async throws {
    let sizes = [
      1, 8_187, 65_530, 65_531, 65_535, 65_536, 65_537, 131_072, 262_138, 262_144, 262_145, 900_000,
    ]
    let selects = sizes.map { "select \($0), repeat(md5('\($0)'), \($0 / 32 + 1))::varchar(\($0))" }
    let sql = "copy (\(selects.joined(separator: " union all ")) order by 1) to stdout"
    let both = try await database.connect().run { connection in
      try CopyOutPath.allCases.map { try connection.copied(sql, by: $0) }
    }
    #expect(both[0].bytes == both[1].bytes && both[0].rows == sizes.count && both[1].rows == sizes.count)
    #expect(both[0].bytes.count > sizes.reduce(0, +))
    #expect(both[0].parts > both[1].parts)
  }

  @Test func `a row of 300 MB takes no memory`() async throws {
    let size = 300_000_000
    let (bytes, rows, growth) = try await database.connect().run { connection in
      try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
      let before = try peakMemory()
      var bytes = 0
      var others = 0
      let expected = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
      let rows = try connection.copyOut([UInt8]("copy (select repeat('x', \(size))) to stdout".utf8)) {
        part, endsRow in
        bytes += part.count
        guard let start = part.baseAddress else { return }
        if memcmp(start, expected, part.count - (endsRow ? 1 : 0)) != 0 { others += 1 }
      }
      #expect(others == 0)
      return (bytes, rows, try peakMemory() - before)
    }
    #expect(bytes == size + 1 && rows == 1)
    // Other tests of this process are at work as well.
    #expect(growth < 100 << 20, "\(growth >> 20) MiB")
  }

  @Test(arguments: CopyOutPath.allCases)
  func `notices between the rows are kept, long ones too`(path: CopyOutPath) async throws {
    let (copied, notices, long) = try await database.connect().run { connection in
      try connection.execute(
        """
        create function said(a int) returns int language plpgsql as $$
          begin raise notice 'row %', a using hint = 'ñ'; return a; end $$;
        create function shouted() returns int language plpgsql as $$
          begin raise warning '%', repeat('w', 200000); return 1; end $$
        """)
      let copied = try connection.copied(
        "copy (select said(i) from generate_series(1, 900) i) to stdout", by: path)
      let notices = connection.takeNotices()
      #expect(try connection.copied("copy (select shouted()) to stdout", by: path).text == "1\n")
      return (copied, notices, connection.takeNotices())
    }
    #expect(copied.rows == 900 && notices.map(\.message) == (1...900).map { "row \($0)" })
    #expect(notices.first?.severity == "NOTICE" && notices.first?.hint == "ñ")
    #expect(long.count == 1 && long[0].severity == "WARNING" && long[0].message.hasPrefix("wwww"))
    #expect(long.first?.message.count ?? 0 > 60_000)
  }

  @Test(arguments: CopyOutPath.allCases)
  func `a setting that the server reports meanwhile is known`(path: CopyOutPath) async throws {
    let names = try await database.connect().run { connection in
      var names: [String?] = []
      let sql =
        "copy (select set_config('application_name', 'changed ' || i, false) from generate_series(1, 3) i) to stdout"
      _ = try connection.copied(sql, by: path)
      names.append(connection.parameterStatus("application_name"))
      try connection.execute("set application_name = 'later'")
      names.append(connection.parameterStatus("application_name"))
      _ = try connection.copied(sql, by: path)
      names.append(connection.parameterStatus("application_name"))
      return names
    }
    #expect(names == ["changed 3", "later", "changed 3"])
  }

  @Test(arguments: CopyOutPath.allCases)
  func `an error in the middle is the server's, and the connection stays usable`(path: CopyOutPath)
    async throws
  {
    try await database.connect().run { connection in
      try connection.execute("begin")
      var rows = 0
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyOut(
          [UInt8]("copy (select 1/(10000 - i) from generate_series(0, 20000) i) to stdout".utf8), by: path
        ) { _, _ in rows += 1 }
      }
      #expect(error?.sqlState == "22012" && error?.origin == .server && rows <= 10_000)
      #expect(Bool(connection.isInTransaction))
      let aborted = #expect(throws: PostgresError.self) {
        _ = try connection.copied("copy (select 1) to stdout", by: path)
      }
      #expect(aborted?.sqlState == "25P02")
      try connection.execute("rollback")
      #expect(Bool(!connection.isInTransaction))
      #expect(try connection.copied("copy (select 1) to stdout", by: path).text == "1\n")
    }
  }

  @Test func `an error has position, detail and context on both paths`() async throws {
    let errors = try await database.connect().run { connection in
      try connection.execute(
        """
        create function failing() returns int language plpgsql as $$
          begin raise exception 'no %', 'ñ' using errcode = 'TS001', detail = 'd', hint = 'h', constraint = 'c'; end $$
        """)
      return CopyOutPath.allCases.map { path in
        [
          "copy (select failing()) to stdout", "copy (select nowhere) to stdout", "copi",
          "copy missing to stdout",
        ]
        .map { sql in
          #expect(throws: PostgresError.self) { _ = try connection.copied(sql, by: path) }
        }
      }
    }
    #expect(errors[0] == errors[1])
    #expect(
      errors[0][0]?.sqlState == "TS001" && errors[0][0]?.constraint == "c" && errors[0][0]?.message == "no ñ")
    #expect(errors[0][0]?.context?.contains("failing") == true && errors[0][1]?.position == 14)
  }

  @Test(
    arguments: [
      "select 1", "create table u (a int)", "", "copy t to stdout (format binary)",
      "select repeat('x', 1000000)",
    ], CopyOutPath.allCases)
  func `what is no COPY in text format is refused`(sql: String, path: CopyOutPath) async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a int); insert into t values (1)")
      let error = #expect(throws: PostgresError.self) { _ = try connection.copied(sql, by: path) }
      #expect(error?.origin == .client)
      #expect(try connection.query("select 1").text(0, 0) == "1")
    }
  }

  @Test(arguments: [1, 5_000, 100_000], CopyOutPath.allCases)
  func `what the body throws is thrown, and the COPY stopped`(row: Int, path: CopyOutPath) async throws {
    struct Enough: Error, Equatable { let row: Int }
    try await database.connect().run { connection in
      let process = try connection.query("select pg_backend_pid()").text(0, 0)
      // The last of them stops where nothing is left to be stopped.
      for last in [1_000_000_000, 100_000] {
        var rows = 0
        #expect(throws: Enough(row: row)) {
          _ = try connection.copyOut(
            [UInt8]("copy (select generate_series(1, \(last))) to stdout".utf8), by: path
          ) {
            _, _ in
            rows += 1
            if rows >= row { throw Enough(row: rows) }
          }
        }
        #expect(rows == row)
        #expect(try connection.query("select pg_backend_pid()").text(0, 0) == process)
      }
    }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `an imported snapshot is what is read`(path: CopyOutPath) async throws {
    let database = try database
    let leader = database.connect()
    let snapshot = try await leader.run { connection in
      try connection.execute("create table t (a int); insert into t values (1), (2)")
      try connection.execute("begin isolation level repeatable read read only")
      return try connection.query("select pg_export_snapshot()").text(0, 0)
    }
    try await database.execute("insert into t values (3)")
    let texts = try await database.connect().run { connection in
      try connection.execute("begin isolation level repeatable read read only")
      try connection.execute("set transaction snapshot '\(snapshot)'")
      let first = try connection.copied("copy t to stdout", by: path).text
      try connection.execute("commit")
      return [first, try connection.copied("copy t to stdout", by: path).text]
    }
    #expect(texts == ["1\n2\n", "1\n2\n3\n"])
  }

  @Test(arguments: CopyOutPath.allCases)
  func `every byte survives without conversion`(path: CopyOutPath) async throws {
    try await withDatabase(options: "encoding 'SQL_ASCII' locale 'C'") { database in
      try await database.connect().run { connection in
        try connection.setClientEncoding("SQL_ASCII")
        #expect(Bool(connection.clientEncoding == "SQL_ASCII"))
        let table: [UInt8] = [0x22, 0xE9, 0xFF, 0x22]
        try connection.execute([UInt8]("create table ".utf8) + table + [UInt8](" (a text)".utf8))
        var line: [UInt8] = []
        for byte in UInt8(1)...255 {
          switch byte {
          case UInt8(ascii: "\\"): line += [byte, byte]
          case 8...13: line += [0x5C, Array("btnvfr".utf8)[Int(byte) - 8]]
          default: line.append(byte)
          }
        }
        line.append(10)
        let all = (0..<1_000).flatMap { _ in line }
        let copyIn = [UInt8]("copy ".utf8) + table + [UInt8](" from stdin".utf8)
        #expect(try connection.copyIn(copyIn) { send in try all.withUnsafeBytes { try send($0) } } == 1_000)
        var back: [UInt8] = []
        let copyOut = [UInt8]("copy ".utf8) + table + [UInt8](" to stdout".utf8)
        #expect(try connection.copyOut(copyOut, by: path) { bytes, _ in back += bytes } == 1_000)
        #expect(back == all)
        let value = try connection.execute([UInt8]("select a from ".utf8) + table + [UInt8](" limit 1".utf8))
          .bytes(0, 0)
        #expect(value == [UInt8](1...255))
        let error = #expect(throws: PostgresError.self) {
          _ = try connection.copyOut(
            [UInt8]("copy ".utf8) + [0x22, 0xE8, 0x22] + [UInt8](" to stdout".utf8), by: path
          ) { _, _ in }
        }
        #expect(error?.sqlState == "42P01" && error?.message.contains("\u{FFFD}") == true)
      }
    }
  }

  @Test(arguments: CopyOutPath.allCases)
  func `rows come in the client encoding`(path: CopyOutPath) async throws {
    try await withDatabase(options: "encoding 'LATIN1' locale 'C'") { database in
      try await database.connect().run { connection in
        try connection.execute("create table t (a text); insert into t values ('señal ÿ')")
        #expect(try connection.copied("copy t to stdout", by: path).text == "señal ÿ\n")
        try connection.setClientEncoding("LATIN1")
        #expect(Bool(connection.clientEncoding == "LATIN1"))
        let latin = [UInt8]("se".utf8) + [0xF1] + [UInt8]("al ".utf8) + [0xFF, 10]
        #expect(try connection.copied("copy t to stdout", by: path).bytes == latin)
        #expect(
          try connection.copyIn([UInt8]("copy t from stdin".utf8)) { send in
            try latin.withUnsafeBytes { try send($0) }
          }
            == 1)
        #expect(try connection.query("select count(distinct a), count(*) from t").rows() == [["1", "2"]])
      }
    }
  }
}

/// The highest memory use of this process so far, in bytes.
func peakMemory() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
  return try #require(line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first) << 10
}
