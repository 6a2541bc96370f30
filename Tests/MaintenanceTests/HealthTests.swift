import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

/// Each check on a real server: fine as long as nothing is wrong, and what it says of a real defect.
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

  @Test func `a transaction that is open for long is told, idle or not`() async throws {
    try await withDatabase { database in
      let other = database.connect()
      try await other.run { _ = try $0.execute("begin; select 1") }
      var limits = HealthLimits()
      let known = HealthChecks.descriptions.flatMap(\.thresholds)
      try limits.set(.warning, "idle-transaction-age=0", among: known)
      try limits.set(.critical, "transaction-age=1s", among: known)
      #expect(try await health(database, "long-transactions").status == .ok)
      try await Task.sleep(for: .milliseconds(2200))
      let finding = try await health(database, "long-transactions", limits: limits)
      #expect(finding.status == .critical)
      #expect(finding.summary.contains("of role \"postgres\" is in a transaction for 2 s"))
      try await database.execute(try #require(finding.problems.first?.remedy))
      try await waitUntil { try await health(database, "long-transactions", limits: limits).status == .ok }
    }
  }

  @Test func `prepared transactions and slots that nobody uses are told with what ends them`() async throws {
    let options = PostgresCluster.Options(configuration: [
      "max_prepared_transactions = 5", "wal_level = logical",
    ])
    try await PostgresCluster.with(options) { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute("create table t (a int)")
        try await database.execute(
          "checkpoint"
        )
        try await database.execute(
          "select pg_create_physical_replication_slot('one', true); select pg_create_logical_replication_slot('two', 'pgoutput')"
        )
        // Behind the slots: a logical one waits for the end of every transaction.
        try await database.execute("begin; insert into t values (1); prepare transaction 'it''s'")
        var limits = HealthLimits()
        let known = HealthChecks.descriptions.flatMap(\.thresholds)
        try limits.set(.critical, "prepared-transaction-age=0", among: known)
        try limits.set(.critical, "slot-wal=1MB", among: known)
        try await Task.sleep(for: .milliseconds(1200))
        let prepared = try await health(database, "long-transactions", limits: limits)
        #expect(prepared.status == .critical)
        try await database.execute(try #require(prepared.problems.first?.remedy))
        #expect(try await health(database, "long-transactions", limits: limits).status == .ok)
        let idle = try await health(database, "replication-slots", limits: limits)
        #expect(idle.status == .warning)
        #expect(
          idle.problems.map(\.summary) == [
            "replication slot one is used by nobody", "replication slot two is used by nobody",
          ])
        try await database.execute("insert into t select generate_series(1, 100000)")
        #expect(try await health(database, "replication-slots", limits: limits).status == .critical)
        for name in ["one", "two"] {
          try await database.execute("select pg_drop_replication_slot('\(name)')")
        }
        #expect(try await health(database, "replication-slots", limits: limits).status == .ok)
      }
    }
  }

  @Test func `PL pgSQL that cannot be loaded is critical`() async throws {
    try await withDatabase { database in
      #expect(try await health(database, "plpgsql").status == .ok)
      try await database.execute(
        "update pg_proc set probin = '$libdir/plpgsql_is_gone' where proname = 'plpgsql_inline_handler'")
      let gone = try await health(database, "plpgsql")
      #expect(gone.status == .critical)
      #expect(gone.summary.contains("PL/pgSQL cannot be loaded: could not access file"))
      try await database.execute("drop extension plpgsql")
      let missing = try await health(database, "plpgsql")
      #expect(missing.status == .critical)
      try await database.execute(try #require(missing.problems.first?.remedy))
      #expect(try await health(database, "plpgsql").status == .ok)
    }
  }

  @Test func `counters that were lost are told, and are there again after the remedy`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int)")
      // A session's counts reach the server at its end at the latest, and must not come after the reset.
      let writer = database.connect()
      try await writer.run { _ = try $0.execute("insert into t select generate_series(1, 100)") }
      await writer.close()
      try await waitUntil {
        try await database.value("select n_tup_ins from pg_stat_user_tables where relname = 't'") == "100"
      }
      try await database.execute("analyze t")
      #expect(try await health(database, "statistics").status == .ok)
      try await database.execute("select pg_stat_reset()")
      try await waitUntil { try await health(database, "statistics").status == .warning }
      try await database.execute(
        try #require(try await health(database, "statistics").problems.first?.remedy))
      try await waitUntil { try await health(database, "statistics").status == .ok }
    }
  }

  @Test func `an age over its limit is told with the oldest relation`() async throws {
    try await withDatabase { database in
      #expect(try await health(database, "wraparound").status == .ok)
      try await database.execute("create table t (a int); select pg_current_xact_id()")
      var limits = HealthLimits()
      try limits.set(.warning, "xid-age=0", among: HealthChecks.descriptions.flatMap(\.thresholds))
      let finding = try await health(database, "wraparound", limits: limits)
      #expect(finding.status == .warning)
      #expect(
        finding.problems.contains { $0.remedy?.hasPrefix("vacuum (freeze) pg_catalog.") == true },
        "\(finding)")
    }
  }

  @Test func `a check that fails is unknown, and the others go on`() async throws {
    try await withDatabase { database in
      try await withRole(on: database) { role in
        try await database.execute("revoke select on pg_catalog.pg_replication_slots from public")
        let report = try await health(database, user: role)
        let finding = report.findings.first { $0.check == "replication-slots" }
        #expect(finding?.status == .unknown)
        #expect(finding?.problems.first?.detail == "SQLSTATE 42501")
        #expect(
          report.findings.filter { $0.status != .ok }.map(\.check)
            // Nor may it see the transactions of the session that the test has open.
            == ["long-transactions", "replication-slots"])
        #expect(report.status == .unknown)
      }
    }
  }
}

