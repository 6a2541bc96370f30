import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

/// Indexes and views on a real server: fine as long as nothing is wrong, and what is said of a real defect.
@Suite struct HealthTests {
  @Test func `an empty database is fine by every check`() async throws {
    try await withDatabase { database in
      let report = try await health(database)
      #expect(report.findings.map(\.check) == HealthChecks.descriptions.map(\.name))
      #expect(report.findings.allSatisfy { $0.status == .ok && $0.problems.isEmpty }, "\(report)")
      #expect(report.status == .ok)
      #expect(report.database == database.name)
    }
  }

  @Test func `an index whose build failed is critical, and its remedy mends it`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create schema \"a b\"; create table \"a b\".t (a int); insert into \"a b\".t values (1), (1)")
      await #expect(throws: PostgresError.self) {
        try await database.execute("create unique index concurrently \"T i\" on \"a b\".t (a)")
      }
      let finding = try await health(database, "invalid-indexes")
      #expect(finding.status == .critical)
      #expect(finding.summary == "index \"a b\".\"T i\" on \"a b\".t is invalid")
      try await database.execute("delete from \"a b\".t where ctid = '(0,1)'")
      try await database.execute(try #require(finding.problems.first?.remedy))
      #expect(try await health(database, "invalid-indexes").status == .ok)
    }
  }

  @Test func `an index that is being built is not invalid, also for a role that sees little`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int); insert into t values (1)")
      try await withRole(on: database) { role in
        let (reader, builder) = (database.connect(), database.connect())
        try await reader.run { _ = try $0.execute("begin isolation level repeatable read; select * from t") }
        let build = Task {
          try await builder.run { _ = try $0.execute("create index concurrently i on t (a)") }
        }
        try await waitUntil {
          try await database.value("select not indisvalid from pg_index where indexrelid = to_regclass('i')")
            == "t"
        }
        let finding = try await health(database, "invalid-indexes", user: role)
        try await reader.run { _ = try $0.execute("rollback") }
        try await build.value
        #expect(finding.status == .ok, "\(finding)")
      }
    }
  }

  @Test func `what a rebuild left behind is to be dropped`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int); create index i_ccnew on t (a)")
      try await database.execute(
        "update pg_index set indisvalid = false where indexrelid = 'i_ccnew'::regclass")
      let finding = try await health(database, "invalid-indexes")
      #expect(finding.problems.map(\.remedy) == ["drop index concurrently public.i_ccnew;"])
      try await database.execute(try #require(finding.problems[0].remedy))
      #expect(try await health(database, "invalid-indexes").status == .ok)
    }
  }

  @Test func `the index of a partitioned table that lacks a part is a warning`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table p (a int) partition by range (a); create table p1 partition of p for values from (0) to (9); create index i on only p (a)"
      )
      #expect(try await health(database, "invalid-indexes").status == .warning)
    }
  }

  @Test func `indexes that differ in their names alone are duplicates; the one of a constraint is kept`()
    async throws
  {
    try await withDatabase { database in
      try await database.execute(
        """
        create table t (a int, b text, constraint t_pkey primary key (a));
        create unique index again on t (a);
        create index on t (b); create index on t (b); create index on t (b)
        """)
      let finding = try await health(database, "duplicate-indexes")
      #expect(finding.status == .warning)
      #expect(finding.summary == "3 duplicate indexes")
      #expect(
        finding.problems.contains {
          $0.summary == "index public.again on public.t is the same as public.t_pkey"
        })
      for problem in finding.problems { try await database.execute(try #require(problem.remedy)) }
      #expect(try await health(database, "duplicate-indexes").status == .ok)
      #expect(try await database.value("select count(*) from pg_index where indrelid = 't'::regclass") == "2")
    }
  }

  @Test func `indexes that differ in anything are none`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table t (a int, b text);
        create index i1 on t (b); create index i2 on t (b desc); create index i3 on t (b text_pattern_ops);
        create index i4 on t (b) where a > 1; create index i5 on t (b) where a > 2; create index i6 on t (lower(b));
        create index i7 on t (upper(b)); create unique index i8 on t (b); create index i9 on t (b) include (a);
        create index j1 on t (b, a); create index j2 on t using hash (b); create index j3 on t (b collate "C");
        create table p (a int) partition by range (a); create table p1 partition of p for values from (0) to (9);
        create index on p (a)
        """)
      let finding = try await health(database, "duplicate-indexes")
      #expect(finding.status == .ok, "\(finding)")
    }
  }

  @Test func `a view is stale by its job's schedule`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table t (a int); create materialized view \"V x\" as select a from t")
      let jobs = [job(.refreshViews(RelationSelection()))]
      func look(_ jobs: [JobDefinition]) async throws -> HealthFinding {
        try await health(database, "stale-views", jobs: jobs)
      }
      #expect(try await look([]).summary == "view public.\"V x\" is refreshed by no job")
      #expect(try await look(jobs).summary == "view public.\"V x\" was never refreshed by tsdb")
      try await record(
        database, "refresh-views", ago: 90,
        objects: #"[{"name": "public.\"V x\"", "action": "refreshed concurrently"}]"#)
      #expect(try await look(jobs).status == .ok)
      try await database.execute("update tsdb.job_runs set ended_at = ended_at - interval '60 min'")
      let old = try await look(jobs)
      #expect(old.status == .warning)
      #expect(old.summary == "view public.\"V x\" is 61 min old")
      try await database.execute("update tsdb.job_runs set ended_at = ended_at - interval '5 h'")
      #expect(try await look(jobs).status == .critical)
      // A failed refresh is none.
      try await record(
        database, "refresh-views", ago: 1, objects: #"[{"name": "public.\"V x\"", "action": "failed"}]"#)
      #expect(try await look(jobs).status == .critical)
      // Not of this job.
      #expect(
        try await look([job(.refreshViews(RelationSelection(exclude: ["public.V*"])))]).status == .warning)
    }
  }

  @Test func `a view that is not populated is critical`() async throws {
    try await withDatabase { database in
      try await database.execute("create materialized view v as select 1 as a with no data")
      let finding = try await health(database, "stale-views", jobs: [job(.refreshViews(RelationSelection()))])
      #expect(finding.status == .critical)
      try await database.execute(try #require(finding.problems.first?.remedy))
      #expect(
        try await health(database, "stale-views", jobs: [job(.refreshViews(RelationSelection()))]).status
          == .warning)
    }
  }

  @Test func `a view needs a unique index of plain columns to be refreshed concurrently`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create materialized view v as select 1 as a, random() as b;
        create unique index partial on v (a) where a > 0; create unique index expression on v ((a + 1));
        create index plain on v (a)
        """)
      let finding = try await health(database, "unrefreshable-views")
      #expect(finding.status == .warning)
      #expect(
        finding.problems[0].detail?.contains("expression has an expression, partial is partial") == true)
      #expect(finding.problems.last?.summary == "view public.v calls random()")
      try await database.execute("create unique index whole on v (a)")
      let mended = try await health(database, "unrefreshable-views")
      #expect(mended.status == .ok)
      #expect(mended.problems.map(\.status) == [.ok])
      try await database.execute("refresh materialized view concurrently v")
    }
  }
}
