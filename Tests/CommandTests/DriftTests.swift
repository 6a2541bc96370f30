import Foundation
import TestSupport
import Testing

@Suite struct `A change made by hand` {
  private func withTable(_ body: (TestProject, TestDatabase) async throws -> Void) async throws {
    try await withProject([
      "a.sql":
        "create table a (i int, note text);\ncreate index a_i on a (i);\ncreate view v as select i from a;"
    ]) { project, database in
      try await project.done("migrate up")
      try await body(project, database)
    }
  }

  @Test func `is named by verify, and stays until it is undone`() async throws {
    try await withTable { project, database in
      #expect(try await project.done("migrate verify").contains("no drift"))
      try await database.execute(
        "create table extra (i int); drop index a_i; alter table a alter column note set not null")
      let result = try await database.expectUnchanged { try await project.tsdb("migrate verify") }
      #expect(result.exitStatus == 2, "\(result)")
      for text in [
        "added table public.extra", "missing index public.a_i", "not verified", "drifted",
        "migrate accept --catalog",
      ] {
        #expect(result.standardOutput.contains(text), "no \"\(text)\" in: \(result)")
      }
      let json = try await project.tsdb("migrate verify --json").json()
      let drift = try #require(json["drift"] as? [[String: Any]])
      #expect(
        Set(drift.compactMap { $0["change"] as? String }) == ["added", "missing", "changed"], "\(drift)")
      // The next migration neither absorbs it nor minds it, but says so.
      try project.write("b.sql", "create table b (i int);")
      try await project.tsdb("migrate up").expect(
        0, "warning: the database is not as the migrations left it", "ok b")
      try await project.tsdb("migrate verify").expect(2)
      try await database.execute(
        "drop table extra; create index a_i on a (i); alter table a alter column note drop not null")
      #expect(try await project.done("migrate verify").contains("no drift"))
    }
  }

  @Test func `can be taken over, with a reason in the log`() async throws {
    try await withTable { project, database in
      try await database.execute("create table extra (i int)")
      let result = try await project.tsdb(["migrate", "accept", "--catalog", "--reason", "incident 7"])
      #expect(result.exitStatus == 0 && result.standardOutput.hasPrefix("accepted "), "\(result)")
      #expect(try await project.done("migrate verify").contains("no drift"))
      #expect(
        try await database.rows("select action, reason from tsdb.migration_log order by id desc limit 1")
          == [["accepted", "incident 7"]])
      #expect(try await project.done("migrate accept --catalog") == "nothing to accept\n")
    }
  }

  @Test func `in what belongs to somebody else is left out`() async throws {
    try await withTable { project, database in
      try project.write("tsdb.yaml", "migrate:\n  ignore_drift: [\"*monitoring*\"]\n")
      try await database.execute("create schema monitoring; create table monitoring.samples (i int)")
      #expect(try await project.done("migrate verify").contains("no drift"))
      try await database.execute("create table extra (i int)")
      let result = try await project.tsdb("migrate verify")
      #expect(result.exitStatus == 2 && !result.standardOutput.contains("monitoring"), "\(result)")
    }
  }

  @Test func `or by a migration does not bring a foreign server's password into the history`() async throws {
    try await withProject([
      "a.sql": """
      create foreign data wrapper none;
      create server s foreign data wrapper none options (host 'h', password 'pl4nted', api_key 'pl4nted');
      create user mapping for current_user server s options (user 'u', password 'pl4nted');
      create foreign table f (i int) server s options (secret_token 'pl4nted');
      """
    ]) { project, database in
      try await project.done("migrate up --verbose")
      for table in ["catalog_objects", "migrations", "migration_log"] {
        #expect(
          try await database.value("select count(*) from tsdb.\(table) t where t::text ~ 'pl4nted'") == "0",
          "\(table)")
      }
      #expect(
        try await database.value("select count(*) > 0 from tsdb.catalog_objects where definition ~ 'host'")
          == "t")
      try await database.execute("alter server s options (set host 'elsewhere', set password 'pl4nted-too')")
      let result = try await project.tsdb("migrate verify")
      #expect(result.exitStatus == 2 && result.standardOutput.contains("elsewhere"))
      #expect(!result.description.contains("pl4nted"), "\(result)")
    }
  }
}
