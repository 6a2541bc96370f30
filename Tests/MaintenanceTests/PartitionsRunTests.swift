import Foundation
import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

/// One run of a body, for the tests of partitions and indexes.
struct SampleRun {
  var now = UTCTime(year: 2026, month: 11, day: 24, hour: 12)
  var user: String?
  var budget = Duration.seconds(60)
  let events = Events()

  final class Events: Sendable {
    let all = Mutex<[JobEvent]>([])
    var healed: [String] {
      all.withLock { $0 }.compactMap { if case .healed(let text) = $0 { text } else { nil } }
    }
    var warnings: [String] {
      all.withLock { $0 }.compactMap { if case .warning(let text, _, _) = $0 { text } else { nil } }
    }
  }

  func callAsFunction(_ body: some JobBody, _ work: JobWork, on database: TestDatabase) async throws
    -> JobResult
  {
    let table = JobRunTable(schema: "tsdb")
    try await database.connect().run { connection in
      try table.install(on: connection)
      try connection.execute("grant usage on schema tsdb to public; grant all on tsdb.job_runs to public")
    }
    let records = JobRecords(
      table: table, caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))
    var job = JobDefinition(name: "sample", work: work, schedule: .every(.seconds(60)))
    job.budget = budget
    let settings = user.map { database.settings(user: $0) } ?? database.settings
    let events = events
    let end = try await JobRun(
      job: job, slot: nil, now: now, settings: settings, records: records, gates: Gates(),
      report: { event in events.all.withLock { $0.append(event) } }
    ).run(body)
    guard case .ran(let result) = end else { throw TestSupportError("it did not run: \(end)") }
    return result
  }

  @discardableResult
  func callAsFunction(_ rules: [PartitionRule], on database: TestDatabase) async throws -> JobResult {
    try await self(PartitionsJob(rules), .partitions(rules), on: database)
  }
}

@Suite struct PartitionsRunTests {
  private static let bounds = """
    select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = $1::regclass order by 1
    """

  private func actions(_ result: JobResult) -> [String] { result.objects.map { "\($0.action) \($0.name)" } }

