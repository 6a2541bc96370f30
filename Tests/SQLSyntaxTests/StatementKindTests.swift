import SQLSyntax
import Testing

private func relation(_ name: String, schema: String? = nil) -> ObjectReference {
  ObjectReference(.relation, schema: schema, name: name)
}

private func only(_ text: String) throws -> SQLStatement {
  let statements = try script(text).statements
  try #require(statements.count == 1)
  return statements[0]
}

@Suite struct StatementKindTests {
  @Test(arguments: [
    ("create temp table t (x int)", true), ("create table pg_temp.t (x int)", true),
    ("create local temporary table t as select 1", true), ("select 1 as x into temp t", true),
    ("create temp view v as select 1", true), ("create temp sequence s", true),
    ("create table t (x int)", false), ("create unlogged table t (x int)", false),
    ("create table temp as select 1", false),
    ("select 1", false), ("create materialized view m as select 1", false),
  ])
  func `knows what ends with the session`(text: String, isTemporary: Bool) throws {
    #expect(try only(text).createsTemporary == isTemporary)
  }

  static let kinds: [(String, StatementKind, String)] = [
    ("create table a.t (x int)", .createTable(relation("t", schema: "a")), "CREATE TABLE"),
    ("create temp table if not exists t (x int)", .createTable(relation("t")), "CREATE TABLE"),
    ("create unlogged table \"T\" (x int)", .createTable(relation("T")), "CREATE TABLE"),
    ("create table t as select 1", .createTable(relation("t")), "CREATE TABLE AS"),
    ("select 1 as x into t", .createTable(relation("t")), "SELECT INTO"),
    ("create foreign table t (x int) server s", .createTable(relation("t")), "CREATE FOREIGN TABLE"),
    ("create view v as select 1", .createView(relation("v")), "CREATE VIEW"),
    ("create or replace view v as select 1", .createView(relation("v")), "CREATE VIEW"),
    ("create recursive view v (n) as select 1", .createView(relation("v")), "CREATE VIEW"),
    (
      "create materialized view m as select 1", .createMaterializedView(relation("m")),
      "CREATE MATERIALIZED VIEW"
    ),
    (
      "refresh materialized view concurrently a.m",
      .refreshMaterializedView(relation("m", schema: "a"), concurrently: true), "REFRESH MATERIALIZED VIEW"
    ),
    (
      "create or replace function a.f() returns int language sql as 'select 1'",
      .createFunction(ObjectReference(.function, schema: "a", name: "f")), "CREATE FUNCTION"
    ),
    (
      "create procedure p() language sql as ''", .createFunction(ObjectReference(.function, name: "p")),
      "CREATE PROCEDURE"
    ),
    ("alter table t add column x int", .alterTable(relation("t")), "ALTER TABLE"),
    ("alter index i set (fillfactor = 70)", .alterTable(relation("i")), "ALTER INDEX"),
    (
      "alter table p detach partition c concurrently",
      .detachPartitionConcurrently(table: relation("p"), partition: relation("c")), "ALTER TABLE"
    ),
    ("alter table p detach partition c", .alterTable(relation("p")), "ALTER TABLE"),
    (
      "drop index concurrently a.i, j",
      .dropIndex([relation("i", schema: "a"), relation("j")], concurrently: true),
      "DROP INDEX"
    ),
    ("drop index i", .dropIndex([relation("i")], concurrently: false), "DROP INDEX"),
    ("drop table t", .other, "DROP TABLE"),
    ("reindex table concurrently t", .reindex(.table, target: relation("t"), concurrently: true), "REINDEX"),
    (
      "reindex (concurrently) index i", .reindex(.index, target: relation("i"), concurrently: true), "REINDEX"
    ),
    (
      "reindex (concurrently off) index i", .reindex(.index, target: relation("i"), concurrently: false),
      "REINDEX"
    ),
    (
      "reindex database d",
      .reindex(.database, target: ObjectReference(.database, name: "d"), concurrently: false),
      "REINDEX"
    ),
    (
      "alter type a.mood add value if not exists 'ok' after 'sad'",
      .addEnumValue(type: ObjectReference(.type, schema: "a", name: "mood"), value: "ok", ifNotExists: true),
      "ALTER TYPE"
    ),
    ("alter type mood rename value 'a' to 'b'", .other, "ALTER TYPE"),
    ("insert into t values (1)", .insert(.fails), "INSERT"),
    ("insert into t values (1) on conflict do nothing", .insert(.ignores), "INSERT"),
    ("insert into t values (1) on conflict (a) do update set a = 2", .insert(.overwrites), "INSERT"),
    ("insert into t select 1 where not exists (select from t)", .insert(.selects), "INSERT"),
    ("with x as (select 1) insert into t select * from x", .insert(.fails), "INSERT"),
    ("with x as (select 1) select * from x", .select, "SELECT"),
    ("with x as (select 1) delete from t", .delete, "DELETE"),
    ("(select 1)", .select, "SELECT"),
    ("values (1)", .select, "SELECT"),
    ("table t", .select, "SELECT"),
    ("update t set a = 1", .update, "UPDATE"),
    ("merge into t using s on true when matched then delete", .merge, "MERGE"),
    ("call p()", .call, "CALL"),
    ("copy t to stdout", .copy, "COPY"),
    ("do 'begin end'", .doBlock, "DO"),
    ("vacuum analyze t", .vacuum, "VACUUM"),
    ("analyze t", .analyze, "ANALYZE"),
    ("create database d", .createDatabase("d"), "CREATE DATABASE"),
    ("drop database if exists d", .dropDatabase("d"), "DROP DATABASE"),
    ("alter system set work_mem = '1MB'", .alterSystem, "ALTER SYSTEM"),
    ("begin", .transactionControl(.begin(hasModes: false)), "BEGIN"),
    ("begin work", .transactionControl(.begin(hasModes: false)), "BEGIN"),
    (
      "start transaction isolation level serializable", .transactionControl(.begin(hasModes: true)),
      "START TRANSACTION"
    ),
    ("commit", .transactionControl(.commit(chain: false)), "COMMIT"),
    ("end", .transactionControl(.commit(chain: false)), "COMMIT"),
    ("commit and chain", .transactionControl(.commit(chain: true)), "COMMIT"),
    ("abort", .transactionControl(.rollback), "ROLLBACK"),
    ("rollback to s", .transactionControl(.rollbackToSavepoint), "ROLLBACK"),
    ("savepoint s", .transactionControl(.savepoint), "SAVEPOINT"),
    ("release s", .transactionControl(.releaseSavepoint), "RELEASE"),
    ("prepare transaction 'x'", .transactionControl(.prepareTransaction), "PREPARE TRANSACTION"),
    ("commit prepared 'x'", .transactionControl(.commitPrepared), "COMMIT PREPARED"),
    ("create extension pgcrypto", .other, "CREATE EXTENSION"),
    ("create foreign data wrapper w", .other, "CREATE FOREIGN DATA WRAPPER"),
    ("create text search configuration c (copy = simple)", .other, "CREATE TEXT SEARCH CONFIGURATION"),
    (
      "create constraint trigger g after insert on t for each row execute function f()", .other,
      "CREATE TRIGGER"
    ),
    ("alter default privileges grant select on tables to r", .other, "ALTER DEFAULT PRIVILEGES"),
    ("set search_path = a", .other, "SET"),
    ("comment on table t is 'x'", .other, "COMMENT"),
  ]

