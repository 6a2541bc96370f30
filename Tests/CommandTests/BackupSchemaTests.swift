import Foundation
import Postgres
import TestSupport
import Testing

/// Ordinary databases that are not quite what a dump of them is.
@Suite struct BackupSchemaTests {
  @Test func `expressions that print otherwise after a restore, and an invalid index, are no difference`()
    async throws
  {
    try await withBackupProject { project, database in
      try await database.execute(
        """
        create table t (a varchar(10) check (a in ('x', 'y')), n int); insert into t values ('x', 1), ('x', 1);
        create view v as select * from t where a in ('x', 'y');
        create index i on t (n) where a in ('x', 'y')
        """)
      try await database.cluster.connect(database: database.name).run { connection in
        #expect(throws: PostgresError.self) {
          try connection.execute("create unique index concurrently broken on t (n)")
        }
        _ = try connection.execute("comment on index broken is 'left behind'")
      }
      try await project.done("backup")
      let name = database.name + "_again"
      try await project.done("restore latest --into \(name) --yes")
      try await database.cluster.connect().run {
        _ = try $0.execute("drop database \(Quoting.identifier(name))")
      }
    }
  }

  @Test func `a role that reads only, and within a time, by default can restore`() async throws {
    try await PostgresCluster.with { cluster in
      try await withBackupProject(on: cluster) { project, database in
        try await database.execute("create table t (a int)")
        try await project.done("backup")
        try await database.execute(
          "alter role postgres set statement_timeout = '2s'; "
            + "alter role postgres set default_transaction_read_only = on")
        try await project.done("restore latest --into again --yes")
      }
    }
  }

  @Test func `on a standby unlogged tables and sequences are left out, and named`() async throws {
    try await PostgresCluster.with { primary in
      try await withBackupProject(on: primary) { project, database in
        try await database.execute(
          """
          create unlogged table cache (id serial, t text); insert into cache (t) values ('x');
          create unlogged sequence numbers; create table kept (a int); insert into kept values (1)
          """)
        let standby = try await primary.createStandby()
        try await primary.waitForReplay(on: standby)
        let there = ["DATABASE_URL": standby.url(database: database.name)]
        let result = try await project.tsdb("backup", environment: there)
        result.expect(0)
        #expect(result.standardError.contains("public.cache"), "\(result)")
        let tables = try project.manifest(try #require(project.backups().first))["tables"] as? [[String: Any]]
        #expect(tables?.compactMap { $0["name"] as? String } == ["kept"])
        await standby.destroy()
      }
    }
  }
}