  @Test func `what is missing is created, with UTC bounds in whatever time zone the database has`()
    async throws
  {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (id bigint, at timestamptz not null, primary key (id, at)) partition by range (at);
        create table public.t_default partition of public.t default;
        """)
      try await database.execute("alter database \(database.name) set timezone = 'America/Bogota'")
      try await database.execute("alter database \(database.name) set datestyle = 'SQL, DMY'")
      let rule = PartitionRule(table: "public.t", ahead: 1)
      let result = try await SampleRun()([rule], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(actions(result) == ["created public.t_2026_11", "created public.t_2026_12"])
      #expect(
        try await database.rows(Self.bounds, ["t"]) == [
          ["t_2026_11", "FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')"],
          ["t_2026_12", "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"],
          ["t_default", "DEFAULT"],
        ])
      let again = try await SampleRun()([rule], on: database)
      #expect(again == JobResult(again.outcome, backlog0: ()))
    }
  }

  @Test(arguments: [
    (PartitionRule.Interval.day, "timestamp", ["2026_11_24", "2026_11_25"]),
    (.week, "date", ["2026_w48", "2026_w49"]), (.year, "timestamptz", ["2026", "2027"]),
    (.month, "date", ["2026_11", "2026_12"]),
  ])
  func `partitions of every width and type`(
    _ interval: PartitionRule.Interval, _ type: String, _ suffixes: [String]
  ) async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table public.\"T q\"\"x\" (\"At\" \(type)) partition by range (\"At\")")
      let rule = PartitionRule(table: "public.T q\"x", interval: interval, ahead: 1)
      let result = try await SampleRun()([rule], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(actions(result) == suffixes.map { "created public.\"T q\"\"x_\($0)\"" })
      try await database.execute("insert into public.\"T q\"\"x\" values ('2026-11-24')")
    }
  }

  @Test func `rows of the default partition go where they belong, and what remains is told`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (id int, gone int, at timestamptz not null, twice int generated always as (id * 2) stored)
          partition by range (at);
        create table public.t_default (at timestamptz not null, id int, twice int generated always as (id * 2) stored);
        alter table public.t drop column gone;
        alter table public.t attach partition public.t_default default;
        create table public.fired (n int);
        create function public.fire() returns trigger language plpgsql as $$
          begin insert into public.fired values (1); return null; end $$;
        create trigger t_delete after delete on public.t for each row execute function public.fire();
        insert into public.t (id, at) select i, timestamptz '2026-12-01 00:00+00' + i * interval '1 second'
          from generate_series(0, 999) as i;
        insert into public.t (id, at) values (5000, '1999-01-01 00:00+00'), (5001, '2044-01-01 00:00+00');
        """)
      let before = try await database.value(
        "select sum(id) || ' ' || count(*) || ' ' || sum(twice) from public.t")
      let run = SampleRun()
      let result = try await run([PartitionRule(table: "public.t", ahead: 2)], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(result.rows == 1000)
      #expect(result.reason?.contains("public.t_default holds 2 rows, from 1999-01-01 to 2044-01-01") == true)
      #expect(run.events.warnings.count == 1)
      #expect(try await database.value("select count(*) from public.t_2026_12") == "1000")
      #expect(try await database.value("select count(*) from public.fired") == "0")
      #expect(
        try await database.value("select sum(id) || ' ' || count(*) || ' ' || sum(twice) from public.t")
          == before)
      try await database.execute("delete from public.t where id = 5000")
      #expect(try await database.value("select count(*) from public.fired") == "1")
    }
  }

  @Test func `a new partition has the table's indexes, privileges and more`() async throws {
    try await withDatabase { database in
      let role = "reader_\(database.name)"
      try await database.execute("create role \(role)")
      try await database.execute(
        """
        create table public.other (id int primary key);
        create table public.t (id int references public.other, at timestamptz not null, "Text" text,
          constraint t_check check (id > 0), constraint t_id_key unique (id, at)) partition by range (at);
        create index t_lower on public.t (lower("Text") desc) where id > 5;
        create index " USING odd" on public.t using hash (id);
        create table public.t_2026_10 partition of public.t for values from ('2026-10-01+00') to ('2026-11-01+00')
          with (fillfactor = 70, toast.autovacuum_enabled = off);
        comment on table public.t_2026_10 is 'from 2026-10-01 to 2026-11-01';
        grant select, insert on public.t to \(role);
        grant update (id) on public.t to \(role) with grant option;
        alter table public.t replica identity full;
        """)
      let result = try await SampleRun()([PartitionRule(table: "public.t", ahead: 0)], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(
        try await database.rows(
          "select pg_get_indexdef(indexrelid), indexrelid in (select inhrelid from pg_inherits) from pg_index where indrelid = 't_2026_11'::regclass order by 1"
        ) == [
          ["CREATE INDEX \"t_2026_11_ USING odd\" ON public.t_2026_11 USING hash (id)", "t"],
          [
            "CREATE INDEX t_2026_11_lower ON public.t_2026_11 USING btree (lower(\"Text\") DESC) WHERE (id > 5)",
            "t",
          ],
          ["CREATE UNIQUE INDEX t_2026_11_id_key ON public.t_2026_11 USING btree (id, at)", "t"],
        ])
      let facts = try await database.rows(
        """
        select array_to_string(c.reloptions, ','), array_to_string(t.reloptions, ','), c.relreplident,
          obj_description(c.oid), has_table_privilege('\(role)', c.oid, 'select, insert'),
          has_column_privilege('\(role)', c.oid, 'id', 'update with grant option'),
          (select string_agg(conname, ',' order by conname) from pg_constraint where conrelid = c.oid and contype <> 'n')
        from pg_class c join pg_class t on t.oid = c.reltoastrelid where c.relname = 't_2026_11'
        """)
      #expect(
        facts == [
          [
            "fillfactor=70", "autovacuum_enabled=off", "f", "from 2026-11-01 to 2026-12-01", "t", "t",
            "t_2026_11_id_key,t_check,t_id_fkey",
          ]
        ])
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test(arguments: [false, true])
  func `what is over goes, whether a default partition is there or not`(_ hasDefault: Bool) async throws {
    try await withDatabase { database in
      try await database.execute("create table public.t (at date) partition by range (at)")
      if hasDefault { try await database.execute("create table public.t_d partition of public.t default") }
      for month in 1...11 {
        let next = month == 12 ? "2027-01-01" : "2026-\(month + 1)-01"
        try await database.execute(
          "create table public.p\(month) partition of public.t for values from ('2026-\(month)-01') to ('\(next)')"
        )
      }
      try await database.execute(
        "insert into public.p8 values ('2026-08-07'); create view public.v as select * from p2")
      // Now is the 24th of November; September ends 54 days before.
      let rule = PartitionRule(table: "public.t", ahead: 0, keep: .seconds(54 * 86_400))
      let result = try await SampleRun()([rule], on: database)
      #expect(result.outcome == .failed)
      #expect(
        result.reason?.contains("public.p2: it is not dropped, because of rule _RETURN on view public.v")
          == true)
      #expect(actions(result).filter { $0.hasPrefix("dropped") }.count == 8, "\(actions(result))")
      let left = try await database.rows("select relname from pg_class where relname ~ '^p\\d+$' order by 1")
      #expect(left == [["p10"], ["p11"], ["p2"]])
      #expect(result.bytes > 0)
    }
  }

  @Test func `without keep nothing goes`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (at date) partition by range (at);
        create table public.old partition of public.t for values from (minvalue) to ('1990-01-01');
        """)
      let result = try await SampleRun()([PartitionRule(table: "public.t", ahead: 0)], on: database)
      #expect(actions(result) == ["created public.t_2026_11"])
    }
  }

  @Test func `a partition that foreign keys refer to stays attached and keeps its comment`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (id int, at date, primary key (id, at)) partition by range (at);
        create table public.p1 partition of public.t for values from ('2020-01-01') to ('2021-01-01');
        create table public.p2 partition of public.t for values from ('2021-01-01') to ('2022-01-01');
        comment on table public.p1 is 'the first';
        insert into public.t values (1, '2020-05-05'), (2, '2021-05-05');
        create table public.r (id int, at date, foreign key (id, at) references public.t);
        insert into public.r values (1, '2020-05-05');
        """)
      let rule = PartitionRule(table: "public.t", interval: .year, ahead: 0, keep: .seconds(86_400))
      let result = try await SampleRun()([rule], on: database)
      #expect(result.outcome == .failed)
      #expect(result.sqlState == "23503", "\(result)")
      #expect(actions(result) == ["created public.t_2026", "failed public.p1", "dropped public.p2"])
      #expect(try await database.value("select obj_description('public.p1'::regclass)") == "the first")
      #expect(try await database.value("select count(*) from public.t") == "1")
    }
  }

  @Test func `periods of other widths are completed, or refused clearly`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (at timestamptz) partition by range (at);
        create table public.a partition of public.t for values from ('2026-11-01+00') to ('2026-11-09+00');
        create table public.b partition of public.t for values from ('2026-12-05+00') to ('2026-12-09+00');
        create table public.c partition of public.t for values from ('2027-01-01+00') to ('2028-01-01+00');
        """)
      let result = try await SampleRun()([PartitionRule(table: "public.t", ahead: 3)], on: database)
      #expect(actions(result) == ["failed public.t_2026_12", "created public.t_2026_11"])
      #expect(result.reason?.contains("with 2 gaps between") == true)
      #expect(
        try await database.rows(Self.bounds, ["t"]).last?.last
          == "FOR VALUES FROM ('2026-11-09 00:00:00+00') TO ('2026-12-01 00:00:00+00')")
    }
  }

  @Test(arguments: [
    ("create table public.t (at date)", "is not a partitioned table"),
    ("create table public.t (at date) partition by list (at)", "is not partitioned by range"),
    ("create table public.t (a int, at date) partition by range (a, at)", "more than one column"),
    ("create table public.t (at timestamp) partition by range ((at::date))", "by an expression"),
    ("create table public.t (at int) partition by range (at)", "not of type timestamptz, timestamp or date"),
    ("create view public.t as select 1", "is not a partitioned table"), ("select 1", "does not exist"),
  ])
  func `a table that is not for this job is refused, and the others are done`(
    _ sql: String, _ reason: String
  ) async throws {
    try await withDatabase { database in
      try await database.execute("create table public.good (at date) partition by range (at)")
      try await database.execute(sql)
      let result = try await SampleRun()(
        [PartitionRule(table: "public.t", ahead: 0), PartitionRule(table: "public.good", ahead: 0)],
        on: database)
      #expect(result.outcome == .failed)
      #expect(result.reason?.contains(reason) == true, "\(result)")
      #expect(actions(result) == ["failed public.t", "created public.good_2026_11"])
    }
  }

  @Test func `a table of the name that is not ours is never touched`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (at date) partition by range (at);
        create table public.t_2026_11 (at date);
        insert into public.t_2026_11 values ('2026-11-11');
        create table public.t_2020_01 (at date);
        comment on table public.t_2020_01 is 'tsdb: something else';
        """)
      let rule = PartitionRule(table: "public.t", ahead: 1, keep: .seconds(60))
      let result = try await SampleRun()([rule], on: database)
      #expect(actions(result) == ["failed public.t_2026_11", "created public.t_2026_12"])
      #expect(try await database.value("select count(*) from public.t_2026_11") == "1")
      #expect(try await database.value("select to_regclass('public.t_2020_01') is not null") == "t")
    }
  }

  private static let old = """
    create table public.t (at date) partition by range (at);
    create table public.p1 partition of public.t for values from ('2020-01-01') to ('2021-01-01');
    create table public.p2 partition of public.t for values from ('2021-01-01') to ('2022-01-01');
    comment on table public.p2 is 'the second';
    insert into public.t values ('2020-05-05'), ('2021-05-05');
    """
  private static let mark =
    "tsdb: retired from \"public\".\"t\", rows before 2021-01-01T00:00:00Z; to be dropped\nthe first"
  private static let year = PartitionRule(
    table: "public.t", interval: .year, ahead: 0, keep: .seconds(5 * 366 * 86_400))

  /// Leaves a detach between its two transactions.
  private func interruptDetach(_ database: TestDatabase) async throws {
    let (holder, victim) = (database.connect(), database.connect())
    try await holder.run { try $0.execute("begin; select count(*) from public.t") }
    await #expect(throws: PostgresError.self) {
      try await victim.run { connection in
        try connection.execute("set lock_timeout = '100ms'")
        try connection.execute("alter table public.t detach partition public.p1 concurrently")
      }
    }
    await holder.close()
    #expect(try await database.value("select count(*) from pg_inherits where inhdetachpending") == "1")
  }

  @Test(arguments: [true, false])
  func `an interrupted detach is finished, and its table dropped only where it is ours`(
    _ isOurs: Bool
  ) async throws {
    try await withDatabase { database in
      try await database.execute(Self.old)
      if isOurs { try await database.execute("comment on table public.p1 is \(Quoting.literal(Self.mark))") }
      try await interruptDetach(database)
      let run = SampleRun()
      let result = try await run([Self.year], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(
        actions(result) == ["created public.t_2026", isOurs ? "dropped public.p1" : "detached public.p1"])
      #expect(run.events.healed == ["the interrupted detach of public.p1 is finished"])
      #expect(
        try await database.value("select to_regclass('public.p1') is not null") == (isOurs ? "f" : "t"))
      #expect(try await database.value("select count(*) from pg_inherits where inhdetachpending") == "0")
    }
  }

  @Test func `a table that an earlier run took off is dropped, unless the rule keeps it now`() async throws {
    try await withDatabase { database in
      try await database.execute(
        Self.old + "alter table public.t detach partition public.p1;"
          + "comment on table public.p1 is \(Quoting.literal(Self.mark))")
      var kept = Self.year
      kept.keep = nil
      let first = try await SampleRun()([kept], on: database)
      #expect(actions(first) == ["created public.t_2026", "skipped public.p1"])
      let run = SampleRun()
      let second = try await run([Self.year], on: database)
      #expect(actions(second) == ["dropped public.p1"])
      #expect(run.events.healed.count == 1)
      #expect(try await database.value("select to_regclass('public.p1') is null") == "t")
    }
  }

  @Test func `a partition that was to go and is kept now has its comment again`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.old + "comment on table public.p1 is \(Quoting.literal(Self.mark))")
      var kept = Self.year
      kept.keep = nil
      let run = SampleRun()
      _ = try await run([kept], on: database)
      #expect(run.events.healed.count == 1)
      #expect(try await database.value("select obj_description('public.p1'::regclass)") == "the first")
    }
  }

  @Test func `a table in use is left for the next run, and no application waits for it`() async throws {
    try await withDatabase { database in
      try await database.execute(Self.old + "create table public.t_default partition of public.t default")
      let holder = database.connect()
      try await holder.run { try $0.execute("begin; select count(*) from public.t") }
      var run = SampleRun()
      run.budget = .seconds(2)
      let result = try await run([Self.year], on: database)
      await holder.close()
      #expect(result.outcome == .partial, "\(result)")
      #expect((result.backlog ?? 0) >= 1 && result.waits > 0)
      #expect(try await database.value("select count(*) from public.t") == "2")
      let next = try await SampleRun()([Self.year], on: database)
      #expect(actions(next) == ["created public.t_2026", "dropped public.p1"])
    }
  }

  @Test func `rows that foreign keys refer to are not moved`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (id int, at date, primary key (id, at)) partition by range (at);
        create table public.t_default partition of public.t default;
        insert into public.t values (1, '2026-11-05');
        create table public.r (id int, at date, foreign key (id, at) references public.t on delete cascade);
        insert into public.r values (1, '2026-11-05');
        """)
      let result = try await SampleRun()([PartitionRule(table: "public.t", ahead: 1)], on: database)
      #expect(actions(result).prefix(2) == ["failed public.t_2026_11", "created public.t_2026_12"])
      #expect(try await database.value("select count(*) from public.r") == "1")
    }
  }

  @Test func `an ordinary owner can do it, and another role is told what it lacks`() async throws {
    try await withDatabase { database in
      let (owner, other) = ("owner_\(database.name)", "other_\(database.name)")
      try await database.execute("create role \(owner) login; create role \(other) login")
      try await database.execute(
        """
        create schema s authorization \(owner);
        grant usage on schema s to \(other);
        set role \(owner);
        create table s.t (at timestamptz) partition by range (at);
        create table s.t_default partition of s.t default;
        create table s.t_old partition of s.t for values from ('2020-01-01') to ('2021-01-01');
        insert into s.t values ('2026-11-02');
        reset role;
        """)
      let rule = PartitionRule(table: "s.t", ahead: 0, keep: .seconds(86_400))
      var run = SampleRun()
      run.user = other
      let refused = try await run([rule], on: database)
      #expect(refused.outcome == .failed)
      #expect(refused.sqlState == "42501")
      #expect(refused.hint == "grant \"\(owner)\" to \"\(other)\"")
      run.user = owner
      let result = try await run([rule], on: database)
      #expect(result.outcome == .ok, "\(result)")
      #expect(actions(result) == ["created s.t_2026_11", "dropped s.t_old"])
      // By a superuser, the partition is still the owner's.
      try await SampleRun()([PartitionRule(table: "s.t", ahead: 1)], on: database)
      #expect(
        try await database.value("select pg_get_userbyid(relowner) from pg_class where relname = 't_2026_12'")
          == owner)
      try await database.execute(
        "drop owned by \(owner); drop owned by \(other); drop role \(owner), \(other)")
    }
  }
}

extension JobResult {
  /// A result of an outcome that did nothing.
  fileprivate init(_ outcome: JobOutcome, backlog0: Void) {
    self.init(outcome)
    backlog = 0
  }
}