  @Test(arguments: kinds)
  func `a statement is what it is`(text: String, kind: StatementKind, tag: String) throws {
    let statement = try only(text)
    #expect(statement.kind == kind)
    #expect(statement.commandTag == tag)
    #expect(statement.isAnalysed)
  }

  @Test func `an index is described`() throws {
    let statement = try only("create unique index concurrently if not exists i on a.t (x) where y")
    guard case .createIndex(let index) = statement.kind else {
      Issue.record("not an index")
      return
    }
    #expect(index.index == relation("i", schema: "a"))
    #expect(index.table == relation("t", schema: "a"))
    #expect(index.concurrently && index.ifNotExists && index.unique)
    guard case .createIndex(let unnamed) = try only("create index on t (x)").kind else {
      Issue.record("not an index")
      return
    }
    #expect(unnamed.index == nil)
    #expect(!unnamed.concurrently && !unnamed.ifNotExists && !unnamed.unique)
  }

  @Test(arguments: [
    "create index concurrently i on t (a)", "drop index concurrently i", "reindex index concurrently i",
    "reindex (concurrently true) table t", "reindex database d", "reindex system d", "reindex schema s",
    "vacuum", "vacuum full t", "create database d", "drop database d", "create tablespace s location '/x'",
    "drop tablespace s", "alter system reset all", "alter table p detach partition c concurrently",
    "create subscription s connection 'x' publication p", "drop subscription s", "cluster",
    "discard all", "alter database d set tablespace x", "commit prepared 'x'", "rollback prepared 'x'",
    "alter subscription s refresh publication", "alter subscription s set publication p",
    "reindex (concurrently, verbose) database d",
  ])
  func `a command that cannot run in a transaction says why`(text: String) throws {
    let statement = try only(text)
    #expect(statement.isAnalysed)
    #expect(statement.cannotRunInTransaction?.hasSuffix("cannot run inside a transaction block") == true)
  }

