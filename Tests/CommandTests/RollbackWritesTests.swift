import Foundation
import Postgres
import TestSupport
import Testing

/// What a rollback says that it would lose.
@Suite struct `the rows that a rollback would lose` {
  /// A first deployment that brings rows and views of its own.
  private static let files: KeyValuePairs<String, String> = [
    "tsdb.yaml": "deploy:\n  prove: false\n",
    "one.sql": """
    create table one (i int primary key, name text);
    insert into one select n, 'n' from generate_series(1, 300) n;
    update one set name = 'm'; delete from one where i > 200;
    """,
    "two.sql":
      "-- tsdb: requires one\ncreate materialized view two as select count(*) as n from one;\ncreate unique index on two (n);",
    "seeds/first.sql": "insert into one values (-1, 'seed') on conflict do nothing;",
  ]

  private func deployed(_ body: (TestProject, TestDatabase) async throws -> Void) async throws {
    try await withProject(Self.files) { project, database in
      try await project.done("deploy")
      try await body(project, database)
    }
  }

  /// As an application: its counts are reported when its session ends.
  private func write(_ statements: String, in database: TestDatabase) async throws {
    let session = Session(database.settings, applicationName: "the shop")
    let process = try await session.run { connection in
      try connection.execute(statements)
      return try connection.query("select pg_backend_pid()").integer(0, 0) ?? 0
    }
    await session.close()
    try await waitUntil {
      try await database.cluster.value("select count(*) from pg_stat_activity where pid = \(process)") == "0"
    }
  }

  private func preview(_ project: TestProject) async throws -> String {
    try await project.done("rollback --dry-run")
  }

  @Test func `are those that the application wrote, not the deployment's own or the catalogue's`()
    async throws
  {
    try await deployed { project, database in
      #expect(try await preview(project).contains("about 0 rows since the deployment's end; before it"))
      try await write(
        "insert into one select n, 'x' from generate_series(1001, 1004) n; update one set name = 'y' where i = 1; delete from one where i in (3, 4)",
        in: database)
      let text = try await preview(project)
      #expect(
        text.contains("about 7 rows (4 inserted, 1 updated, 2 deleted) since the deployment's end"), "\(text)"
      )
      #expect(text.contains("with those that the deployment itself wrote"), "\(text)")
      let lines = try await project.tsdb("rollback --dry-run --json").standardOutput.split(separator: "\n")
      let last = try #require(lines.last)
      let json = try #require(JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
      let writes = try #require(json["writes"] as? [String: Any])
      let since = try #require(writes["since_deployment"] as? [String: Any])
      #expect(since["total"] as? Int == 7 && since["deleted"] as? Int == 2 && since["updated"] as? Int == 1)
      // 300 inserted, 300 updated, 100 deleted, one of the seed.
      #expect((writes["since_backup"] as? [String: Any])?["total"] as? Int == 708, "\(writes)")
    }
  }

  @Test func `after a failed file as well`() async throws {
    try await deployed { project, database in
      try project.write(
        "three.sql",
        "-- tsdb: requires two\ninsert into one select n, 'x' from generate_series(2001, 2050) n;")
      try project.write("four.sql", "-- tsdb: requires three\nselect 1 / 0;")
      try await project.tsdb("deploy").expect(1, "division by zero")
      try await write("insert into one values (5000, 'z')", in: database)
      let text = try await preview(project)
      #expect(
        text.contains(
          "about 1 row (1 inserted) since the deployment's end; before it, since the backup, 50,"),
        "\(text)")
    }
  }

  @Test(arguments: [
    "select pg_stat_reset()", "select pg_stat_reset_single_table_counters('one'::regclass)",
    "drop table one cascade",
  ])
  func `are not known once counters are gone`(_ statement: String) async throws {
    try await deployed { project, database in
      try await write("insert into one values (5000, 'z')", in: database)
      try await write(statement, in: database)
      let text = try await preview(project)
      #expect(text.contains("how many rows is not known (") && !text.contains("about"), "\(text)")
    }
  }

  @Test func `are not known after a crash of the server, nor in another database of the name`() async throws {
    try await PostgresCluster.with { cluster in
      try await withProject(Self.files, on: cluster) { project, database in
        try await project.done("deploy")
        let victim = Session(database.settings, applicationName: "the victim")
        let process = try await victim.run { try $0.query("select pg_backend_pid()").integer(0, 0) ?? 0 }
        kill(pid_t(process), SIGKILL)
        await victim.close()
        try await waitUntil { cluster.log().contains("was terminated by signal 9") }
        try await waitUntil {
          (try? await cluster.value("select pg_is_in_recovery()")) == "f"
        }
        // More than all that had been counted before.
        try await write("insert into one select n, 'x' from generate_series(10000, 12000) n", in: database)
        let text = try await preview(project)
        #expect(text.contains("how many rows is not known (the server's statistics began anew"), "\(text)")
      }
      try await withProject(Self.files, on: cluster) { project, database in
        try await project.done("deploy")
        try await cluster.connect().run { [name = database.name] connection in
          try connection.execute("alter database \(name) rename to \(name)_other")
          try connection.execute("create database \(name) template \(name)_other")
        }
        let text = try await preview(project)
        #expect(text.contains("or the database is another one"), "\(text)")
        try await cluster.connect().run { [name = database.name] connection in
          try connection.execute("drop database \(name)_other")
        }
      }
    }
  }

  @Test func `are not known by a record of an earlier version`() async throws {
    try await deployed { project, _ in
      let id = try #require(try project.deployment()["id"] as? String)
      let path = ".tsdb/deployments/\(id)/record.json"
      var record = try project.deployment()
      record["writes_at_backup"] = nil
      record["writes_at_end"] = nil
      record["writes_before"] = 12
      try project.write(
        path, String(decoding: try JSONSerialization.data(withJSONObject: record), as: UTF8.self))
      let text = try await preview(project)
      #expect(text.contains("how many rows is not known (the deployment has not noted"), "\(text)")
    }
  }
}
