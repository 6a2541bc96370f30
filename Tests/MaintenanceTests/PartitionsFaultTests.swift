import Foundation
import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

/// Runs that are ended at random moments, while an application goes on writing.
@Suite(.serialized) struct PartitionsFaultTests {
  enum Fault: CaseIterable {
    case work, watch, task
  }

  /// Runs a body and ends it at a random moment; whatever comes of it.
  ///
  /// - Parameter phase: a pattern of the statement after which the moment is counted; nil for the beginning.
  static func interrupted(
    _ fault: Fault, after milliseconds: Double, phase: String? = nil, on database: TestDatabase,
    _ body: @escaping @Sendable () async throws -> Void
  ) async {
    let task = Task { try await body() }
    if let phase { await reach(phase, database) }
    try? await Task.sleep(for: .microseconds(Int(milliseconds * 1000)))
    switch fault {
    case .task: task.cancel()
    case .work, .watch:
      let name = fault == .work ? "tsdb/sample" : "tsdb watch"
      _ = try? await database.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()",
        [name])
    }
    _ = await task.result
  }

  private static func reach(_ phase: String, _ database: TestDatabase) async {
    let limit = ContinuousClock.now + .milliseconds(400)
    let query =
      "select count(*) from pg_stat_activity where application_name = 'tsdb/sample' and datname = current_database() and query like $1"
    while ContinuousClock.now < limit, (try? await database.value(query, [phase])) != "1" {}
  }

  /// Of a run's statements; each is the place of some of the moments.
  static let phases = [nil, "create %", "%attach partition%", "%detach partition%", "drop table %"]

  /// Inserts rows until told to stop; of each that succeeded the number is kept.
  actor Application {
    private let count = Mutex(0)
    private var task: Task<(done: [Int], failed: [String]), Never>?

    func start(_ database: TestDatabase, times: [String], holding: Duration = .zero, allOfThem: Bool = false)
    {
      task = Task {
        let session = database.connect()
        var (done, failed): ([Int], [String]) = ([], [])
        var number = 0
        while !Task.isCancelled {
          number += 1
          // Mostly rows of a partition that is there; now and then one of the default partition.
          let (id, time) = (
            number, times[allOfThem ? number % times.count : number % 8 == 0 ? number / 8 % times.count : 0]
          )
          do {
            try await session.run {
              try $0.execute(
                """
                begin; insert into public.t (id, at) values (\(id), '\(time)');
                select pg_sleep(\(holding.wholeMilliseconds) / 1000.0); commit
                """)
            }
            done.append(id)
            count.withLock { $0 += 1 }
          } catch {
            if !Task.isCancelled { failed.append("\(time): \(error)") }
          }
          try? await Task.sleep(for: .milliseconds(4))
        }
        await session.close()
        return (done, failed)
      }
    }

    /// Waits until so many more inserts have succeeded.
    func insert(_ more: Int) async throws {
      let (goal, deadline) = (count.withLock { $0 } + more, ContinuousClock.now + .seconds(30))
      while count.withLock({ $0 }) < goal {
        guard .now < deadline else {
          Issue.record("the application does not get on")
          return
        }
        try await Task.sleep(for: .milliseconds(2))
      }
    }

    func stop() async -> (done: [Int], failed: [String]) {
      task?.cancel()
      return await task?.value ?? ([], [])
    }
  }

  /// Rounds of a month each, so that in each one partition is to be made and one to be dropped.
  struct Rounds {
    let hasDefault: Bool
    var random: SeededGenerator
    /// How long a whole run was seen to take, in milliseconds.
    var span = 40.0

    static let rules = [
      PartitionRule(table: "public.t", interval: .month, ahead: 3, keep: .seconds(40 * 86_400))
    ]

    static func now(_ round: Int) -> UTCTime {
      UTCTime(year: 2026, month: 11, day: 24) + Int64(round) * 30 * 86_400
    }

    func prepare(_ round: Int, _ database: TestDatabase) async throws {
      guard hasDefault, round % 3 == 0 else { return }
      try await database.execute(
        """
        insert into public.t select -i, date '\(Self.now(round).description.prefix(10))' + 120
          from generate_series(1, 2000) as i
        """)
    }

    /// The run after an interrupted one.
    mutating func heal(_ round: Int, _ database: TestDatabase) async throws {
      var run = SampleRun()
      run.now = Self.now(round)
      let before = try await leftOvers(database)
      let start = ContinuousClock.now
      var result = try await run(Self.rules, on: database)
      // The application may have been in the way too often.
      if result.outcome == .partial { result = try await run(Self.rules, on: database) }
      span = min(400, max(span, Double((ContinuousClock.now - start).wholeMilliseconds)))
      #expect(result.outcome == .ok, "round \(round): \(result)")
      if !before.isEmpty {
        #expect(
          !run.events.healed.isEmpty || result.objects.contains { $0.action == "dropped" },
          "round \(round): \(before)")
      }
      #expect(try await leftOvers(database) == [], "round \(round)")
    }
  }

  private static func create(_ hasDefault: Bool, _ database: TestDatabase) async throws {
    try await database.execute(
      """
      create table public.t (id int not null, at date not null) partition by range (at);
      create index t_id on public.t (id);
      create table public.t_far partition of public.t for values from ('2040-01-01') to ('2041-01-01');
      \(hasDefault ? "create table public.t_default partition of public.t default;" : "")
      """)
  }

  @Test(arguments: [true, false], Fault.allCases)
  func `a run that is ended at any moment loses nothing, and the next heals it`(
    _ hasDefault: Bool, _ fault: Fault
  ) async throws {
    try await withDatabase { database in
      try await Self.create(hasDefault, database)
      var rounds = Rounds(hasDefault: hasDefault, random: SeededGenerator())
      let application = Application()
      // Of months whose partitions are made meanwhile, far enough ahead that none of them is dropped.
      let times =
        hasDefault ? ["2040-05-05", "2028-11-25", "2028-12-20", "2029-01-01", "2031-01-01"] : ["2040-05-05"]
      // Longer transactions make DETACH CONCURRENTLY wait between its two.
      await application.start(database, times: times, holding: .milliseconds(hasDefault ? 0 : 15))
      for round in 0..<25 {
        try await rounds.prepare(round, database)
        // It writes in every round, however slow the machine: one insert is always under way.
        try await application.insert(5)
        let phase = Self.phases[round % Self.phases.count]
        let milliseconds = Double.random(in: 0...(phase == nil ? rounds.span : 4), using: &rounds.random)
        await Self.interrupted(fault, after: milliseconds, phase: phase, on: database) {
          var run = SampleRun()
          run.now = Rounds.now(round)
          try await run(Rounds.rules, on: database)
        }
        try await rounds.heal(round, database)
      }
      let (done, failed) = await application.stop()
      #expect(failed == [])
      #expect(done.count > 100)
      let found = try await database.rows("select id from public.t where id > 0 order by id")
      #expect(found.compactMap { $0[0].flatMap { Int($0) } } == done)
    }
  }

  @Test func `an insert on its way to the default partition does not fail for a new partition`() async throws
  {
    try await withDatabase { database in
      try await Self.create(true, database)
      // ATTACH reads them under its lock, which gives the inserts time to meet it.
      try await database.execute(
        "insert into public.t select -i, '2050-01-01' from generate_series(1, 20000) as i")
      var applications: [Application] = []
      let times = (0..<16).map { String(Rounds.now($0).description.prefix(8)) + "28" }
      for _ in 0..<2 {
        let application = Application()
        await application.start(database, times: times, allOfThem: true)
        applications.append(application)
      }
      for round in 0..<8 {
        var run = SampleRun()
        run.now = Rounds.now(round)
        run.budget = .seconds(3)
        try await run([PartitionRule(table: "public.t", interval: .month, ahead: 3)], on: database)
      }
      var count = 0
      for application in applications {
        let (done, failed) = await application.stop()
        #expect(failed == [])
        count += done.count
      }
      #expect(try await database.value("select count(*) from public.t where id > 0") == "\(count)")
    }
  }

  @Test(arguments: [true, false])
  func `a server that stops at once at any moment loses nothing either`(_ hasDefault: Bool) async throws {
    try await PostgresCluster.with { cluster in
      let first = try await TestDatabase.create(on: cluster)
      try await Self.create(hasDefault, first)
      var rounds = Rounds(hasDefault: hasDefault, random: SeededGenerator())
      for round in 0..<12 {
        let database = first.reconnected()
        try await rounds.prepare(round, database)
        let count = "select count(*) from public.t where at > '\(Rounds.now(round).description.prefix(10))'"
        let rows = try await database.value(count)
        let task = Task {
          var run = SampleRun()
          run.now = Rounds.now(round)
          try await run(Rounds.rules, on: database)
        }
        let milliseconds = Double.random(in: 0...rounds.span, using: &rounds.random)
        try await Task.sleep(for: .microseconds(Int(milliseconds * 1000)))
        try await cluster.stop(.immediate)
        try await cluster.start()
        _ = await task.result
        let again = first.reconnected()
        try await rounds.heal(round, again)
        #expect(try await again.value(count) == rows, "round \(round)")
      }
    }
  }
}

private func leftOvers(_ database: TestDatabase) async throws -> [[String?]] {
  try await database.rows(
    """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and c.relname ~ '^t_'
      and (not c.relispartition or obj_description(c.oid, 'pg_class') like 'tsdb:%'
        or c.oid in (select inhrelid from pg_inherits where inhdetachpending))
    """)
}
