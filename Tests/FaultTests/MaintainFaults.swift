import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// `tsdb maintain` whose process, backends or server are ended while every job has something to do, and an
  /// application writes; see ``FaultHarness``.
  @Suite(.serialized, .enabled(if: ApplicationProject.isThere)) struct `Maintenance` {
    @Test(arguments: Fault.allCases)
    func `no job is lost, done twice or left half done`(fault: Fault) async throws {
      try await disturb(MaintainAll.self, by: fault)
    }

    @Test(arguments: [Fault.killBackend, .terminateBackend])
    func `nobody works on without the lock`(fault: Fault) async throws {
      try await disturb(MaintainWatched.self, by: fault)
    }

    private func disturb<Subject: FaultSubject>(_: Subject.Type, by fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(Subject.self, on: cluster)
      let harness = FaultHarness<Subject>(fault, on: cluster, measure: measure, share: fault.maintainShare)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

extension Fault {
  /// Of ``FaultCount/perScenario``; a round takes seconds.
  fileprivate var maintainShare: Double {
    switch self {
    case .killTool: 0.5
    case .interruptTool, .terminateTool, .killBackend, .terminateBackend, .cutConnection: 0.2
    case .killServer, .killChild, .killThrowawayServer: 0.15
    }
  }
}

/// `maintain` on a copy of the application's database in which every job is due and has something to do.
struct MaintainAll: FaultSubject {
  static let sessionNames = ["tsdb maintain", "tsdb/"]
  static let command = ["maintain"]
  static let hasManyBackends = true

  let target: MaintainTarget
  var cluster: PostgresCluster { target.copy.cluster }
  var database: String { target.copy.name }
  var project: TemporaryDirectory { target.project }

  static func prepare(on cluster: PostgresCluster) async throws -> MaintainAll {
    MaintainAll(target: try await .prepare(on: cluster))
  }

  static func statuses(after fault: Fault) -> Set<Int32> { MaintainTarget.statuses(after: fault) }
  func checkInterrupted() async throws { try await target.checkInterrupted() }
  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    try await target.checkFinished(repetitions)
  }
  func dispose() async { await target.dispose() }
}

/// The same; struck are the connections that hold the locks of jobs.
struct MaintainWatched: FaultSubject {
  static let sessionNames = ["tsdb watch"]
  static let command = ["maintain"]
  static let hasManyBackends = true

  let target: MaintainTarget
  var cluster: PostgresCluster { target.copy.cluster }
  var database: String { target.copy.name }
  var project: TemporaryDirectory { target.project }

  static func prepare(on cluster: PostgresCluster) async throws -> MaintainWatched {
    MaintainWatched(target: try await .prepare(on: cluster))
  }

  static func statuses(after fault: Fault) -> Set<Int32> { MaintainTarget.statuses(after: fault) }
  func checkInterrupted() async throws { try await target.checkInterrupted() }
  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    try await target.checkFinished(repetitions)
  }
  func dispose() async { await target.dispose() }
}

/// A copy that is maintained under faults, and the application that works on it.
struct MaintainTarget: Sendable {
  let source: MaintainSource
  let copy: TestDatabase
  let project: TemporaryDirectory
  let application: MaintainedApplication

  static func prepare(on cluster: PostgresCluster) async throws -> MaintainTarget {
    let source = try await MaintainSource.on(cluster)
    let copy = try await source.copy(on: cluster)
    let target = MaintainTarget(
      source: source, copy: copy, project: try TemporaryDirectory(),
      application: MaintainedApplication(copy.reconnected()))
    try MaintainSource.write(to: target.project)
    await target.application.start()
    return target
  }

  /// A job that lost its connection has failed; a lost server is worth another try.
  static func statuses(after fault: Fault) -> Set<Int32> {
    switch fault {
    case .killTool: []
    case .interruptTool, .terminateTool: [130]
    case .killBackend, .terminateBackend, .killServer, .cutConnection, .killThrowawayServer, .killChild:
      [1, 75]
    }
  }

  func checkInterrupted() async throws {
    for (table, digest) in try await MaintainSource.digests(of: copy) where source.kept[table] != digest {
      throw FaultFinding(
        "after the fault, rows of \(table) to be kept: \(source.kept[table] ?? ""), found \(digest)")
    }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    var runs = repetitions
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !isDone() {
      guard ContinuousClock.now < deadline else { throw FaultFinding("never done: \(runs.suffix(3))") }
      try await Task.sleep(for: .milliseconds(250))
      let result = try await run(["maintain"], in: project, url: copy.url)
      runs.append(result)
      guard [0, 75].contains(result.exitStatus) else { throw FaultFinding("run again: \(result)") }
    }
    for run in runs where !run.standardOutput.isEmpty || (run.exitStatus == 0 && !run.standardError.isEmpty) {
      throw FaultFinding("it was not quiet: \(run)")
    }
    let look = copy.reconnected()
    try await application.finish(look)
    try await source.expectMaintained(look)
    try await look.expectSoundRecords(of: MaintainSource.jobs)
    try await look.expectNothingLeftBehind()
  }

  private func isDone() async throws -> Bool {
    let result = try await run(["maintain", "status", "--json"], in: project, url: copy.url)
    let document = try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any]
    guard let jobs = document?["jobs"] as? [[String: Any]], jobs.count == MaintainSource.jobs.count + 2 else {
      throw FaultFinding("no status: \(result)")
    }
    return jobs.allSatisfy { ["not-due", "disabled"].contains($0["state"] as? String) }
  }

  func dispose() async {
    await application.stop()
    let name = copy.name
    try? await cluster.connect().run { _ = try $0.execute("drop database if exists \(name) with (force)") }
  }

  private var cluster: PostgresCluster { copy.cluster }
}

extension TestDatabase {
  /// Each job has ended well once for the one slot there is, and what did not was ended by a fault.
  func expectSoundRecords(of jobs: [String]) async throws {
    try await expect(
      jobs.sorted().map { "\($0)|1|0" }.joined(separator: ","),
      """
      select job, count(*) filter (where outcome = 'ok'), count(*) filter (where outcome in ('partial', 'running'))
      from tsdb.job_runs group by job order by job collate "C"
      """, "successes, and runs that are half done, of each job")
    try await expect("1|0", "select count(distinct slot), count(*) - count(slot) from tsdb.job_runs", "slots")
    try await expect(
      "",
      """
      select job, reason, sqlstate, objects::text from tsdb.job_runs
      where outcome = 'failed'
        and reason !~ '^interrupted|: interrupted$|terminat|connection|the server|shutting down|recovery mode|starting up'
        or outcome = 'skipped' and reason <> 'already running'
      """, "runs that failed by themselves")
  }
}