// MARK: - Support

func job(_ work: JobWork, budget: Duration = .seconds(600)) -> JobDefinition {
  JobDefinition(name: work.kind, work: work, schedule: .every(.seconds(1800)), budget: budget)
}

/// One finding.
func health(
  _ database: TestDatabase, _ name: String, user: String = "postgres", jobs: [JobDefinition] = [],
  limits: HealthLimits = HealthLimits(), now: UTCTime = .now
) async throws -> HealthFinding {
  let report = try await health(database, user: user, jobs: jobs, limits: limits, now: now, only: [name])
  return try #require(report.findings.first)
}

func health(
  _ database: TestDatabase, user: String = "postgres", jobs: [JobDefinition] = [],
  limits: HealthLimits = HealthLimits(), now: UTCTime = .now, only: Set<String>? = nil
) async throws -> HealthReport {
  let context = HealthContext(now: now, jobs: jobs, limits: limits) { schedule in
    if case .every(let span) = schedule { span } else { .seconds(86_400) }
  }
  return try await HealthRun(
    settings: database.settings(user: user), context: context,
    names: only ?? Set(HealthChecks.descriptions.map(\.name))
  ).run()
}

/// Makes the table of runs where it is missing, and a run that ended `ago` seconds ago.
func record(
  _ database: TestDatabase, _ job: String, ago: Int, outcome: String = "ok", rows: Int = 1,
  backlog: Int? = nil,
  reason: String? = nil, objects: String = "[]"
) async throws {
  try await database.connect().run { try JobRunTable(schema: "tsdb").install(on: $0) }
  _ = try await database.rows(
    """
    insert into tsdb.job_runs (job, kind, started_at, ended_at, outcome, reason, row_count, backlog, objects,
      triggered_by, tool_version)
    values ($1, $1, now() - make_interval(secs => $2::int), case when $3 <> 'running' then now() - make_interval(secs => $2::int) end,
      $3, $4, $5::int, $6::int, $7::jsonb, 'hand', '0')
    """, [job, "\(ago)", outcome, reason, "\(rows)", backlog.map { "\($0)" }, objects])
}

/// A role that may log in and nothing else.
func withRole(on database: TestDatabase, _ body: (String) async throws -> Void) async throws {
  let role = "\(database.name)_plain"
  try await database.execute("create role \(role) login")
  do {
    try await body(role)
  } catch {
    try? await database.execute("drop owned by \(role); drop role \(role)")
    throw error
  }
  try await database.execute("drop owned by \(role); drop role \(role)")
}

func waitUntil(
  within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it did not come about within \(limit)", sourceLocation: sourceLocation)
      return
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}