  @Test(arguments: [
    "create index i on t (a)", "drop index i", "reindex index i", "reindex (concurrently false) table t",
    "analyze",
    "alter table p detach partition c", "alter table p detach partition c finalize", "cluster t using i",
    "create subscription s connection 'x' publication p with (create_slot = false)",
    "create subscription s connection 'x' publication p with (connect = off)", "discard plans",
    "alter database d set work_mem = '1MB'", "alter type m add value 'x'",
    "refresh materialized view concurrently m",
    "alter subscription s set publication p with (refresh = false)",
  ])
  func `other commands can`(text: String) throws {
    let statement = try only(text)
    #expect(statement.isAnalysed)
    #expect(statement.cannotRunInTransaction == nil)
  }

  @Test(arguments: [
    "begin; select 1; select 2; commit;", "BEGIN WORK; select 1; select 2; END;",
    "-- head\nstart transaction; select 1; select 2; commit work -- tail\n",
    "begin; select 1; select 2; commit and no chain",
  ])
  func `one outer pair around everything is recognised`(text: String) throws {
    let parsed = try script(text)
    #expect(parsed.outerTransaction != nil)
    #expect(parsed.innerTransactionControl.isEmpty)
    #expect(parsed.statementsWithoutOuterTransaction.map(\.text) == ["select 1", "select 2"])
  }

  @Test func `the outer pair is recognised around a statement the grammar does not know`() throws {
    let parsed = try script("begin; selec 1; commit;")
    #expect(parsed.statementsWithoutOuterTransaction.map(\.text) == ["selec 1"])
  }

  @Test(arguments: [
    ("begin; select 1", ["1:1"]), ("select 1;\n commit;", ["2:2"]),
    ("begin isolation level serializable; select 1; commit", ["1:1", "1:47"]),
    ("begin; select 1; commit and chain", ["1:1", "1:18"]),
    ("begin; select 1; rollback", ["1:1", "1:18"]),
    ("begin; select 1; commit; begin; select 2; commit;", ["1:18", "1:26"]),
    ("begin; savepoint s; select 1; release s; commit", ["1:8", "1:31"]),
    ("begin read only; select 1; end", ["1:1", "1:28"]),
    ("begin", ["1:1"]), ("select 1", []),
    ("do $$ begin commit; end $$; call p();", []),
    ("create procedure p() language plpgsql as $$ begin commit; end $$", []),
  ])
  func `any other transaction control is listed with its place`(text: String, places: [String]) throws {
    #expect(try script(text).innerTransactionControl.map(\.start.description) == places)
  }
}
