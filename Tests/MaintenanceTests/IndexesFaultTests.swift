import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

@Suite(.serialized) struct IndexesFaultTests {
  @Test(arguments: PartitionsFaultTests.Fault.allCases)
  func `a rebuild that is ended at any moment leaves no index behind after the next run`(
    _ fault: PartitionsFaultTests.Fault
  ) async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table public.t (id int, at date, pad text) with (autovacuum_enabled = off);
        insert into public.t select i, '2026-01-01', md5(i::text) from generate_series(1, 150000) as i;
        create index t_id on public.t (id); create unique index t_pad on public.t (pad, id);
        alter table public.t alter at set default '2026-01-01', alter pad set default '';
        -- Counted after the ANALYZE below, these rows would keep the job from rebuilding anything.
        select pg_stat_force_next_flush();
        """)
      var rule = IndexRule()
      // Whatever is not smaller than nothing is bloat.
      rule.bloatPercent = -1
      rule.bloatMinimumBytes = 1
      var never = rule
      never.bloatPercent = 101
      let (always, healing) = (rule, never)
      try await database.execute("analyze public.t")
      let whole = try await SampleRun()(IndexesJob(always), on: database)
      #expect(whole.objects.count { $0.action == "rebuilt" } == 2, "\(whole)")
      let application = PartitionsFaultTests.Application()
      await application.start(database, times: ["2026-01-01"])
      var random = SeededGenerator()
      var (span, halfDone) = (400.0, 0)
      for round in 0..<25 {
        let milliseconds = Double.random(in: 0...span, using: &random)
        let start = ContinuousClock.now
        await PartitionsFaultTests.interrupted(fault, after: milliseconds, on: database) {
          try await SampleRun()(IndexesJob(always), on: database)
        }
        span = max(span, min(800, Double((ContinuousClock.now - start).wholeMilliseconds)))
        let before = try await database.rows(IndexesRunTests.invalid)
        // The backend that was ended may still be ending.
        let run = SampleRun()
        var result = try await run(IndexesJob(healing), on: database)
        if result.outcome == .partial { result = try await run(IndexesJob(healing), on: database) }
        if !before.isEmpty {
          halfDone += 1
          #expect(!run.events.healed.isEmpty, "round \(round): \(before) \(result)")
        }
        #expect(try await database.rows(IndexesRunTests.invalid) == [], "round \(round): \(before) \(result)")
        #expect(
          try await database.rows(
            "select indexrelid::regclass::text from pg_index where indrelid = 'public.t'::regclass order by 1"
          )
            == [["t_id"], ["t_pad"]], "round \(round)")
      }
      let (done, failed) = await application.stop()
      // Or the moments miss what they are for; a task that is cancelled cleans up itself.
      #expect((halfDone > 0) == (fault != .task))
      #expect(failed == [])
      #expect(try await database.value("select count(*) from public.t") == "\(150000 + done.count)")
    }
  }
}
