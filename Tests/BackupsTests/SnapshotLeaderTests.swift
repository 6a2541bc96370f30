import Compression
import Postgres
import TestSupport
import Testing

@testable import Backups

/// Renames that come in between the listing of the tables and the reading of their rows.
@Suite struct SnapshotLeaderTests {
  private func leader(_ database: TestDatabase) -> SnapshotLeader {
    SnapshotLeader(
      session: Session(database.settings, applicationName: "leader"),
      options: BackupOptions(jobs: 1, compression: .none, historySchema: "tsdb", tool: "test"))
  }

  @Test func `a table that gave its name away while its lock was waited for is locked as well`() async throws
  {
    try await withDatabase { database in
      try await database.execute("create table t (a int); insert into t values (1)")
      let other = Session(database.settings, applicationName: "other")
      try await other.run {
        _ = try $0.execute("begin; alter table t rename to t_old; create table t (a int)")
      }
      let leader = leader(database)
      let opening = Task { try await leader.open(selection: nil) }
      while try await database.value("select count(*) from pg_locks where not granted") == "0" {
        try await Task.sleep(for: .milliseconds(5))
      }
      try await other.run { _ = try $0.execute("commit") }
      let snapshot = try await opening.value
      #expect(snapshot.relations.map(\.nameText) == ["t_old", "t"])
      let locked = try await database.value(
        """
        select string_agg(c.relname, ',' order by c.oid) from pg_locks l
          join pg_class c on c.oid = l.relation and c.relname ~ '^t'
        where l.pid = \(snapshot.processID) and l.mode = 'AccessShareLock'
        """)
      #expect(locked == "t_old,t")
      await leader.session.close()
      await other.close()
    }
  }

  @Test func `a schema that is renamed after the snapshot is noticed, and only then`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create schema app; create table app.t (a int); create schema next; create table next.t (a int)")
      let leader = leader(database)
      let snapshot = try await leader.open(selection: nil)
      try await leader.session.run { try SnapshotLeader.checkNames(snapshot.relations, on: $0) }
      try await database.execute("alter schema app rename to old; alter schema next rename to app")
      let error = await #expect(throws: BackupError.self) {
        try await leader.session.run { try SnapshotLeader.checkNames(snapshot.relations, on: $0) }
      }
      #expect(error?.kind == .tryAgain)
      await leader.session.close()
    }
  }
}
