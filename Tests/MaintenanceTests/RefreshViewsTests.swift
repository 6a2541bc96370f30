import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@Suite struct RefreshViewsTests {
  @Test func `a view is refreshed after those that it reads, also through ordinary views`() async throws {
    try await withDatabase { database in
      // By name the order would be the other way round.
      try await database.execute(
        """
        create table public.t (id int primary key); insert into public.t values (1);
        create materialized view public.z_first as select id from public.t;
        create view public.between as select id * 10 as id from public.z_first;
        create materialized view public.m_second as select id from public.between;
        create materialized view public.a_third as select count(*) as n, max(id) as id from public.m_second;
        create unique index on public.z_first (id);
        create unique index on public.a_third (n);
        insert into public.t values (2);
        """)
      let result = try await BodyRun(database)(RefreshViewsJob(RelationSelection()))
      #expect(result.outcome == .ok)
      #expect(result.objects.map(\.name) == ["public.z_first", "public.m_second", "public.a_third"])
      #expect(
        result.objects.map(\.action) == ["refreshed concurrently", "refreshed", "refreshed concurrently"])
      // One row is new; the plain one writes both; in the last an old row gives way to a new one.
      #expect(result.objects.map(\.rows) == [1, 2, 2])
      #expect(result.rows == 5)
      #expect(try await database.rows("select n, id from public.a_third") == [["2", "20"]])
      #expect(result.objects[1].detail == "plainly, for it has no unique index")
    }
  }

  @Test func `views that read one another in a circle are refreshed all the same`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create view public.v as select 1 as id;
        create materialized view public.m as select id from public.v;
        create materialized view public.b as select id from public.m;
        create or replace view public.v as select max(id) + 1 as id from public.b;
        """)
      let result = try await BodyRun(database)(RefreshViewsJob(RelationSelection()))
      #expect(result.outcome == .ok)
      #expect(Set(result.objects.map(\.name)) == ["public.b", "public.m"])
      #expect(result.objects.contains { $0.detail?.contains("reads itself") == true })
    }
  }

  @Test func `a view whose key is violated fails alone, and says what helps`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.p (id int, title text); insert into public.p values (1, 'a'), (2, 'b');
        create materialized view public.a_broken as select id, title, count(*) from public.p group by id, title;
        create unique index broken_key on public.a_broken (id);
        create materialized view public.b_after as select count(*) as n from public.a_broken;
        create unique index on public.b_after (n);
        create materialized view public.c_other as select count(*) as n from public.p;
        create unique index on public.c_other (n);
        insert into public.p values (1, 'renamed');
        """)
      let run = BodyRun(database)
      let result = try await run(RefreshViewsJob(RelationSelection()))
      #expect(result.outcome == .failed)
      #expect(
        result.objects.map(\.action) == ["failed", "refreshed concurrently", "refreshed concurrently"])
      #expect(result.sqlState == "23505")
      #expect(result.reason?.hasPrefix("public.a_broken: ") == true)
      #expect(result.hint?.contains("group by exactly the columns") == true)
      #expect(result.objects[1].detail?.contains("it reads public.a_broken, not refreshed") == true)
      #expect(try await database.value("select n from public.c_other") == "3")
      #expect(try await database.value("select count(*) from public.a_broken") == "2")
      #expect(try await database.value("select outcome from tsdb.job_runs") == "failed")
      // Two rows that are wholly the same are found by another check of the server.
      try await database.execute(
        "drop materialized view public.a_broken cascade; drop materialized view public.c_other; create materialized view public.d as select title from public.p; create unique index on public.d (title); insert into public.p values (9, 'a')"
      )
      let second = try await run(RefreshViewsJob(RelationSelection()))
      #expect(second.outcome == .failed)
      #expect(second.sqlState == "21000")
      #expect(second.hint?.contains("group by exactly the columns") == true)
    }
  }

  @Test func `an unpopulated view is refreshed plainly, the next time concurrently`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create materialized view public."Wé ""ird.view" as select g as "ID" from generate_series(1, 5) as g with no data;
        create unique index on public."Wé ""ird.view" ("ID");
        """)
      let run = BodyRun(database)
      let first = try await run(RefreshViewsJob(RelationSelection(include: ["public.Wé \"ird.view"])))
      #expect(first.outcome == .ok)
      #expect(first.objects.map(\.name) == [#"public."Wé ""ird.view""#])
      #expect(first.objects.first?.action == "refreshed")
      #expect(first.objects.first?.rows == 5)
      #expect(first.objects.first?.detail == "plainly, for it is not populated yet")
      let second = try await run(RefreshViewsJob(RelationSelection(include: ["public.W*"])))
      #expect(second.objects.first?.action == "refreshed concurrently")
      #expect(second.objects.first?.rows == 0)
    }
  }

  @Test(arguments: [
    ("create unique index k on public.m (a) where a > 0", "no unique index can be used: \"k\" is partial"),
    ("create unique index k on public.m ((a + 1))", "no unique index can be used: \"k\" has an expression"),
    ("create index k on public.m (a)", "it has no unique index"),
  ])
  func `why a view is not refreshed concurrently is said`(index: String, reason: String) async throws {
    try await withDatabase { database in
      try await database.execute(
        "create materialized view public.m as select 1 as a; \(index)")
      let plan = try await plan(database, RelationSelection())
      #expect(plan.steps.map(\.reason) == [reason])
      #expect(plan.steps.first?.mode == .plainly)
      let result = try await BodyRun(database)(RefreshViewsJob(RelationSelection()))
      #expect(result.outcome == .ok)
      #expect(result.objects.first?.detail == "plainly, for \(reason)")
      // The server agrees.
      await #expect(throws: PostgresError.self) {
        try await database.execute("refresh materialized view concurrently public.m")
      }
    }
  }

  @Test func `columns that change with every refresh are noted, conditions are not`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create materialized view public.a as select now() as at, 1 as id;
        create materialized view public.b as select random() as r;
        create materialized view public.c as select 1 as id where now() > '2000-01-01';
        create materialized view public.d as select count(*) filter (where x.at < now()) from public.a as x;
        create materialized view public.e as select s.at from (select current_date as at) as s;
        create materialized view public.f as select current_user::text as u;
        """)
      let plan = try await plan(database, RelationSelection())
      #expect(
        plan.steps.map { $0.view.changingFunctions } == [
          ["now"], ["random"], [], [], ["current_timestamp"], [],
        ])
      let result = try await BodyRun(database)(RefreshViewsJob(RelationSelection(include: ["public.b"])))
      #expect(result.objects.first?.detail?.contains("its columns use random()") == true)
    }
  }

  @Test func `a view of another role is refused where named and left out where not`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await database.execute(
          """
          create table public.t as select 1 as id; grant select on public.t to \(role);
          create materialized view public.mine as select id from public.t;
          alter materialized view public.mine owner to \(role);
          create materialized view public.theirs as select id from public.t;
          """)
        let run = BodyRun(database, user: role)
        let all = try await run(RefreshViewsJob(RelationSelection()))
        #expect(all.outcome == .ok)
        #expect(all.objects.map(\.name) == ["public.mine"])
        #expect(all.reason == "not refreshed, for they belong to other roles: public.theirs")
        #expect(
          run.events.contains { $0 == .note("not refreshed, for they belong to other roles: public.theirs") })
        let named = try await run(
          RefreshViewsJob(RelationSelection(include: ["public.theirs", "public.mine"])))
        #expect(named.outcome == .failed)
        #expect(named.sqlState == "42501")
        #expect(named.hint != nil)
        #expect(named.objects.map(\.action) == ["failed", "refreshed"])
        let missing = try await run(RefreshViewsJob(RelationSelection(include: ["public.typo", "mine"])))
        #expect(missing.objects.map(\.action) == ["failed", "failed"])
        #expect(missing.objects.map(\.sqlState) == ["42P01", "42P01"])
        let pattern = try await run(
          RefreshViewsJob(RelationSelection(include: ["public.*"], exclude: ["*.mine"])))
        #expect(pattern.outcome == .ok)
        #expect(pattern.objects.map(\.action) == ["skipped"])
        try await database.execute("drop materialized view public.mine")
        // Nothing was done, so nothing is called well.
        let none = try await run(RefreshViewsJob(RelationSelection()))
        #expect(none.outcome == .skipped)
        #expect(none.hint != nil)
      }
    }
  }

  @Test func `a view that many rows died in is vacuumed`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create materialized view public.m as select g as id, now() as at from generate_series(1, 5000) as g;
        create unique index on public.m (id);
        """)
      let run = BodyRun(database)
      let result = try await run(RefreshViewsJob(RelationSelection()))
      #expect(result.objects.first?.rows == 10_000)
      #expect(result.objects.first?.detail?.contains("vacuumed, for 5000 dead rows") == true)
      #expect(
        try await database.value(
          "select last_vacuum is not null from pg_stat_all_tables where relname = 'm'") == "t")
    }
  }

  @Test func `a reader behind a plain refresh is served while the refresh gives way`() async throws {
    try await withDatabase { database in
      // Ten seconds of refresh, but only while the table says so.
      try await database.execute(
        """
        create table public.slow (seconds float); insert into public.slow values (0);
        create materialized view public.m as select pg_sleep(seconds) is null as done from public.slow;
        update public.slow set seconds = 20;
        """)
      let run = BodyRun(database)
      async let result = run(RefreshViewsJob(RelationSelection()))
      try await wait(database, for: Self.holdsLock("public.m", "AccessExclusiveLock"))
      let start = ContinuousClock.now
      #expect(try await database.value("select count(*) from public.m") == "1")
      let waited = ContinuousClock.now - start
      // Only a broken watch waits for the twenty seconds.
      #expect(waited < .seconds(5))
      try await database.execute("update public.slow set seconds = 0")
      // The attempt that has begun meanwhile would sleep for long.
      _ = try? await database.value("select count(*) from public.m")
      let ended = try await result
      #expect(ended.outcome == .ok)
      #expect(ended.yields >= 1)
      #expect(try await database.value("select yields >= 1 from tsdb.job_runs") == "t")
    }
  }

  @Test func `a view that is always read is left for the next run`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create materialized view public.a as select 1 as id;
        create materialized view public.b as select 2 as id;
        """)
      let reader = database.connect()
      try await reader.run { _ = try $0.execute("begin; select * from public.a") }
      let result = try await BodyRun(database)(RefreshViewsJob(RelationSelection(), attempts: 3))
      #expect(result.outcome == .partial)
      #expect(result.backlog == 1)
      #expect(result.objects.map(\.action) == ["gave up", "refreshed"])
      #expect(result.waits == 3)
      await reader.close()
    }
  }

  @Test func `a view that is dropped meanwhile is skipped`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create materialized view public.a as select 1 as id; create materialized view public.b as select 2 as id"
      )
      let reader = database.connect()
      try await reader.run { _ = try $0.execute("begin; select * from public.a") }
      let run = BodyRun(database)
      async let result = run(RefreshViewsJob(RelationSelection()))
      try await wait(
        database, for: "exists (select from pg_locks where relation = 'public.a'::regclass and not granted)")
      try await database.execute("drop materialized view public.b")
      await reader.close()
      let ended = try await result
      #expect(ended.outcome == .ok)
      #expect(ended.objects.map(\.action) == ["refreshed", "skipped"])
    }
  }

  @Test func `a refresh that is cancelled is recorded as interrupted and leaves nothing`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.slow (seconds float); insert into public.slow values (0);
        create materialized view public.a as select 1 as id;
        create materialized view public.m as select pg_sleep(seconds) is null as done from public.slow;
        update public.slow set seconds = 60;
        """)
      let task = Task { try await BodyRun(database)(RefreshViewsJob(RelationSelection())) }
      try await wait(database, for: Self.holdsLock("public.m", "AccessExclusiveLock"))
      task.cancel()
      let result = try await task.value
      #expect(result.outcome == .failed)
      #expect(result.reason == "interrupted")
      #expect(result.objects.map(\.action) == ["refreshed", "failed"])
      #expect(try await database.value("select reason from tsdb.job_runs") == "interrupted")
      try await Self.expectNothingLeft(database)
    }
  }

  @Test func `out of time, the rest is the backlog`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create materialized view public.a as select 1 as id; create materialized view public.b as select 2 as id"
      )
      let result = try await BodyRun(database, budget: .zero)(RefreshViewsJob(RelationSelection()))
      #expect(result.outcome == .partial)
      #expect(result.backlog == 2)
    }
  }

  @Test func `a refresh whose backend is killed at any moment is recorded, and the next run is fine`()
    async throws
  {
    try await withDatabase { database in
      let steps = try await WorkSteps(database)
      try await database.execute(
        """
        create table public.t as select g as id, g % 7 as k from generate_series(1, 3000) as g;
        \(Self.step(stop: nil))
        create materialized view public.a as select id, k, random() as r from public.t where public.step();
        create unique index on public.a (id);
        create materialized view public.b as select k, sum(r) from public.a where public.step() group by k;
        create materialized view public.c as select k, count(*) from public.a where public.step() group by k;
        create unique index on public.c (k);
        """)
      var generator = SeededGenerator(seed: 4)
      var killed = 0
      for _ in 0..<40 {
        let run = BodyRun(database)
        // A step for each row of each view: within one, or near its end, when it is written, merged and committed.
        let stop = (killed % 3) * 3000 + Int.random(in: 1...3000, using: &generator)
        try await steps.reset()
        try await database.execute(Self.step(stop: stop))
        async let result = run(RefreshViewsJob(RelationSelection()))
        try await steps.reach(max(1, stop - Int.random(in: 0...1000, using: &generator)))
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...20, using: &generator)))
        try await database.execute(Self.killWork)
        // The run's last record may be what was hit; then the next run heals it.
        if let ended = try? await result, ended.outcome == .failed {
          killed += 1
          #expect(ended.reason?.isEmpty == false)
        }
        try await Self.expectNothingLeft(database)
      }
      #expect(killed == 40)
      try await database.execute(Self.step(stop: nil))
      let last = try await BodyRun(database)(RefreshViewsJob(RelationSelection()))
      #expect(last.outcome == .ok)
      #expect(try await database.value("select count(*) from tsdb.job_runs where outcome = 'running'") == "0")
    }
  }

  // MARK: -

  private static func step(stop: Int?) -> String {
    """
    create or replace function public.step() returns boolean language plpgsql as
      $$\(WorkSteps.count(stop: stop)) return true; end$$;
    """
  }

  static func holdsLock(_ relation: String, _ mode: String) -> String {
    "exists (select from pg_locks where relation = '\(relation)'::regclass and mode = '\(mode)' and granted)"
  }

  static let isWorking = """
    exists (select from pg_stat_activity where application_name = 'tsdb/sample' and datname = current_database())
    """

  static let killWork = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'tsdb/sample' and datname = current_database()
    """

  /// No session of the run and so no lock of it, and nothing half made.
  static func expectNothingLeft(_ database: TestDatabase) async throws {
    try await wait(
      database,
      for: """
        not exists (select from pg_stat_activity where application_name like 'tsdb%watch%' and datname = current_database()
          or application_name = 'tsdb/sample' and datname = current_database())
        """)
    #expect(
      try await database.value(
        """
        select count(*) from pg_locks as l where l.pid <> pg_backend_pid() and l.locktype in ('relation', 'advisory')
          and l.database = (select oid from pg_database where datname = current_database())
        """) == "0")
    #expect(
      try await database.value(
        "select count(*) from pg_class where relname like 'pg_temp_%' and relkind in ('r', 'm')") == "0")
  }

  private func plan(_ database: TestDatabase, _ selection: RelationSelection) async throws -> RefreshPlan {
    try await database.connect().run { try RefreshViewsJob(selection).plan(on: $0) }
  }
}
