import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

private final class Once: Sendable {
  private let flag = Mutex(true)
  func isFirst() -> Bool {
    flag.withLock { flag in
      defer { flag = false }
      return flag
    }
  }
}

/// Other sessions, locks, and ends at any moment.
@Suite struct RetentionFaultTests {
  /// `count` old rows and 100 new ones; what is deleted is written down by a trigger.
  private func table(_ database: TestDatabase, old count: Int) async throws {
    try await database.execute(
      """
      create table public.t (a int primary key, at timestamptz not null, b int default 0);
      insert into public.t
      select i, timestamptz '2026-05-01 00:00+00' - (i % 50) * interval '1 hour' from generate_series(1, \(count)) as i;
      insert into public.t select -i, '2026-06-01' from generate_series(1, 100) as i;
      create index t_at_idx on public.t (at);
      create table public.gone (a int, at timestamptz);
      create function public.note() returns trigger language plpgsql as
        'begin insert into public.gone values (old.a, old.at); return old; end';
      create trigger note after delete on public.t for each row execute function public.note();
      """)
  }

  /// Makes each deleted row take its time.
  private func slow(_ database: TestDatabase, seconds: Double) async throws {
    try await database.execute(
      """
      create or replace function public.slow() returns trigger language plpgsql as
        'begin perform pg_catalog.pg_sleep(\(seconds)); return old; end';
      create trigger slow before delete on public.t for each row execute function public.slow();
      """)
  }

  /// Makes each deleted row a step, and the work stop at one of them.
  private func stepping(_ database: TestDatabase, stop: Int) async throws {
    try await database.execute(
      """
      create or replace function public.step() returns trigger language plpgsql as
        $$\(WorkSteps.count(stop: stop)) return old; end$$;
      create or replace trigger step before delete on public.t for each row execute function public.step();
      """)
  }

