import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  @Suite(.serialized) struct `Twenty at once` {
    @Test(arguments: Route.allCases)
    func `each file is applied once and every run ends with 0 or 75`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 20) {
        try await withTarget { target in
          try await route.reach(target.base) { url in try await runAll(["migrate", "up"], target, url) }
          try await MixedUp(target: target).checkFinished()
        }
      }
    }

    @Test(arguments: Route.allCases)
    func `they work while another session builds an index`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 5) {
        try await withTarget { target in
          try await target.base.execute(
            "create table other (n int); insert into other select generate_series(1, 50000)")
          let writer = target.base.reconnected()
          try await writer.execute("begin; insert into other values (0)")
          let builder = Task { [target] in
            try await target.base.reconnected().execute("create index concurrently other_n_idx on other (n)")
          }
          try await waitUntil(
            """
            exists (select from pg_stat_activity where datname = current_database()
              and wait_event_type = 'Lock' and query like 'create index concurrently other%')
            """, in: target.base)
          try await route.reach(target.base) { url in try await runAll(["migrate", "up"], target, url) }
          try await writer.execute("commit")
          try await builder.value
          try await MixedUp(target: target).checkFinished()
          try await target.base.expect(
            "t", "select indisvalid from pg_index where indexrelid = 'other_n_idx'::regclass", "their index")
        }
      }
    }

    @Test(arguments: Route.allCases)
    func `each file is undone once`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 5) {
        try await withTarget { target in
          try await expectDone(["migrate", "up"], in: target.project, url: target.base.url)
          try await route.reach(target.base) { url in
            try await runAll(["migrate", "down", "--all", "--yes"], target, url)
          }
          try await MixedDown(target: target).checkFinished()
        }
      }
    }

    @Test(arguments: Route.allCases)
    func `each seed is inserted once`(route: Route) async throws {
      for _ in 0..<FaultCount.repetitions(sample: 1, full: 5) {
        try await withTarget { target in
          try await target.base.execute("create table settings (key text primary key, value text)")
          try await route.reach(target.base) { url in try await runAll(["seed"], target, url) }
          try await MixedSeed(target: target).checkFinished()
        }
      }
    }

    /// In a session pool with fewer connections than runners need, each holds one and waits for a
    /// second until PgBouncer loses patience. They may all give up, but they end, and the next run does it all.
    @Test(.enabled(if: PgBouncer.isInstalled))
    func `a session pool that is too small lets each run end`() async throws {
      try await withTarget { target in
        let pooler = try await PgBouncer.start(
          .session, for: target.base.cluster, poolSize: 3, configuration: ["query_wait_timeout = 5"])
        let url = pooler.url(database: target.base.name)
        try await runAll(["migrate", "up", "--wait", "2s"], count: 6, target, url)
        await pooler.stop()
        try await MixedUp(target: target).checkFinished()
      }
    }

    /// The server's own functions fail when an object goes away while they describe it.
    @Test func `the catalogue is read while others change it`() async throws {
      try await withTarget { target in
        try await expectDone(
          ["migrate", "up", "--to", "a_accounts"], in: target.project, url: target.base.url)
        let others = (0..<4).map { number in
          Task { [target] in
            let session = target.base.reconnected()
            while !Task.isCancelled {
              // Many at once, so that some go away between being listed and being described.
              try await session.execute(
                """
                create schema s\(number);
                do $$ begin for i in 1..60 loop
                  execute format('create table s\(number).t%s (n int primary key, m int unique)', i);
                end loop; end $$
                """)
              try await session.execute("drop schema s\(number) cascade")
            }
          }
        }
        for _ in 0..<FaultCount.repetitions(sample: 15, full: 200) {
          let result = try await run(["migrate", "verify"], in: target.project, url: target.base.url)
          // What the others have made just then is drift.
          #expect([0, 2].contains(result.exitStatus), "\(result)")
        }
        let result = try await run(["migrate", "up"], in: target.project, url: target.base.url)
        #expect([0, 75].contains(result.exitStatus), "\(result)")
        for other in others { other.cancel() }
        for other in others { _ = await other.result }
        try await expectDone(["migrate", "up"], in: target.project, url: target.base.url)
      }
    }

    private func withTarget(_ body: (FaultTarget) async throws -> Void) async throws {
      let target = try await FaultTarget.mixed(on: .shared, hasSettings: false)
      try await body(target)
      try await target.base.drop()
    }

    /// All at once; each must end with 0 or 75. Whoever had to wait for too long tries again in the
    /// end, after which everything is done.
    private func runAll(
      _ command: [String], count: Int = 20, _ target: FaultTarget, _ url: String
    ) async throws {
      let runs = try (0..<count).map { _ in try start(command, in: target.project, url: url) }
      let results = try await withThrowingTaskGroup(of: ToolRun.Result.self) { group in
        // Nobody waits for another run for longer than a minute.
        for run in runs { group.addTask { try await run.finish(within: .seconds(200)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      for result in results {
        #expect([0, 75].contains(result.exitStatus), "\(result)")
      }
      try await expectDone(command, in: target.project, url: url)
    }
  }
}
