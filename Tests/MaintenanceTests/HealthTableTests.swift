import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

/// Partitions, retention and sequences on a real server.
@Suite struct HealthTableTests {
  @Test func `partitions that are not ready, and rows in DEFAULT, are told`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table p (at timestamptz) partition by range (at);
        create table p_0 partition of p for values from (minvalue) to ('2026-02-01 00:00+00');
        create table p_1 partition of p for values from ('2026-02-01 00:00+00') to ('2026-03-01 00:00+00');
        create table p_3 partition of p for values from ('2026-04-01 00:00+00') to ('2026-05-01 00:00+00')
        """)
      let jobs = [job(.partitions([PartitionRule(table: "public.p", ahead: 1)]))]
      func look(_ now: UTCTime) async throws -> HealthFinding {
        try await health(database, "partitions", jobs: jobs, now: now)
      }
      let january = UTCTime(year: 2026, month: 1, day: 15)
      #expect(try await look(january).status == .ok)
      // There is one for April, but none for March.
      let february = UTCTime(year: 2026, month: 2, day: 15)
      #expect(try await look(february).summary == "table public.p has 0 of 1 partitions ready ahead")
      #expect(try await look(february).status == .critical)
      #expect(
        try await look(UTCTime(year: 2026, month: 3, day: 1)).summary
          == "table public.p has no partition for the present")
      try await database.execute("create table d partition of p default; insert into p values ('2026-03-03')")
      let withRows = try await look(january)
      #expect(withRows.status == .warning)
      #expect(withRows.summary == "1 row in DEFAULT partition public.d")
    }
  }

  @Test func `partitions that should be gone are told`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table p (at date) partition by range (at);
        create table p_1 partition of p for values from ('2026-01-01') to ('2026-02-01');
        create table p_2 partition of p for values from ('2026-02-01') to ('2026-03-01')
        """)
      let rule = PartitionRule(table: "public.p", ahead: 0, keep: .seconds(10 * 86_400))
      func look(_ day: Int) async throws -> HealthFinding {
        try await health(
          database, "partitions", jobs: [job(.partitions([rule]))],
          now: UTCTime(year: 2026, month: 2, day: day))
      }
      #expect(try await look(13).status == .ok)
      #expect(try await look(15).summary == "1 partition of public.p should have been dropped")
    }
  }

  @Test func `a detach that was interrupted is told with the statement that ends it`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table p (at date) partition by range (at);
        create table p_1 partition of p for values from ('2026-01-01') to ('2026-02-01');
        create table p_2 partition of p for values from ('2026-02-01') to ('2026-03-01')
        """)
      let reader = database.connect()
      try await reader.run { _ = try $0.execute("begin; select * from p") }
      let detacher = database.connect()
      await #expect(throws: PostgresError.self) {
        try await detacher.run {
          try $0.execute("set statement_timeout = '500ms'")
          _ = try $0.execute("alter table p detach partition p_2 concurrently")
        }
      }
      try await reader.run { _ = try $0.execute("rollback") }
      let jobs = [job(.partitions([PartitionRule(table: "public.p", ahead: 0)]))]
      let now = UTCTime(year: 2026, month: 1, day: 15)
      let finding = try await health(database, "partitions", jobs: jobs, now: now)
      #expect(finding.status == .warning)
      try await database.execute(try #require(finding.problems.first?.remedy))
      #expect(try await health(database, "partitions", jobs: jobs, now: now).status == .ok)
    }
  }

  @Test func `a table that is missing, and one that is not partitioned, are told`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int)")
      let rules = ["nowhere.x", "public.t", "no dot"].map { PartitionRule(table: $0) }
      let finding = try await health(database, "partitions", jobs: [job(.partitions(rules))])
      #expect(
        finding.problems.map(\.summary) == [
          "table nowhere.x does not exist", "table public.t is not partitioned",
          "table no dot does not exist",
        ])
    }
  }

  @Test func `rows that should be gone are told, and a run that deletes none of them is critical`()
    async throws
  {
    try await withDatabase { database in
      try await database.execute(
        """
        create table t (at timestamptz, keep boolean not null default false); create index on t (at);
        insert into t select now() - interval '12 days' from generate_series(1, 3);
        insert into t values (now() - interval '10 days 1 hour', false), (now() - interval '90 days', true), (now(), false)
        """)
      let jobs = [
        job(
          .retention([
            RetentionRule(
              table: "public.t", column: "at", keep: .seconds(10 * 86_400), condition: "not keep -- and so")
          ]))
      ]
      func look() async throws -> HealthFinding {
        try await health(database, "retention-backlog", jobs: jobs)
      }
      let finding = try await look()
      #expect(finding.status == .warning)
      #expect(finding.summary == "3 rows of table public.t should have been deleted 2 days ago or less")
      try await record(database, "retention", ago: 10, rows: 0)
      #expect(try await look().status == .critical)
      try await record(database, "retention", ago: 1, rows: 5)
      #expect(try await look().status == .warning)
      try await database.execute("delete from t where at < now() - interval '11 days' and not keep")
      #expect(try await look().status == .ok)
    }
  }

  @Test func `one rule that cannot be looked at does not hide the others`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table a (at timestamptz); create table b (at date); insert into b values ('2020-01-01'); create table locked (at date)"
      )
      let holder = database.connect()
      try await holder.run { _ = try $0.execute("begin; lock table locked in access exclusive mode") }
      let rules = [("public.a", "nope"), ("public.locked", "at"), ("public.b", "at")].map {
        RetentionRule(table: $0, column: $1, keep: .seconds(86_400))
      }
      let finding = try await health(database, "retention-backlog", jobs: [job(.retention(rules))])
      try await holder.run { _ = try $0.execute("rollback") }
      #expect(finding.problems.map(\.status) == [.critical, .unknown, .unknown])
      #expect(finding.problems.map(\.detail).contains("SQLSTATE 42703"))
      #expect(finding.problems.map(\.detail).contains("SQLSTATE 55P03"))
    }
  }

  @Test func `a sequence is judged by the column that it fills`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create sequence wide as bigint; create table t (a int default nextval('wide'), constraint t_pkey primary key (a));
        select setval('wide', 1900000000);
        create table s (a smallserial, b bigserial, c int generated always as identity); select setval('s_a_seq', 32000);
        select setval('s_b_seq', 1900000000);
        create sequence around as smallint cycle; select setval('around', 32767)
        """)
      let finding = try await health(database, "sequences")
      #expect(finding.status == .critical)
      #expect(
        finding.problems.map(\.status) == [.critical, .warning].sorted { $0.rawValue > $1.rawValue }
          || finding.problems.count == 2)
      #expect(
        Set(finding.problems.map(\.summary)) == [
          "sequence public.wide for public.t.a (integer) is 88 % used",
          "sequence public.s_a_seq for public.s.a (smallint) is 97 % used",
        ])
      for problem in finding.problems { try await database.execute(try #require(problem.remedy)) }
      #expect(try await health(database, "sequences").status == .ok)
    }
  }
}