  /// Each row that is gone is written down once, and was old.
  private func expectOnlyOldGone(_ database: TestDatabase) async throws {
    #expect(
      try await database.value("select count(*) from public.gone where at >= '2026-05-22 12:00+00'") == "0")
    #expect(try await database.value("select count(*) - count(distinct a) from public.gone") == "0")
    #expect(
      try await database.value("select count(*) from public.gone as g join public.t as t on t.a = g.a") == "0"
    )
    #expect(try await database.value("select count(*) from public.t where a < 0") == "100")
  }

  @Test func `rows that others have locked are left, and told`() async throws {
    try await withDatabase { database in
      try await table(database, old: 3_000)
      let other = database.connect()
      try await other.run {
        _ = try $0.execute(
          "begin; update public.t set b = 1 where a in (7, 8, 9); select from public.t where a = 10 for share"
        )
      }
      let result = try await retain(database, rule { $0.maxRows = 100 })
      #expect(result.outcome == .ok)
      #expect(result.rows == 2_996)
      #expect(result.backlog == 4)
      #expect(result.objects.first?.detail == "4 rows locked or changed by others were left")
      #expect(result.yields == 0 && result.waits == 0)
      try await other.run { _ = try $0.execute("rollback") }
      let next = try await retain(database, rule())
      #expect(next.rows == 4)
      #expect(next.backlog == 0)
      try await expectOnlyOldGone(database)
    }
  }

  @Test func `what hangs on a locked child stays, and everything else goes`() async throws {
    try await withDatabase { database in
      try await table(database, old: 200)
      try await database.execute(
        """
        create table public.child (a int references public.t on delete cascade, b int);
        create index on public.child (a);
        insert into public.child select i from generate_series(1, 200) as i;
        """)
      let other = database.connect()
      try await other.run { _ = try $0.execute("begin; update public.child set b = 1 where a = 77") }
      // The child's row refers to 77, which the other session's update does not lock.
      let result = try await retain(database, rule())
      #expect(result.outcome == .ok)
      #expect(result.rows == 199)
      #expect(result.backlog == 1)
      #expect(result.waits > 0)
      try await other.run { _ = try $0.execute("rollback") }
      #expect(try await retain(database, rule()).rows == 1)
    }
  }

  @Test func `rows that are made young or old meanwhile are treated by what they are`() async throws {
    try await withDatabase { database in
      try await table(database, old: 20_000)
      let others = (0..<3).map { number in
        let session = database.connect()
        return Task {
          var round = 0
          while !Task.isCancelled {
            round += 1
            let key = Int.random(in: 1...20_000)
            let new = 100_000 + number * 100_000 + round
            _ = try? await session.run {
              try $0.execute(
                """
                update public.t set at = '2026-06-01' where a = \(key);
                update public.t set b = b + 1 where a = \(Int.random(in: 1...20_000));
                insert into public.t values (\(new), timestamptz '2026-05-25' - \(new % 60) * interval '1 day');
                """
              ).commandTag
            }
          }
        }
      }
      let result = try await retain(database, rule { $0.maxRows = 200 })
      for other in others { other.cancel() }
      for other in others { await other.value }
      #expect(result.outcome == .ok)
      #expect(result.rows > 1_000)
      try await retain(database, rule())
      try await expectOnlyOldGone(database)
      #expect(
        try await database.value("select count(*) from public.t where at < '2026-05-22 12:00+00'") == "0")
    }
  }

  @Test func `a place that holds a young row by the time of the deletion is left alone`() async throws {
    try await withDatabase { database in
      try await table(database, old: 100)
      let deletion = try await database.connect().run { connection in
        let plan = try RetentionPlan.make(rule(), now: retentionNow, on: connection)
        var keys = try plan.statements.readKeys(after: nil, limit: 10, on: connection)
        let young = try connection.query("select ctid from public.t where a < 0").rows().compactMap { $0[0] }
        keys += young.map { RowKey(relation: plan.facts.oid, place: $0, bytes: 1, moment: nil) }
        return try plan.statements.delete(keys[...], on: connection)
      }
      #expect(deletion.deleted == 10)
      #expect(deletion.locked == 10)
      try await expectOnlyOldGone(database)
    }
  }

  @Test(arguments: [false, true])
  func `no index entry is read again for every batch while dead rows cannot be removed`(
    isPartitioned: Bool
  ) async throws {
    try await withDatabase { database in
      try await table(database, old: 20_000)
      if isPartitioned {
        try await database.execute(
          """
          alter table public.t rename to p;
          create table public.t (like public.p) partition by range (at);
          alter table public.t attach partition public.p for values from (minvalue) to (maxvalue);
          """)
      }
      let other = database.connect()
      try await other.run {
        _ = try $0.execute("begin isolation level repeatable read; select from public.t limit 1")
      }
      let result = try await retain(database, rule { $0.maxRows = 100 })
      #expect(result.rows == 20_000)
      try await other.run { _ = try $0.execute("rollback") }
      let reads = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 't_at_idx'"
      try await waitUntil { Int(try await database.value(reads) ?? "0") ?? 0 >= 20_000 }
      let count = Int(try await database.value(reads) ?? "") ?? .max
      // Two hundred batches; 400 rows have the same moment, and each of 20 stretches reads its first moment anew; in a
      // partitioned table each batch may.
      #expect(count < (isPartitioned ? 200_000 : 60_000))
    }
  }

  @Test func `out of time is partial with what is left, and the next run finishes`() async throws {
    try await withDatabase { database in
      try await table(database, old: 2_000)
      try await slow(database, seconds: 0.001)
      let result = try await retain(
        database, rule { $0.maxRows = 20 }, rule("public.gone"), budget: .milliseconds(500))
      #expect(result.outcome == .partial)
      #expect(result.reason == "public.t: out of time; and 1 more")
      #expect(result.rows > 0 && result.rows < 2_000)
      #expect(result.backlog == 2_000 - result.rows)
      #expect(result.objects.first?.detail == "out of time")
      #expect(result.objects.last == JobObject("public.gone", "skipped", detail: "out of time"))
      try await database.execute("drop trigger slow on public.t")
      let next = try await retain(database, rule())
      #expect(next.outcome == .ok)
      #expect(next.rows == 2_000 - result.rows)
      try await expectOnlyOldGone(database)
    }
  }

  @Test func `a batch gives way to an update that waits for one of its rows`() async throws {
    try await withDatabase { database in
      try await table(database, old: 400)
      try await slow(database, seconds: 0.05)
      let other = database.connect()
      let update = Task {
        // The rows are read before they are locked: the first batch begins after that.
        try await Task.sleep(for: .milliseconds(700))
        return try await other.run {
          try $0.execute("set statement_timeout = '8s'; update public.t set b = 1 where a = 50").commandTag
        }
      }
      let reported = Reported()
      let result = try await retain(database, rule(), budget: .seconds(3), reported: reported)
      #expect(try await update.value == "UPDATE 1")
      #expect(result.yields > 0)
      #expect(reported.events.contains { if case .yielded = $0 { true } else { false } })
      try await expectOnlyOldGone(database)
    }
  }

  @Test func `a table that cannot be locked at all ends the rule as partial`() async throws {
    try await withDatabase { database in
      try await table(database, old: 100)
      let other = database.connect()
      let result = try await runJob(
        database, now: retentionNow, budget: .seconds(4),
        ClosureBody { context in
          // After the rows were read.
          let once = Once()
          let inner = JobContext(
            job: context.job, now: context.now, work: context.work, settings: context.settings,
            serverVersion: context.serverVersion, schema: context.schema, gates: context.gates,
            deadline: context.deadline,
            report: { event in
              context.report(event)
              guard case .began = event, once.isFirst() else { return }
              Task {
                try await other.run { _ = try $0.execute("begin; lock table public.t in share mode") }
              }
            })
          return try await RetentionJob([rule { $0.maxRows = 1 }]).run(inner)
        })
      #expect(result.outcome == .partial)
      #expect(result.waits > 0)
      #expect((result.backlog ?? 0) > 0)
      try await other.run { _ = try $0.execute("rollback") }
      #expect(try await retain(database, rule()).backlog == 0)
      try await expectOnlyOldGone(database)
    }
  }

  @Test func `ended at any moment, nothing young is gone, nothing is held, and the next run finishes`()
    async throws
  {
    try await withDatabase { database in
      try await table(database, old: 40_000)
      let steps = try await WorkSteps(database)
      var interrupted = 0
      var reasons: [String: Int] = [:]
      for round in 0..<72 {
        // Rows of this round; the batch that is ended has at most 50 of them.
        let stop = Int.random(in: 130...500)
        try await steps.reset()
        try await stepping(database, stop: stop)
        let run = Task { try await retain(database, rule { $0.maxRows = 50 }) }
        // At the stop, within a batch, or between two of the last.
        try await steps.reach(stop - Int.random(in: 0...59))
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...10)))
        switch round % 3 {
        case 0: run.cancel()
        default:
          let name = round % 3 == 1 ? "tsdb/sample" : "tsdb watch"
          _ = try await database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()",
            [name])
          // The kill may have come before the session did.
          try await Task.sleep(for: .milliseconds(50))
          run.cancel()
        }
        do {
          let result = try await run.value
          if result.outcome == .failed { interrupted += 1 }
          reasons[result.reason ?? "", default: 0] += 1
        } catch {
          // The run could not even be recorded: its session was ended before.
          interrupted += 1
        }
        try await waitUntil {
          try await database.value(
            "select count(*) from pg_stat_activity where application_name in ('tsdb/sample', 'tsdb watch') and datname = current_database()"
          ) == "0"
        }
        #expect(
          try await database.value(
            "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
          ) == "0")
      }
      #expect(interrupted == 72, "\(reasons)")
      try await expectOnlyOldGone(database)
      let before = try await database.value("select count(*) from public.gone").flatMap { Int($0) } ?? 0
      // The moments were in the midst of the work, not before or after it.
      #expect(before > 1000 && before < 40_000)
      try await database.execute("drop trigger step on public.t")
      let last = try await retain(database, rule())
      #expect(last.outcome == .ok)
      #expect(Int(last.rows) == 40_000 - before)
      try await expectOnlyOldGone(database)
      #expect(try await database.value("select count(*) from tsdb.job_runs where outcome = 'running'") == "0")
    }
  }
}
