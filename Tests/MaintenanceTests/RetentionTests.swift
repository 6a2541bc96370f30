import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// The moment that the tests count from.
let retentionNow = UTCTime(year: 2026, month: 6, day: 1, hour: 12)

func rule(
  _ table: String = "public.t", column: String = "at", days: Int64 = 10, condition: String? = nil,
  _ change: (inout RetentionRule) -> Void = { _ in }
) -> RetentionRule {
  var rule = RetentionRule(table: table, column: column, keep: .seconds(days * 86_400), condition: condition)
  change(&rule)
  return rule
}

@discardableResult
func retain(
  _ database: TestDatabase, _ rules: RetentionRule..., user: String = "postgres",
  budget: Duration = .seconds(120),
  reported: Reported = Reported()
) async throws -> JobResult {
  try await runJob(
    database, user: user, now: retentionNow, budget: budget, reported: reported, RetentionJob(rules))
}

@Suite struct RetentionTests {
  /// Rows 1 to 100, one a day, row 1 the newest: at noon of the day `a` days before; 11 to 100 are old, row 10 is as old
  /// as is kept.
  private func table(_ database: TestDatabase, type: String = "timestamptz") async throws {
    try await database.execute(
      """
      create table public.t (a int primary key, at \(type), b text default 'x');
      insert into public.t select i, timestamp '2026-06-01 12:00' - i * interval '1 day' from generate_series(1, 100) as i;
      insert into public.t values (101, null);
      create index t_at_idx on public.t (at);
      """)
  }

  private func kept(_ database: TestDatabase) async throws -> [Int] {
    try await database.rows("select a from public.t order by a").compactMap { $0[0].flatMap { Int($0) } }
  }

  @Test(arguments: ["timestamptz", "timestamp", "date"])
  func `old rows go, and only those`(type: String) async throws {
    try await withDatabase { database in
      try await table(database, type: type)
      let result = try await retain(database, rule())
      #expect(result.outcome == .ok)
      #expect(result.rows == 90)
      #expect(result.bytes > 90 * 30)
      #expect(result.backlog == 0)
      #expect(try await kept(database) == Array(1...10) + [101])
      #expect(result.objects.map(\.action) == ["deleted", "vacuumed and analyzed"])
      #expect(result.objects.first?.name == "public.t")
      // Nothing is left to do.
      let again = try await retain(database, rule())
      #expect(again.rows == 0 && again.outcome == .ok)
      #expect(again.objects.map(\.action) == ["deleted"])
    }
  }

  @Test func `a timestamp is taken as UTC, whatever the session's time zone and format of dates`()
    async throws
  {
    try await withDatabase { database in
      try await table(database, type: "timestamp")
      try await database.execute(
        """
        alter database \(database.name) set timezone = 'Pacific/Kiritimati';
        alter database \(database.name) set datestyle = 'SQL, DMY';
        """)
      try await retain(database, rule { $0.maxRows = 7 })
      #expect(try await kept(database) == Array(1...10) + [101])
    }
  }

