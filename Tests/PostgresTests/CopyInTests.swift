import Foundation
import Postgres
import TestSupport
import Testing

@Suite(.database) struct `COPY from the client` {
  private var database: TestDatabase {
    get throws { try #require(TestDatabase.current) }
  }

  private static let statement = [UInt8]("copy t from stdin".utf8)

  @Test(arguments: [1, 7, 4_096, 65_536, 65_537, 10_000_000])
  func `rows may be cut anywhere`(pieceSize: Int) async throws {
    let count = pieceSize < 100 ? 2_000 : 100_000
    let (stored, sum) = try await database.connect().run { connection in
      try connection.execute("create table t (a bigint, b text)")
      let rows = [UInt8]((1...count).map { "\($0)\tseñal \($0)\n" }.joined().utf8)
      let stored = try connection.copyIn(Self.statement) { send in
        try rows.withUnsafeBytes { bytes in
          for start in stride(from: 0, to: bytes.count, by: pieceSize) {
            try send(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + pieceSize, bytes.count)]))
          }
        }
      }
      return (stored, try connection.query("select sum(a) from t where b = 'señal ' || a").integer(0, 0))
    }
    #expect(stored == Int64(count) && sum == count * (count + 1) / 2)
  }

  @Test func `no rows at all are stored, and none is an error`() async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a int)")
      #expect(
        try connection.copyIn(Self.statement) { send in try send(UnsafeRawBufferPointer(start: nil, count: 0))
        } == 0)
      #expect(try connection.copyIn(Self.statement) { _ in } == 0)
    }
  }

  @Test func `bad data is the server's error with its line, and ends the sending`() async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a int)")
      var sent = 0
      let good = [UInt8](String(repeating: "1\n", count: 50_000).utf8)
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyIn(Self.statement) { send in
          for number in 0..<100_000 {
            if number == 1 { try [UInt8]("no number\n".utf8).withUnsafeBytes { try send($0) } }
            try good.withUnsafeBytes { try send($0) }
            sent += 1
          }
        }
      }
      #expect(error?.sqlState == "22P02" && error?.origin == .server)
      #expect(error?.context?.contains("COPY t, line 50001, column a: \"no number\"") == true)
      #expect(sent < 10_000)
      #expect(try connection.query("select count(*) from t").integer(0, 0) == 0)
    }
  }

  @Test func `a server's error is thrown though the producer goes on`() async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a int constraint positive check (a > 0))")
      let rows = [UInt8](String(repeating: "1\n", count: 50_000).utf8)
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyIn(Self.statement) { send in
          try [UInt8]("-1\n".utf8).withUnsafeBytes { try send($0) }
          for _ in 0..<200 { rows.withUnsafeBytes { try? send($0) } }
        }
      }
      #expect(error?.sqlState == "23514" && error?.constraint == "positive")
      #expect(try connection.query("select count(*) from t").integer(0, 0) == 0)
    }
  }

  @Test func `what the producer throws is thrown, and nothing is stored`() async throws {
    struct NoMore: Error {}
    try await database.connect().run { connection in
      try connection.execute("create table t (a int)")
      let rows = [UInt8](String(repeating: "1\n", count: 50_000).utf8)
      for count in [0, 1, 100] {
        #expect(throws: NoMore.self) {
          _ = try connection.copyIn(Self.statement) { send in
            for _ in 0..<count { try rows.withUnsafeBytes { try send($0) } }
            throw NoMore()
          }
        }
        #expect(try connection.query("select count(*) from t").integer(0, 0) == 0)
      }
    }
  }

  @Test func `notices of triggers neither stop nor block it`() async throws {
    let notices = try await database.connect().run { connection in
      try connection.execute(
        """
        create table t (a int);
        create function said() returns trigger language plpgsql as $$
          begin
            raise notice '%', repeat('n', 20000) || new.a;
            return new;
          end $$;
        create trigger said before insert on t for each row execute function said()
        """)
      let stored = try connection.copyIn(Self.statement) { send in
        for number in 1...1_500 { try [UInt8]("\(number)\n".utf8).withUnsafeBytes { try send($0) } }
      }
      #expect(stored == 1_500)
      return connection.takeNotices()
    }
    #expect(notices.count == 1_001 && notices[41].message.hasSuffix("n42"))
  }

  @Test func `300 MB take no memory`() async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a text)")
      try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
      let before = try peakMemory()
      let line = [UInt8](String(repeating: "x", count: 1 << 20).utf8)
      let stored = try connection.copyIn([UInt8]("copy t from stdin where false".utf8)) { send in
        for _ in 0..<300 { try line.withUnsafeBytes { try send($0) } }
      }
      #expect(stored == 0)
      #expect(try peakMemory() - before < 100 << 20)
    }
  }

  @Test(arguments: ["select 1", "create table u (a int)", "copy t to stdout", ""])
  func `what is no COPY from the client is refused`(sql: String) async throws {
    try await database.connect().run { connection in
      try connection.execute("create table t (a int); insert into t values (1)")
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.copyIn([UInt8](sql.utf8)) { _ in }
      }
      #expect(error?.origin == .client)
      #expect(try connection.query("select 1").text(0, 0) == "1")
    }
  }

  @Test func `a refused statement is the server's error`() async throws {
    try await database.connect().run { connection in
      let error = #expect(throws: PostgresError.self) { _ = try connection.copyIn(Self.statement) { _ in } }
      #expect(error?.sqlState == "42P01")
      let one = try connection.query("select 1").text(0, 0)
      #expect(one == "1")
    }
  }
}
