import Postgres
import TestSupport
import Testing

@Suite struct `Quoting of names and values` {
  static let awkward = [
    "plain", "Mixed Case", "with \"quotes\"", "it's", "back\\slash", "\\' or 1=1 --", "new\nline", "tab\t",
    "dollar $$ $1", "ñandú 日本語 🐘", "e\u{301} combined", "a\r\nb", "{1,\"2\",NULL}", "", " ", ";--",
    "\"'\\\"'",
  ]

  @Test(arguments: awkward)
  func `a literal arrives as it was, whatever standard_conforming_strings is`(text: String) async throws {
    let session = try await PostgresCluster.shared.connect()
    for isStandard in ["on", "off"] {
      let value = try await session.run { connection in
        try connection.execute("set standard_conforming_strings = \(isStandard)")
        return try connection.execute("select \(Quoting.literal(text))")[0, 0]
      }
      #expect(value.map { Array($0.utf8) } == Array(text.utf8))
    }
  }

  @Test(arguments: awkward.filter { !$0.isEmpty })
  func `an identifier names exactly that column`(name: String) async throws {
    let session = try await PostgresCluster.shared.connect()
    let keys = try await session.run { connection in
      try connection.execute(
        "select array_to_string(array(select json_object_keys(row_to_json(t))), '') from "
          + "(select 1 as \(Quoting.identifier(name))) as t")[0, 0]
    }
    #expect(keys == name)
  }

  @Test func `a text array arrives element by element`() async throws {
    let session = try await PostgresCluster.shared.connect()
    let texts = Self.awkward + ["null", "NULL"]
    let rows = try await session.run { connection in
      try connection.query("select unnest($1::text[])", [Quoting.textArray(texts)]).rows()
    }
    #expect(rows.map { $0[0] } == texts)
  }

  @Test func `no value is null`() {
    #expect(Quoting.literal(String?.none) == "null")
    #expect(Quoting.identifier("s", "t\"x") == "\"s\".\"t\"\"x\"")
  }
}
