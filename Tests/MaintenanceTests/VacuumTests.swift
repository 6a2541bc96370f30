import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@Suite struct VacuumTests {
  @Test func `what needs it is vacuumed, the neediest first, and the rest is said to need nothing`()
    async throws
  {
    try await withDatabase { database in
      try await database.execute(Self.tables)
      try await Self.settle(database, dead: ["few": 500, "many": 2000])
      // Not in one call: VACUUM takes no transaction.
      try await database.execute("vacuum analyze public.calm")
      let run = BodyRun(database)
      let result = try await run(VacuumJob(RelationSelection(exclude: ["tsdb.*"]), analyze: true))
      #expect(result.outcome == .ok)
      let worked = result.objects.filter { $0.action == "vacuumed and analyzed" }
      #expect(
        worked.map(\.name) == ["public.many", "public.few", "public.part", "public.m", #"public."Ta ""ble""#])
      #expect(worked.prefix(2).map(\.rows) == [2000, 500])
      #expect(result.objects.first { $0.name == "public.calm" }?.action == "skipped")
      #expect(
        result.objects.first { $0.name == "public.calm" }?.detail?.hasPrefix("nothing to do: 0 dead rows")
          == true)
      let parent = result.objects.first { $0.name == "public.parent" }
      #expect(parent?.action == "analyzed")
      #expect(
        try await database.value("select count(*) from pg_stats where tablename = 'parent' and inherited")
          == "1")
      #expect(
        try await database.value("select n_dead_tup from pg_stat_user_tables where relname = 'many'") == "0")
      // The second run finds nothing.
      let second = try await run(VacuumJob(RelationSelection(exclude: ["tsdb.*"]), analyze: true))
      #expect(second.objects.allSatisfy { $0.action == "skipped" })
      #expect(second.outcome == .ok)
    }
  }

  @Test func `dead rows that an old transaction may still see are not called removed`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.t as select g as id from generate_series(1, 1000) as g")
      let reader = database.connect()
      try await reader.run {
        _ = try $0.execute("begin isolation level repeatable read; select count(*) from public.t")
      }
      try await database.execute("delete from public.t")
      try await Self.settle(database, dead: ["t": 1000])
      let run = BodyRun(database)
      let job = VacuumJob(RelationSelection(include: ["public.t"]), analyze: false)
      let held = try await run(job)
      #expect(held.objects.first?.rows == 0)
      #expect(held.objects.first?.detail?.contains("1000 dead rows stay") == true)
      await reader.close()
      let free = try await run(job)
      #expect(free.objects.first?.rows == 1000)
      #expect(free.objects.first?.detail == "1000 dead rows")
    }
  }

  @Test func `old transaction ids are never a reason to skip`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.tables)
      try await database.execute("vacuum analyze public.calm")
      try await database.execute("alter database \(database.name) set vacuum_freeze_table_age = 0")
      let result = try await BodyRun(database)(
        VacuumJob(RelationSelection(include: ["public.calm"]), analyze: false))
      #expect(result.objects.first?.action == "vacuumed")
      #expect(result.objects.first?.detail?.contains("transactions old") == true)
    }
  }

  @Test func `a table that another session has locked is never called vacuumed`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.a (id int); create table public.b (id int)")
      let holder = database.connect()
      try await holder.run { _ = try $0.execute("begin; lock table public.a in share update exclusive mode") }
      let run = BodyRun(database)
      let result = try await run(VacuumJob(RelationSelection(include: ["public.*"]), analyze: true))
      #expect(result.outcome == .partial)
      #expect(result.backlog == 1)
      #expect(result.waits >= 3)
      #expect(result.objects.map(\.name) == ["public.a", "public.b"])
      #expect(result.objects.map(\.action) == ["skipped", "vacuumed and analyzed"])
      #expect(result.objects.first?.detail?.contains("lock not available") == true)
      let analyzed = try await run(AnalyzeJob(RelationSelection(include: ["public.a"])))
      #expect(analyzed.outcome == .partial)
      #expect(analyzed.objects.map(\.action) == ["skipped"])
      await holder.close()
      let after = try await run(VacuumJob(RelationSelection(include: ["public.a"]), analyze: true))
      #expect(after.objects.map(\.action) == ["vacuumed and analyzed"])
    }
  }

  @Test func `a right that is lost between plan and work is a skip as well`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await database.execute("create table public.theirs (id int)")
        let notices = try await database.connect(user: role).run { connection in
          _ = connection.takeNotices()
          try connection.execute("vacuum (skip_locked) public.theirs")
          return connection.takeNotices()
        }
        // The rule by which the job tells it: a warning without a hint.
        #expect(notices.map(\.severity) == ["WARNING"])
        #expect(notices.first?.hint == nil)
      }
    }
  }

  @Test func `tables of other roles are refused where named and left out where not`() async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await database.execute(
          """
          create table public.mine (id int); alter table public.mine owner to \(role);
          create table public.theirs (id int);
          """)
        let run = BodyRun(database, user: role)
        let all = try await run(VacuumJob(RelationSelection(), analyze: true))
        #expect(all.outcome == .ok)
        #expect(all.objects.map(\.name) == ["public.mine"])
        #expect(
          run.events.contains {
            if case .note(let text) = $0 { text.contains("public.theirs") } else { false }
          })
        let named = try await run(VacuumJob(RelationSelection(include: ["public.theirs"]), analyze: true))
        #expect(named.outcome == .failed)
        #expect(named.sqlState == "42501")
      }
    }
  }

  @Test func `after a crash, which takes the statistics, everything is analyzed`() async throws {
    try await PostgresCluster.with { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute(
          "create table public.a as select g from generate_series(1, 1000) as g; create table public.b as select 1 as id"
        )
        let run = BodyRun(database)
        let selection = RelationSelection(include: ["public.*"])
        let first = try await run(AnalyzeJob(selection))
        #expect(first.objects.map(\.action) == ["analyzed", "analyzed"])
        let second = try await run(AnalyzeJob(selection))
        #expect(second.objects.map(\.action) == ["skipped", "skipped"])
        try await cluster.kill9()
        try await cluster.start()
        let again = database.reconnected()
        let third = try await BodyRun(again)(AnalyzeJob(selection))
        #expect(third.objects.map(\.action) == ["analyzed", "analyzed"])
        #expect(third.objects.first?.detail == "no analyze is known")
        try await again.execute("update public.a set g = g where g <= 51")
        try await wait(
          again, for: "(select n_mod_since_analyze from pg_stat_user_tables where relname = 'a') = 51")
        let fourth = try await BodyRun(again)(AnalyzeJob(selection))
        #expect(fourth.objects.map(\.action) == ["skipped", "analyzed"])
        #expect(fourth.objects.last?.detail == "51 rows changed since the last analyze")
        // Its last connection must be gone before the database is dropped.
        _ = try await again.value("select 1")
      }
    }
  }

  @Test func `while the archive lags behind nothing is begun`() async throws {
    let options = PostgresCluster.Options(configuration: ["archive_mode = on", "archive_command = 'false'"])
    try await PostgresCluster.with(options) { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute(
          "create table public.a (id int); create materialized view public.m as select 1 as id")
        try await database.execute("select pg_switch_wal()")
        var limits = GateLimits()
        limits.archiveBacklog = 0
        limits.patience = .milliseconds(200)
        var run = BodyRun(database)
        run.gates = Gates(limits: limits)
        let vacuum = try await run(VacuumJob(RelationSelection(include: ["public.*"]), analyze: true))
        #expect(vacuum.outcome == .partial)
        #expect(vacuum.backlog == 2)
        #expect(vacuum.waits == 1)
        let refresh = try await run(RefreshViewsJob(RelationSelection()))
        #expect(refresh.outcome == .partial)
        #expect(refresh.backlog == 1)
      }
    }
  }

  @Test func `DDL behind a throttled vacuum passes quickly, and the vacuum is done later`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t as select g as id, repeat('x', 500) as filler from generate_series(1, 20000) as g;
        delete from public.t where id % 2 = 0;
        """)
      // Ten seconds and more with these costs; the run sets only the delay.
      try await database.execute("alter database \(database.name) set vacuum_cost_limit = 1")
      try await database.execute("alter database \(database.name) set vacuum_cost_page_hit = 100")
      let run = BodyRun(database)
      async let result = run(VacuumJob(RelationSelection(include: ["public.t"]), analyze: false))
      try await wait(
        database, for: RefreshViewsTests.holdsLock("public.t", "ShareUpdateExclusiveLock"))
      let start = ContinuousClock.now
      try await database.execute("alter table public.t add column extra int")
      #expect(ContinuousClock.now - start < .seconds(5))
      try await database.execute("alter database \(database.name) reset vacuum_cost_limit")
      try await database.execute("alter database \(database.name) reset vacuum_cost_page_hit")
      let ended = try await result
      #expect(ended.yields >= 1)
      #expect(ended.outcome == .ok)
      #expect(ended.objects.map(\.action) == ["vacuumed"])
      #expect(
        try await database.value("select vacuum_count from pg_stat_user_tables where relname = 't'") == "1")
    }
  }

  @Test func `out of time, the relations left are the backlog`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.a (id int); create table public.b (id int)")
      let result = try await BodyRun(database, budget: .zero)(
        VacuumJob(RelationSelection(include: ["public.*"]), analyze: true))
      #expect(result.outcome == .partial)
      #expect(result.backlog == 2)
    }
  }

  @Test func `a vacuum whose backend is killed at any moment is recorded, and the next run is fine`()
    async throws
  {
    try await withDatabase { database in
      let steps = try await WorkSteps(database)
      try await database.execute(Self.step(stop: nil))
      for name in ["a", "b", "c"] {
        try await database.execute(
          """
          create table public.\(name) (id int primary key, filler text) with (autovacuum_enabled = off);
          create index on public.\(name) (public.step(id));
          """)
      }
      var generator = SeededGenerator(seed: 5)
      var killed = 0
      for _ in 0..<40 {
        try await database.execute(Self.step(stop: nil))
        for name in ["a", "b", "c"] {
          try await database.execute(
            "truncate public.\(name); insert into public.\(name) select g, repeat('x', 200) from generate_series(1, 3000) as g; delete from public.\(name) where id % 2 = 0"
          )
        }
        if try await database.value("select to_regproc('pg_stat_force_next_flush') is not null") == "t" {
          try await database.execute("select pg_stat_force_next_flush()")
        }
        try await Self.settle(database, dead: ["a": 1500, "b": 1500, "c": 1500])
        let run = BodyRun(database)
        // ANALYZE makes a step for each of the 1500 rows of each table; VACUUM, which makes none, comes before it.
        let stop = (killed % 3) * 1500 + Int.random(in: 1...1500, using: &generator)
        try await steps.reset()
        try await database.execute(Self.step(stop: stop))
        async let result = run(VacuumJob(RelationSelection(include: ["public.*"]), analyze: true))
        try await steps.reach(max(1, stop - Int.random(in: 0...750, using: &generator)))
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...20, using: &generator)))
        try await database.execute(RefreshViewsTests.killWork)
        if let ended = try? await result, ended.outcome == .failed {
          killed += 1
          #expect(ended.reason?.isEmpty == false)
        }
        try await RefreshViewsTests.expectNothingLeft(database)
      }
      #expect(killed == 40)
      try await database.execute(Self.step(stop: nil))
      let last = try await BodyRun(database)(
        VacuumJob(RelationSelection(include: ["public.*"]), analyze: true))
      #expect(last.outcome == .ok)
      #expect(try await database.value("select count(*) from tsdb.job_runs where outcome = 'running'") == "0")
    }
  }

  // MARK: - The plan

  @Test(
    arguments: [
      (0, 0, Int64(3600), Int64(3600), Int64(10), nil),
      (49, 0, 3600, 3600, 10, nil),
      (250, 0, 3600, 3600, 10, "vacuum"),
      (0, 0, 40 * 86_400, 3600, 10, nil),
      (1, 0, 40 * 86_400, 3600, 10, "vacuum"),
      (0, 0, 3600, 3600, 150_000_000, "vacuum"),
      (0, 501, 3600, 3600, 10, "analyze"),
      (0, 500, 3600, 3600, 10, nil),
      (250, 501, 3600, 3600, 10, "vacuum and analyze"),
    ] as [(Int64, Int64, Int64, Int64, Int64, String?)])
  func `need decides the work`(
    dead: Int64, changed: Int64, vacuumed: Int64, analyzed: Int64, age: Int64, work: String?
  ) {
    var facts = VacuumFacts(oid: 1, schema: "public", name: "t", label: "public.t")
    facts.liveRows = 10_000
    facts.deadRows = dead
    facts.changedSinceAnalyze = changed
    facts.secondsSinceVacuum = vacuumed
    facts.secondsSinceAnalyze = analyzed
    facts.transactionAge = age
    let plan = VacuumPlan(.vacuumAndAnalyze, RelationSelection(), of: [facts], limits: VacuumLimits())
    #expect(plan.steps.first?.work.rawValue == work)
    #expect(plan.left.count == (work == nil ? 1 : 0))
  }

  // MARK: -

  private static func step(stop: Int?) -> String {
    """
    create or replace function public.step(id int) returns int immutable language plpgsql as
      $$\(WorkSteps.count(stop: stop)) return id; end$$;
    """
  }

  private static let tables = """
    create table public.calm as select g as id from generate_series(1, 100) as g;
    create table public.few as select g as id from generate_series(1, 5000) as g;
    create table public.many as select g as id from generate_series(1, 5000) as g;
    create table public."Ta ""ble" (id int);
    create materialized view public.m as select 1 as id;
    create table public.parent (id int) partition by range (id);
    create table public.part partition of public.parent for values from (0) to (1000);
    insert into public.parent select g from generate_series(1, 100) as g;
    delete from public.few where id <= 500;
    delete from public.many where id <= 2000;
    """

  /// Statistics come a moment after the transactions that they count.
  private static func settle(_ database: TestDatabase, dead: [String: Int]) async throws {
    for (name, rows) in dead {
      try await wait(
        database, for: "(select n_dead_tup from pg_stat_user_tables where relname = '\(name)') = \(rows)")
    }
  }
}
