import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  @Suite(.serialized) struct `Twenty at once` {
    @Test(arguments: Route.allCases)
    func `each file is applied once and every run ends with 0 or 75`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 2, full: 20) {
        let target = try await FaultTarget.mixed(on: .shared)
        try await route.reach(target.base) { url in
          try await expectAllApplied(target, by: twenty(["migrate", "up"], target, url), url: url)
        }
        try await target.base.drop()
      }
    }

    @Test(arguments: Route.allCases)
    func `they work while another session builds an index`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 5) {
        let target = try await FaultTarget.mixed(on: .shared)
        try await target.base.execute(
          "create table other (n int); insert into other select generate_series(1, 50000)")
        let writer = target.base.reconnected()
        try await writer.execute("begin; insert into other values (0)")
        let builder = Task { [target] in
          try await target.base.reconnected().execute("create index concurrently other_n_idx on other (n)")
        }
        try await waitUntil(
          """
          exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
            and query like 'create index concurrently other%')
          """, in: target.base)
        try await route.reach(target.base) { url in
          let results = try await twenty(["migrate", "up"], target, url)
          try await writer.execute("commit")
          try await builder.value
          try await expectAllApplied(target, by: results, url: url)
        }
        let isValid = try await target.base.value(
          "select indisvalid from pg_index where indexrelid = 'other_n_idx'::regclass")
        #expect(isValid == "t")
        try await target.base.drop()
      }
    }

    @Test(arguments: Route.allCases)
    func `each file is undone once`(route: Route) async throws {
      let target = try await FaultTarget.mixed(on: .shared)
      try await expectDone(["migrate", "up"], in: target.project, url: target.base.url)
      try await route.reach(target.base) { url in
        let results = try await twenty(["migrate", "down", "--all", "--yes"], target, url)
        expectPolite(results)
        try await expectDone(["migrate", "down", "--all", "--yes"], in: target.project, url: url)
        try await MixedDown(target: target).checkFinished()
      }
      try await target.base.drop()
    }

    @Test(arguments: Route.allCases)
    func `each seed is inserted once`(route: Route) async throws {
      let target = try await FaultTarget.mixed(on: .shared)
      try await target.base.execute("create table settings (key text primary key, value text)")
      try await route.reach(target.base) { url in
        let results = try await twenty(["seed"], target, url)
        expectPolite(results)
        #expect(results.contains { $0.exitStatus == 0 })
        try await expectDone(["seed"], in: target.project, url: url)
        try await MixedSeed(target: target).checkFinished()
      }
      try await target.base.drop()
    }

    /// A session pool with fewer connections than runners: those that have one wait for a runner that
    /// needs two. Nothing can be applied then, but they must end, and the next run must do it all.
    @Test(.enabled(if: PgBouncer.isInstalled))
    func `a session pool that is too small ends them with 75`() async throws {
      let target = try await FaultTarget.mixed(on: .shared)
      try await PgBouncer.with(.session, for: target.base.cluster, poolSize: 4) { pooler in
        let url = pooler.url(database: target.base.name)
        let results = try await twenty(["migrate", "up", "--wait", "3s"], target, url)
        try await expectAllApplied(target, by: results, url: url)
      }
      try await target.base.drop()
    }

    private func twenty(
      _ command: [String], _ target: FaultTarget, _ url: String
    ) async throws -> [ToolRun.Result] {
      let runs = try (0..<20).map { _ in try start(command, in: target.project, url: url) }
      return try await withThrowingTaskGroup(of: ToolRun.Result.self) { group in
        // Nobody waits for another run for longer than a minute.
        for run in runs { group.addTask { try await run.finish(within: .seconds(240)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
    }

    private func expectPolite(_ results: [ToolRun.Result]) {
      for result in results {
        #expect([0, 75].contains(result.exitStatus), "\(result)")
      }
    }

    /// Whoever was left to wait too long tries again; then everything is there, once.
    private func expectAllApplied(
      _ target: FaultTarget, by results: [ToolRun.Result], url: String
    ) async throws {
      expectPolite(results)
      try await expectDone(["migrate", "up"], in: target.project, url: url)
      try await MixedUp(target: target).checkFinished()
    }
  }
}