  @Test func `a date is old when all of its day is`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at date);
        create index on public.t (at);
        insert into public.t values (1, '2026-05-21'), (2, '2026-05-22'), (3, '2026-05-23'), (4, '-infinity');
        """)
      try await retain(database, rule())
      #expect(try await kept(database) == [2, 3])
    }
  }

  @Test func `thousands of rows of one moment go in small batches, each once`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz);
        insert into public.t select i, '2026-01-01' from generate_series(1, 7000) as i;
        insert into public.t select i, '2026-01-02' from generate_series(7001, 7003) as i;
        insert into public.t select i, '2026-01-03' from generate_series(7004, 12000) as i;
        insert into public.t select i, '2026-06-01' from generate_series(12001, 12010) as i;
        create index on public.t (at);
        """)
      let result = try await retain(database, rule { $0.maxRows = 100 })
      #expect(result.rows == 12_000)
      #expect(try await kept(database) == Array(12_001...12_010))
    }
  }

  @Test func `a condition leaves out rows, and cannot put the cutoff aside`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute("update public.t set b = 'closed' where a % 2 = 0")
      try await retain(database, rule(condition: "b = 'closed' or a = 11 -- and one more"))
      #expect(try await kept(database).filter { $0 > 10 } == Array(stride(from: 13, through: 101, by: 2)))
      for condition in [
        "true) or (true", "true], array[true", "b = ", "b", "true; drop table public.t", "nosuch = 1", "a, a",
      ] {
        let result = try await retain(database, rule(condition: condition))
        #expect(result.outcome == .failed, "\(condition)")
        #expect(result.reason?.contains("the condition of the rule for public.t") == true, "\(condition)")
      }
      #expect(try await kept(database).count == 55)
    }
  }

  @Test func `rules that cannot be followed are failures of their own, and the others go on`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create view public.v as select * from public.t;
        create table public.noindex (at timestamptz);
        create table public."Odd ""name" ("the at" timestamptz);
        create index on public."Odd ""name" ("the at");
        insert into public."Odd ""name" values ('2020-01-01');
        create table public.partial (at timestamptz, b text);
        create index partial_idx on public.partial (at) where b = 'x';
        create table public.hashed (at timestamptz);
        create index on public.hashed using hash (at);
        create table public.second (a int, at timestamptz);
        create index on public.second (a, at);
        """)
      let result = try await retain(
        database, rule("public.nosuch"), rule("t"), rule("nosuch.t"), rule("public.v"),
        rule(column: "nosuch"),
        rule(column: "b"), rule("public.noindex"), rule("public.partial"), rule("public.hashed"),
        rule("public.second"), rule(days: -1), rule("public.Odd \"name", column: "the at"), rule())
      #expect(result.outcome == .failed)
      #expect(result.reason == "there is no table \"public.nosuch\"; and 10 more")
      #expect(result.rows == 91)
      let failures = result.objects.filter { $0.action == "failed" }.map { $0.detail ?? "" }
      #expect(failures.count == 11)
      for (failure, text) in zip(
        failures,
        [
          "no table", "does not name a schema", "no table", "is not a table", "no column \"nosuch\"",
          "is of type text", "no usable index on at", "no usable index on at", "no usable index on at",
          "no usable index on at", "negative span",
        ])
      {
        #expect(failure.contains(text), "\(failure)")
      }
      #expect(failures[6].contains("create index concurrently on public.noindex (at)"))
    }
  }

  @Test func `a partial index serves a condition that implies its predicate`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz, b text);
        create index "odd ""idx" on public.t (at) where b = 'x' and at is not null;
        insert into public.t select i, '2026-01-01', case when i % 2 = 0 then 'x' else 'y' end
        from generate_series(1, 100) as i;
        """)
      #expect(try await retain(database, rule()).outcome == .failed)
      #expect(try await retain(database, rule(condition: "b = 'y'")).outcome == .failed)
      let result = try await retain(database, rule(condition: "b = 'x' and a > 0"))
      #expect(result.outcome == .ok)
      #expect(result.rows == 50)
    }
  }

  @Test func `an invalid index does not count`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        "update pg_index set indisvalid = false where indexrelid = 'public.t_at_idx'::regclass")
      #expect(try await retain(database, rule()).reason?.contains("no usable index") == true)
    }
  }

  @Test func `without an index the whole table is read only where the rule allows it`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz, b text) partition by hash (a);
        create table public.t0 partition of public.t for values with (modulus 2, remainder 0);
        create table public.t1 partition of public.t for values with (modulus 2, remainder 1);
        insert into public.t
        select i, case when i % 3 = 0 then timestamptz '2026-06-01' else '2026-01-01' end, repeat('x', 1000)
        from generate_series(1, 30000) as i;
        """)
      #expect(try await retain(database, rule()).outcome == .failed)
      let result = try await retain(database, rule { $0.allowsSequentialScan = true })
      #expect(result.outcome == .ok)
      #expect(result.rows == 20_000)
      #expect(try await database.value("select count(*) from public.t where at < '2026-05-22'") == "0")
    }
  }

  @Test func `a foreign key without an index is refused, also behind a cascade`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create table public.child (a int primary key, t int references public.t on delete cascade);
        create table public.grandchild (a int, "Child" int references public.child (a));
        """)
      let refused = try await retain(database, rule())
      #expect(refused.outcome == .failed)
      #expect(refused.hint == "create index concurrently on public.child (t)")
      try await database.execute("create index on public.child (t) where t is not null")
      #expect(
        try await retain(database, rule()).hint
          == "create index concurrently on public.grandchild (\"Child\")")
      try await database.execute(
        """
        create index on public.grandchild using hash ("Child");
        insert into public.child values (1, 50), (2, 5);
        """)
      #expect(try await retain(database, rule()).outcome == .ok)
      #expect(try await database.rows("select a from public.child") == [["2"]])
    }
  }

  @Test func `a foreign key to a partitioned table is looked at from the table and from a partition`()
    async throws
  {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz, primary key (a, at)) partition by range (at);
        create table public.p partition of public.t for values from ('2020-01-01') to ('2030-01-01');
        create index on public.t (at);
        create table public.child (a int, at timestamptz, foreign key (a, at) references public.t);
        """)
      for table in ["public.t", "public.p"] {
        #expect(
          try await retain(database, rule(table)).hint == "create index concurrently on public.child (a, at)",
          "\(table)")
      }
      try await database.execute("create index on public.child (a, at)")
      for table in ["public.t", "public.p"] {
        #expect(try await retain(database, rule(table)).outcome == .ok)
      }
    }
  }

  @Test func `a row that others refer to fails the rule with what to do`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create table public.child (t int references public.t);
        create index on public.child (t);
        insert into public.child values (99);
        """)
      let result = try await retain(database, rule { $0.maxRows = 20 })
      #expect(result.outcome == .failed)
      #expect(result.sqlState == "23503")
      #expect(result.hint?.contains("condition") == true)
      #expect(
        try await retain(
          database, rule(condition: "not exists (select from public.child as c where c.t = a)")
        )
        .rows == 89)
    }
  }

  @Test func `a trigger that keeps rows ends nothing and loops nowhere`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create function public.keep() returns trigger language plpgsql as
          'begin if old.a % 2 = 0 then return null; end if; return old; end';
        create trigger keep before delete on public.t for each row execute function public.keep();
        """)
      let result = try await retain(database, rule { $0.maxRows = 10 })
      #expect(result.outcome == .ok)
      #expect(result.rows == 45)
      #expect(result.objects.first?.detail == "45 rows were kept by a trigger or a policy")
    }
  }

  @Test func `row-level security is told, and its rows are kept`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create role app_\(database.name) login;
        alter table public.t owner to app_\(database.name);
        alter table public.t enable row level security;
        alter table public.t force row level security;
        create policy odd on public.t using (a % 2 = 1);
        grant create on database \(database.name) to app_\(database.name);
        """)
      let reported = Reported()
      let result = try await retain(database, rule(), user: "app_\(database.name)", reported: reported)
      #expect(result.outcome == .ok)
      #expect(result.rows == 45)
      #expect(reported.warnings.contains { $0.contains("row-level security") })
      try await database.execute("drop owned by app_\(database.name); drop role app_\(database.name)")
    }
  }

  @Test func `a role without the rights is told which`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute(
        """
        create role poor_\(database.name) login;
        grant select on public.t to poor_\(database.name);
        grant create on database \(database.name) to poor_\(database.name);
        """)
      let result = try await retain(database, rule(), user: "poor_\(database.name)")
      #expect(result.reason == "no right to delete, update on public.t")
      // With the rights it works, though the table cannot be vacuumed by who does not own it, and that is said.
      try await database.execute("grant delete, update on public.t to poor_\(database.name)")
      let granted = try await retain(database, rule(), user: "poor_\(database.name)")
      #expect(granted.rows == 90)
      #expect(granted.objects.last?.action == "skipped")
      #expect(granted.objects.last?.detail?.contains("vacuum") == true)
      try await database.execute("drop owned by poor_\(database.name); drop role poor_\(database.name)")
    }
  }

  @Test(arguments: [
    "range (at)", "hash (a)",
  ])
  func `a partitioned table loses its old rows and no others of the same place`(by key: String) async throws {
    try await withDatabase { database in
      let parts =
        key.hasPrefix("range")
        ? """
        create table public.p0 partition of public.t for values from ('2026-01-01') to ('2026-03-01');
        create table public.p1 partition of public.t for values from ('2026-03-01') to ('2026-07-01');
        create table public.p2 partition of public.t default;
        """
        : """
        create table public.p0 (b text, at timestamptz, gone int, a int);
        alter table public.p0 drop column gone;
        alter table public.t attach partition public.p0 for values with (modulus 2, remainder 0);
        create table public.p1 partition of public.t for values with (modulus 2, remainder 1);
        """
      try await database.execute(
        """
        create table public.t (a int, at timestamptz, b text) partition by \(key);
        \(parts)
        create index on public.t (at);
        insert into public.t
        select i, timestamptz '2026-06-01 12:00+00' - (i * 17 % 100) * interval '1 day', repeat('x', 100)
        from generate_series(1, 10000) as i;
        """)
      let old = try await database.value("select count(*) from public.t where at < '2026-05-22 12:00+00'")
      let result = try await retain(database, rule { $0.maxRows = 150 })
      #expect(result.outcome == .ok)
      #expect("\(result.rows)" == old)
      #expect(try await database.value("select count(*) from public.t") == "\(10_000 - result.rows)")
      #expect(
        try await database.value("select count(*) from public.t where at < '2026-05-22 12:00+00'") == "0")
    }
  }

  @Test func `wide rows make small batches`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (a int, at timestamptz, b text);
        alter table public.t alter column b set storage external;
        insert into public.t select i, '2026-01-01', repeat('x', 100000) from generate_series(1, 60) as i;
        create index on public.t (at);
        create table public.batches (n int);
        create function public.note() returns trigger language plpgsql as
          'begin insert into public.batches select count(*) from gone; return null; end';
        create trigger note after delete on public.t referencing old table as gone
          for each statement execute function public.note();
        """)
      let result = try await retain(database, rule { $0.maxBytes = 1 << 20 })
      #expect(result.rows == 60)
      #expect(result.bytes > 6_000_000 && result.bytes < 6_100_000)
      #expect(try await database.value("select max(n) from public.batches") == "10")
    }
  }

  @Test func `a preview tells what would go, and changes nothing`() async throws {
    try await withDatabase { database in
      try await table(database)
      try await database.execute("create table public.noindex (at timestamptz)")
      let job = RetentionJob([
        rule { $0.maxRows = 7 }, rule("public.noindex"),
        rule("public.noindex") { $0.allowsSequentialScan = true },
        rule("public.nosuch"), rule(condition: "b ="),
      ])
      let previews = try await database.connect().run { connection in
        let previews = try job.preview(on: connection, now: retentionNow)
        #expect(try connection.query("show search_path").text(0, 0).contains("public"))
        return previews
      }
      #expect(previews.map(\.rows) == [90, nil, 0, nil, nil])
      #expect(previews[0].batches == 13)
      #expect(previews[0].oldest == "2026-02-21 12:00:00+00")
      #expect(previews[0].cutoff == "2026-05-22T12:00:00Z")
      #expect(previews[0].indexes == ["t_at_idx"])
      #expect(previews[0].bytes.map { $0 > 90 * 30 } == true)
      #expect(previews.map { $0.refusal == nil } == [true, false, true, false, false])
      #expect(previews[1].hint?.contains("create index concurrently") == true)
      #expect(try await kept(database).count == 101)
    }
  }
}

@Suite struct RetentionBatchTests {
  @Test func `a batch grows and shrinks towards its time, within the cap`() {
    var size = BatchSize(rule { $0.maxRows = 3_000 })
    #expect(size.rows == 1_000)
    size.took(.milliseconds(10), for: 1_000)
    #expect(size.rows == 2_000)
    size.took(.milliseconds(80), for: 2_000)
    #expect(size.rows == 2_500)
    size.took(.milliseconds(1), for: 2_500)
    #expect(size.rows == 3_000)
    size.took(.seconds(5), for: 3_000)
    #expect(size.rows == 1_500)
    // A small batch that was quick says nothing of larger ones.
    size.took(.milliseconds(1), for: 3)
    #expect(size.rows == 1_500)
    for _ in 1...20 { size.shrink() }
    #expect(size.isSmallest)
    size.took(.milliseconds(1), for: 1)
    #expect(size.rows == 2)
  }

  @Test func `a batch is of one table and within the cap on bytes, but of one row at least`() {
    let size = BatchSize(rule { $0.maxBytes = 100 })
    func keys(_ sizes: [(UInt32, Int64)]) -> ArraySlice<RowKey> {
      sizes.map { RowKey(relation: $0.0, place: "(0,1)", bytes: $0.1, moment: nil) }[...]
    }
    #expect(size.count(of: keys([(1, 40), (1, 60), (1, 1)])) == 2)
    #expect(size.count(of: keys([(1, 500), (1, 1)])) == 1)
    #expect(size.count(of: keys([(1, 1), (1, 1), (2, 1)])) == 2)
    #expect(size.count(of: keys([])) == 0)
  }
}
