import Foundation
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// Deployments whose program, backends or server are killed; see ``FaultHarness``.
  @Suite(.serialized, .enabled(if: ApplicationProject.isThere)) struct `Deployments` {
    @Test(arguments: Fault.allCases + [.killChild, .killThrowawayServer])
    func `the same command continues, with the same backup`(fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(Deployed.self, on: cluster)
      let harness = FaultHarness<Deployed>(
        fault, on: cluster, measure: measure, share: fault == .killTool ? 1 : fault.backupShare * 0.5)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

/// `deploy` of the application to a database that has a table already.
final class Deployed: FaultSubject {
  static let command = ["deploy"]
  static let sessionNames = ["tsdb ", "pg_dump"]
  static let hasManyBackends = true

  let target: FaultTarget
  /// The disturbed run's, and whether it had come to its end: then the next one is another deployment.
  private let disturbed = Mutex<(duration: Duration, isDeployed: Bool)>((.zero, false))
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }

  init(target: FaultTarget) { self.target = target }

  static func prepare(on cluster: PostgresCluster) async throws -> Deployed {
    let target = FaultTarget(
      base: try await TestDatabase.create(on: cluster), project: try TemporaryDirectory())
    try ApplicationProject.copy(to: target.project)
    try await target.base.execute(
      """
      create table public.mine (n int primary key, word text);
      insert into public.mine select n, 'word ' || n from generate_series(1, 2000) n
      """)
    return Deployed(target: target)
  }

  /// What is struck may be a watch, or a copy of the record for others: then the deployment goes on.
  static func statuses(after fault: Fault) -> Set<Int32> {
    switch fault {
    case .killTool: []
    case .interruptTool, .terminateTool: [130]
    case .killBackend, .terminateBackend, .killServer, .cutConnection, .killChild, .killThrowawayServer:
      [1, 75]
    }
  }

  private struct Record: Decodable {
    struct Backup: Decodable {
      let id: String
      let is_proven: Bool
    }
    struct Step: Decodable {
      let step: String
      let outcome: String
    }
    let id: String
    let state: String
    let steps: [Step]
    let backup: Backup?
  }

  /// Whatever is there can be read.
  private func records() throws -> [Record] {
    let root = project.path(".tsdb/deployments")
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).filter { $0 != "lock" }
    return try names.compactMap { name in
      guard let data = FileManager.default.contents(atPath: "\(root)/\(name)/record.json") else { return nil }
      return try JSONDecoder().decode(Record.self, from: data)
    }
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    let records = try records()
    guard records.count <= 1 else { throw FaultFinding("\(records.count) records") }
    let allowed = disturbed.exitStatus == 0 ? ["deployed"] : ["running", "failed", "deployed"]
    if let record = records.first, !allowed.contains(record.state) {
      throw FaultFinding("the record says \(record.state) after \(disturbed)")
    }
    self.disturbed.withLock { $0 = (disturbed.duration, records.first?.state == "deployed") }
    let database = target.fresh()
    try await expectMine(database)
    // Each file whole: what the history has is there, and nothing else.
    if try await database.value("select to_regclass('tsdb.migrations') is not null") == "t" {
      let applied = try await database.text(
        "select name from tsdb.migrations where state = 'applied' order by ordinal")
      let tables = try await database.value("select count(*) from pg_tables where schemaname = 'public'")
      if applied.isEmpty, tables != "1" { throw FaultFinding("\(tables ?? "") tables, and none is recorded") }
    }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    let records = try records()
    let (duration, isDeployed) = disturbed.withLock { $0 }
    // An undisturbed run is its own repetition.
    let count = isDeployed && repetitions.first?.duration != duration ? 2 : 1
    guard records.count == count else { throw FaultFinding("\(records.count) records: \(records)") }
    for record in records { try expectWhole(record) }
    let backups = ((try? FileManager.default.contentsOfDirectory(atPath: project.path("backups"))) ?? [])
      .filter { !$0.hasPrefix(".") }
    guard backups.sorted() == records.compactMap(\.backup?.id).sorted() else {
      throw FaultFinding("the backups: \(backups)")
    }
    guard ThrowawayServers(in: project).names.isEmpty else {
      throw FaultFinding("of proofs: \(ThrowawayServers(in: project).names)")
    }
    let database = target.fresh()
    try await expectMine(database)
    try await database.expect(
      "deployed|\(count)", "select state, count(*) from tsdb.deployments group by state",
      "the table of deployments")
    try await database.expect(
      "5|0", "select count(*), count(*) filter (where state <> 'applied') from tsdb.migrations", "history")
    try await database.expect(
      "6|0|0",
      """
      select (select count(*) from public.support_troubleshooting_config),
        (select count(*) from public.support_troubleshooting_sessions),
        (select count(*) from pg_matviews where not ispopulated)
      """, "rows")
    try await database.expectNothingLeftBehind()
    try await expectDone(["migrate", "verify"], in: project, url: url)
  }

  private func expectWhole(_ record: Record) throws {
    guard record.state == "deployed" else { throw FaultFinding("the record: \(record)") }
    let open = record.steps.filter { $0.outcome != "done" && $0.outcome != "skipped" }
    guard open.isEmpty, record.steps.count == 10 else { throw FaultFinding("steps: \(record.steps)") }
    guard let backup = record.backup, backup.is_proven else {
      throw FaultFinding("no proven backup: \(record)")
    }
    let directory = project.path(".tsdb/deployments/\(record.id)")
    let files = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    guard files == ["record.json"] || files == ["record.json", "report.html"] else {
      throw FaultFinding("in the deployment's directory: \(files)")
    }
  }

  private func expectMine(_ database: TestDatabase) async throws {
    try await database.expect(
      "2000|2001000", "select count(*), sum(n) from public.mine where word = 'word ' || n", "mine")
  }

}
