import Postgres
import TestSupport
import Testing

@Suite(.database) struct `Bytes` {
  private var database: TestDatabase {
    get throws { try #require(TestDatabase.current) }
  }

  @Test func `a statement in bytes runs, several in one call as well; a NUL byte is refused`() async throws {
    try await database.connect().run { connection in
      let result = try connection.execute([UInt8]("create table \"ñ\" (a int); select 'ñ', null".utf8))
      #expect(
        result.bytes(0, 0) == [UInt8]("ñ".utf8) && result.bytes(0, 1) == nil && result.bytes(1, 0) == nil)
      let error = #expect(throws: PostgresError.self) {
        _ = try connection.execute([UInt8]("select 1".utf8) + [0, 59])
      }
      #expect(error?.origin == .client)
      #expect(throws: PostgresError.self) { try connection.setClientEncoding("no such; ' encoding") }
      #expect(Bool(connection.clientEncoding == "UTF8"))
    }
  }

  @Test(arguments: [0, 1, 2_048, 262_143, 262_144, 262_145, 700_001])
  func `a large object is written and read`(size: Int) async throws {
    var generator = SeededGenerator(seed: UInt64(size))
    let content = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
    try await database.connect().run { connection in
      let oid = UInt32(try connection.query("select lo_create(0)").text(0, 0)) ?? 0
      let written = try connection.writeLargeObject(oid) { send in
        try content.withUnsafeBytes { bytes in
          for start in stride(from: 0, to: bytes.count, by: 100_001) {
            try send(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 100_001, bytes.count)]))
          }
        }
      }
      var back: [UInt8] = []
      let read = try connection.readLargeObject(oid) { back += $0 }
      #expect(written == Int64(size) && read == Int64(size) && back == content)
    }
  }

  @Test func `a large object that is not there is 42704; what body and producer throw is thrown`()
    async throws
  {
    struct Enough: Error {}
    try await database.connect().run { connection in
      let missing = #expect(throws: PostgresError.self) {
        try connection.readLargeObject(4_294_967_295) { _ in }
      }
      #expect(missing?.sqlState == "42704")
      let unwritten = #expect(throws: PostgresError.self) {
        try connection.writeLargeObject(4_294_967_295) { _ in }
      }
      #expect(unwritten?.sqlState == "42704")
      let oid = UInt32(try connection.query("select lo_from_bytea(0, 'abc')").text(0, 0)) ?? 0
      #expect(throws: Enough.self) { try connection.readLargeObject(oid) { _ in throw Enough() } }
      #expect(throws: Enough.self) { try connection.writeLargeObject(oid) { _ in throw Enough() } }
      #expect(try connection.query("select 1").text(0, 0) == "1")
    }
  }
}
