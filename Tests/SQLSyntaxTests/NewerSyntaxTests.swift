import SQLSyntax
import Testing

/// Syntax of PostgreSQL 16 to 18.
@Suite struct NewerSyntaxTests {
  @Test(arguments: [
    "merge into t using s on t.a = s.a when matched then delete returning t.a",
    "merge into t using s on t.a = s.a when not matched by source then delete",
    "create table t (a int, b int generated always as (a * 2) virtual)",
    "select * from json_table('[]', '$[*]' columns (a int path '$.a')) j",
    "alter table t add constraint c not null a not valid",
    "alter table t alter constraint c not enforced",
    "create table t (a int4range, constraint p primary key (a without overlaps))",
    "update t set a = 1 returning old.a, with",
    "select json_exists('{}', '$.a' error on error)",
  ])
  func `a statement the grammar does not know is kept for the server`(text: String) throws {
    let parsed = try script("create table x (a int); \(text); insert into x values (1)")
    #expect(parsed.statements.map(\.text) == ["create table x (a int)", text, "insert into x values (1)"])
    #expect(parsed.statements.map(\.isAnalysed) == [true, false, true])
    #expect(parsed.statements[1].isOpaque)
    #expect(parsed.statements[1].uses.isEmpty)
    #expect(parsed.statements[0].creates.contains(ObjectReference(.relation, name: "x")))
  }

  @Test(arguments: [
    "0xFF", "0Xff_00", "0o17", "0b1010", "0b_1", "1_000", "1_000.5", "1_0.0_1e1_0", "1.5_5", "1e1_0", "0x_F",
    "1_000e-1_0",
  ])
  func `a number of PostgreSQL 16 is read like any other`(literal: String) throws {
    let text = "select \(literal) from t; select '\(literal)', \(literal), \(literal)"
    let parsed = try script(text)
    #expect(
      parsed.statements.map(\.text) == [
        "select \(literal) from t", "select '\(literal)', \(literal), \(literal)",
      ])
    #expect(parsed.statements.map(\.isAnalysed) == [true, true])
    #expect(parsed.statements[0].uses == [ObjectReference(.relation, name: "t")])
  }

  @Test func `an error behind a newer number has its place`() {
    let error = #expect(throws: SQLSyntaxError.self) {
      try script("select 'é', 1_000;\nselect 0xFF, 'x")
    }
    #expect(error?.reason == .unterminatedString)
    #expect(error?.position.description == "2:14")
  }

  @Test func `many newer numbers do not make a file slow`() throws {
    let text = String(repeating: "insert into t values (1_000, 0xFF);\n", count: 5_000)
    let clock = ContinuousClock()
    let duration = try clock.measure { _ = try script(text) }
    #expect(duration < .seconds(30))
  }

  @Test(arguments: [
    ("commit and foo", "COMMIT"), ("begin foo", "BEGIN"), ("savepoint", "SAVEPOINT"),
    ("rollback to savepoint a b", "ROLLBACK"), ("start transaction foo", "START TRANSACTION"),
    ("end foo", "COMMIT"), ("abort foo", "ROLLBACK"), ("release a b", "RELEASE"),
    ("prepare transaction foo", "PREPARE TRANSACTION"),
  ])
  func `transaction control is recognised even when it does not parse`(text: String, tag: String) throws {
    let parsed = try script("select 1; \(text)")
    #expect(parsed.statements[1].isTransactionControl)
    #expect(parsed.statements[1].commandTag == tag)
    #expect(!parsed.statements[1].isAnalysed)
    #expect(parsed.innerTransactionControl.count == 1)
  }

  @Test(arguments: [
    "create index concurrently i on t (a) new clause", "create unique index concurrently i on t (a) x y",
    "drop index concurrently i new", "reindex (new) index concurrently a b", "vacuum t new",
    "create database d new = ",
    "drop database d new", "alter system set x to to", "create tablespace t new", "reindex schema a b",
    "create subscription s new",
  ])
  func `what cannot run in a transaction is recognised even when it does not parse`(text: String) throws {
    let statement = try #require(try script(text).statements.first)
    #expect(!statement.isAnalysed)
    #expect(statement.cannotRunInTransaction?.hasSuffix("cannot run inside a transaction block") == true)
  }
}
