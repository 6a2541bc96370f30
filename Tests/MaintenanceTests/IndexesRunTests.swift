import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

extension SampleRun {
  @discardableResult
  func callAsFunction(_ job: IndexesJob, on database: TestDatabase) async throws -> JobResult {
    try await self(job, .indexes(job.rule), on: database)
  }
}

@Suite struct IndexesRunTests {
  static let invalid = "select indexrelid::regclass::text from pg_index where not indisvalid order by 1"

  /// Leaves what an interrupted REINDEX INDEX CONCURRENTLY leaves: its wait for an old snapshot is ended.
  static func interruptRebuild(of index: String, _ database: TestDatabase) async throws {
    let holder = database.connect()
    try await holder.run { connection in
      try connection.execute("begin isolation level repeatable read")
      try connection.execute("select count(*) from public.t")
    }
    let victim = database.connect()
    await #expect(throws: PostgresError.self) {
      try await victim.run { connection in
        try connection.execute("set lock_timeout = '100ms'")
        try connection.execute("reindex index concurrently \(index)")
      }
    }
    await holder.close()
  }

  private func actions(_ result: JobResult) -> [String] { result.objects.map { "\($0.action) \($0.name)" } }

  @Test func `what an interrupted rebuild left is dropped, and an invalid index rebuilt`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, "B c" int); insert into public.t select i, i from generate_series(1, 1000) as i;
        create index t_a on public.t (a); create unique index "T ""b" on public.t ("B c");
        """)
      try await Self.interruptRebuild(of: "public.t_a", database)
      #expect(try await database.rows(Self.invalid) == [["t_a_ccnew"]])
      try await database.execute("insert into public.t values (1, 5000)")
      await #expect(throws: PostgresError.self) {
        try await database.execute("create unique index concurrently t_bad on public.t (a)")
      }
      let run = SampleRun()
      let result = try await run(IndexesJob(IndexRule()), on: database)
      #expect(result.outcome == .failed)
      #expect(result.sqlState == "23505")
      #expect(actions(result) == ["dropped public.t_a_ccnew", "failed public.t_bad"])
      #expect(run.events.healed.count == 1)
      #expect(try await database.rows(Self.invalid) == [["t_bad"]])
      try await database.execute("delete from public.t where a = 1")
      let second = try await SampleRun()(IndexesJob(IndexRule()), on: database)
      #expect(second.outcome == .ok, "\(second)")
      #expect(actions(second) == ["rebuilt public.t_bad"])
      #expect(try await database.rows(Self.invalid) == [])
    }
  }

  @Test func `an invalid index that only has the name is reported, not dropped`() async throws {
    try await withDatabase { database in
      try await database.execute("create table public.t (a int); insert into public.t values (1), (1)")
      await #expect(throws: PostgresError.self) {
        try await database.execute("create unique index concurrently mine_ccnew on public.t (a)")
      }
      let result = try await SampleRun()(IndexesJob(IndexRule()), on: database)
      #expect(actions(result) == ["skipped public.mine_ccnew"])
      #expect(try await database.rows(Self.invalid) == [["mine_ccnew"]])
    }
  }

  @Test func `duplicates and invalid indexes of partitioned tables are only told`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, b text); create index t_1 on public.t (a); create index t_2 on public.t (a);
        create index t_3 on public.t (a desc); create index t_4 on public.t (a) where a > 1;
        create table public.p (a int) partition by range (a);
        create table public.p1 partition of public.p for values from (1) to (2);
        create index p_a on only public.p (a);
        """)
      let result = try await SampleRun()(IndexesJob(IndexRule()), on: database)
      #expect(result.outcome == .ok)
      #expect(actions(result) == ["skipped public.p_a", "skipped public.t_2"])
      #expect(result.objects.last?.detail?.contains("a duplicate of public.t_1") == true)
      let only = try await SampleRun()(
        IndexesJob(IndexRule(tables: RelationSelection(include: ["public.*"], exclude: ["*.p"]))),
        on: database)
      #expect(actions(only) == ["skipped public.t_2"])
    }
  }

  /// 120,000 rows of which most are gone: the index keeps its pages.
  private static let bloated = """
    create table public.t (a bigint, b text) with (autovacuum_enabled = off);
    insert into public.t select i, 'x' || i from generate_series(1, 120000) as i;
    create index t_a on public.t (a);
    delete from public.t where a % 8 <> 0;
    """

  @Test func `a bloated index is rebuilt, once its statistics can be believed`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.bloated)
      var rule = IndexRule()
      rule.bloatMinimumBytes = 1 << 20
      let unknown = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(actions(unknown) == ["skipped public.t_a"])
      #expect(unknown.objects[0].detail?.contains("was not analyzed") == true, "\(unknown)")
      try await Self.vacuum(database)
      let before = try await database.value("select pg_relation_size('public.t_a')")
      let result = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(actions(result) == ["rebuilt public.t_a"])
      let after = try await database.value("select pg_relation_size('public.t_a')")
      #expect(result.bytes == (Int64(before ?? "") ?? 0) - (Int64(after ?? "") ?? 0))
      #expect(result.bytes > 1 << 20)
      let again = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(again.objects.isEmpty, "\(again)")
    }
  }

  @Test func `an estimate is near what pgstattuple measures`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a bigint, b text, c timestamptz, d int) with (autovacuum_enabled = off);
        insert into public.t select i, md5(i::text), now() + i * interval '1 s', case when i % 3 = 0 then i end
          from generate_series(1, 60000) as i;
        create index t_1 on public.t (a); create index t_2 on public.t (b, c); create index t_3 on public.t (lower(b));
        create index t_4 on public.t (a) where a % 2 = 0; create index t_5 on public.t (a) with (fillfactor = 60);
        create index t_6 on public.t (d, a);
        """)
      try await Self.vacuum(database)
      for _ in 0..<2 {
        let all = try await database.connect().run { try IndexFacts.read(RelationSelection(), on: $0) }
        #expect(all.count == 6)
        let percents = all.map { $0.bloat.percent ?? 1000 }
        #expect(percents.allSatisfy { $0 <= 12 }, "\(percents)")
        try await database.execute("reindex table public.t")
        try await database.execute("analyze public.t")
      }
      try await database.execute("delete from public.t where a % 4 <> 0")
      try await Self.vacuum(database)
      let all = try await database.connect().run { try IndexFacts.read(RelationSelection(), on: $0) }
      let percents = all.map { $0.bloat.percent ?? 1000 }
      #expect(percents.allSatisfy { (45...85).contains($0) }, "\(percents)")
      guard try await Self.hasMeasure(database) else { return }
      let measured = try await database.rows(
        """
        select floor(100 - p.avg_leaf_density * 100 / case relname when 't_5' then 60 else 90 end)::int
        from pg_class c, public.pgstatindex(c.oid::regclass) p where relname ~ '^t_' order by relname
        """
      ).map { Int($0[0] ?? "") ?? 0 }
      #expect(zip(percents, measured).allSatisfy { abs($0 - $1) <= 10 }, "\(percents) \(measured)")
    }
  }

  /// Counts of changes reach the statistics up to a second late, and would come after those of ANALYZE.
  private static func vacuum(_ database: TestDatabase) async throws {
    if try await database.value("select to_regproc('pg_stat_force_next_flush') is not null") == "t" {
      try await database.execute("select pg_stat_force_next_flush()")
    } else {
      try await Task.sleep(for: .milliseconds(1500))
    }
    try await database.execute("vacuum analyze public.t")
  }

  private static func hasMeasure(_ database: TestDatabase) async throws -> Bool {
    guard try await database.value("select 1 from pg_available_extensions where name = 'pgstattuple'") != nil
    else { return false }
    try await database.execute("create extension pgstattuple schema public")
    return true
  }

  @Test func `where pgstattuple is installed, bloat is measured, also without statistics`() async throws {
    try await withDatabase { database in
      guard try await Self.hasMeasure(database) else { return }
      try await database.execute(Self.bloated)
      try await database.execute("vacuum public.t")
      var rule = IndexRule()
      rule.bloatMinimumBytes = 1 << 20
      let result = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(actions(result) == ["rebuilt public.t_a"], "\(result)")
      let again = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(again.objects.isEmpty, "\(again)")
    }
  }

  @Test func `a rebuild waits for old transactions, and begins not at all where they stay`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.bloated)
      try await Self.vacuum(database)
      let holder = database.connect()
      try await holder.run { connection in
        try connection.execute(
          "begin isolation level repeatable read; select 1; select count(*) from pg_class")
      }
      var rule = IndexRule()
      rule.bloatMinimumBytes = 1 << 20
      var job = IndexesJob(rule)
      job.oldTransaction = .seconds(0)
      job.patience = .seconds(1)
      let result = try await SampleRun()(job, on: database)
      #expect(result.outcome == .partial, "\(result)")
      #expect(result.reason?.contains("has had a transaction open since") == true)
      #expect(result.backlog == 1)
      // Not seen beforehand: the rebuild itself ends with the budget, and leaves nothing.
      var run = SampleRun()
      run.budget = .seconds(3)
      let late = try await run(IndexesJob(rule), on: database)
      #expect(late.outcome == .partial, "\(late)")
      await holder.close()
      _ = try await SampleRun()(IndexesJob(rule), on: database)
      #expect(try await database.rows(Self.invalid) == [])
    }
  }

  @Test func `a rebuild gives way to whoever waits behind it, and leaves nothing`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.bloated)
      try await Self.vacuum(database)
      let holder = database.connect()
      try await holder.run { connection in
        try connection.execute("begin isolation level repeatable read; select count(*) from public.t")
      }
      var rule = IndexRule()
      rule.bloatMinimumBytes = 1 << 20
      let (fixed, other) = (rule, database.connect())
      async let result = SampleRun()(IndexesJob(fixed), on: database)
      // The rebuild waits for the holder by now; so does this ALTER, behind the rebuild.
      try await Task.sleep(for: .seconds(1))
      async let altered: Void = other.run { connection in
        try connection.execute("alter table public.t set (autovacuum_enabled = off)")
      }
      try await altered
      await holder.close()
      let ended = try await result
      #expect(ended.outcome == .ok, "\(ended)")
      #expect(ended.yields >= 1)
      #expect(try await database.rows(Self.invalid) == [])
      #expect(
        try await database.value("select count(*) from pg_index where indrelid = 'public.t'::regclass") == "1"
      )
    }
  }

  @Test func `another role's index is reported, and a role without statistics is told so`() async throws {
    try await withDatabase { database in
      let role = "ordinary_\(database.name)"
      try await database.execute("create role \(role) login")
      try await database.execute(Self.bloated)
      try await Self.vacuum(database)
      await #expect(throws: PostgresError.self) {
        try await database.execute(
          "insert into public.t select a, b from public.t limit 5; create unique index concurrently t_bad on public.t (a)"
        )
      }
      var run = SampleRun()
      run.user = role
      var rule = IndexRule()
      rule.bloatMinimumBytes = 1 << 20
      let result = try await run(IndexesJob(rule), on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(result.objects.allSatisfy { $0.action == "skipped" })
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }
}
