import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Rollbacks whose program, backends or server are killed; see ``FaultHarness``.
  @Suite(.serialized) struct `Rollbacks` {
    @Test(arguments: Fault.allCases)
    func `the live database is the failed one or the one before`(fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(RolledBack.self, on: cluster)
      let harness = FaultHarness<RolledBack>(fault, on: cluster, measure: measure, share: fault.backupShare)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

/// A database before a deployment, a copy of what the deployment left of it, and the backup between.
struct RollbackSource: Sendable {
  let source: BackupSource
  /// Of what the deployment left.
  let failed: String

  /// The template of the failed database.
  static let template = "rollback_failed"

  private static let change = """
    alter table middle add column level integer not null default 0;
    update big set body = upper(body) where id % 7 = 0;
    delete from middle where id % 3 = 0;
    create table audit (id integer primary key);
    drop index middle_note;
    select nextval('counter');
    """

  private actor Sources {
    static let shared = Sources()
    private var tasks: [String: Task<RollbackSource, any Error>] = [:]

    func source(on cluster: PostgresCluster) async throws -> RollbackSource {
      if let task = tasks[cluster.directory] { return try await task.value }
      let task = Task { try await RollbackSource.make(on: cluster) }
      tasks[cluster.directory] = task
      return try await task.value
    }
  }

  static func on(_ cluster: PostgresCluster) async throws -> RollbackSource {
    try await Sources.shared.source(on: cluster)
  }

  private static func make(on cluster: PostgresCluster) async throws -> RollbackSource {
    let source = try await BackupSource.on(cluster)
    _ = try await PreparedBackup.of(source)
    let name = source.database.name
    try await cluster.connect().run { connection in
      try connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '\(name)'")
      try connection.execute("create database \(template) template \(name)")
    }
    let session = cluster.connect(database: template)
    try await session.run { _ = try $0.execute(change) }
    await session.close()
    let database = cluster.database(template)
    let failed = try await BackupSource.content(of: database)
    try await cluster.connect().run { connection in
      try connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '\(template)'")
      try connection.execute("checkpoint")
    }
    return RollbackSource(source: source, failed: failed)
  }
}

/// `rollback` of a deployment that failed.
struct RolledBack: FaultSubject {
  static let command = ["rollback", "--yes", "--grace", "100ms", "--jobs", "2"]
  static let sessionNames = ["tsdb restore", "tsdb rollback", "tsdb deploy"]
  static let hasManyBackends = true
  private static let id = "20260101T000000Z-fault"

  let source: RollbackSource
  let project: TemporaryDirectory
  var cluster: PostgresCluster { source.source.database.cluster }
  var database: String { source.source.database.name }
  var sessionDatabases: [String] { ["postgres", database, database + "_restore_*"] }

  static func prepare(on cluster: PostgresCluster) async throws -> RolledBack {
    let source = try await RollbackSource.on(cluster)
    let project = try TemporaryDirectory()
    let subject = RolledBack(source: source, project: project)
    try await subject.dropAll()
    try await cluster.connect().run { connection in
      _ = try connection.execute("create database \(subject.database) template \(RollbackSource.template)")
    }
    let backup = project.path("backups/before")
    try await PreparedBackup.of(source.source).copy(to: backup)
    try FailedDeployment.record(id: id, in: project, of: subject.database, backup: backup)
    return subject
  }

  private func dropAll() async throws {
    for found in try await databases() {
      try await cluster.connect().run {
        _ = try $0.execute("drop database if exists \(Quoting.identifier(found.name)) with (force)")
      }
    }
  }

  /// All but the template's.
  private func databases() async throws -> [RestoreSurroundings.Found] {
    let rows = try await cluster.connect().run { connection in
      try connection.query(
        """
        select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database
        where not datistemplate and datname not in ('postgres', '\(RollbackSource.template)') order by 1
        """
      ).rows()
    }
    return rows.map { RestoreSurroundings.Found(name: $0[0] ?? "", comment: $0[1] ?? "") }
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    try await RestoreSurroundings(source: source.source).expectNobodyAtWork()
    let (isBack, _) = try await look()
    let record = try FailedDeployment.read(Self.id, in: project)
    guard disturbed.exitStatus != 0 || (isBack && record.state == .rolledBack) else {
      throw FaultFinding("it ended with 0, and is not rolled back: \(record)")
    }
    guard record.state != .rolledBack || isBack else {
      throw FaultFinding("recorded as rolled back, and is not")
    }
    let said = disturbed.standardError
    if said.contains("is the one that the deployment left"), isBack {
      throw FaultFinding("it said that the live database is the failed one")
    }
    if said.contains("is the restored one"), !isBack {
      throw FaultFinding("it said that the live database is the restored one")
    }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    for _ in 0..<2 {
      let (isBack, others) = try await look()
      guard isBack else { throw FaultFinding("finished, and not rolled back") }
      guard others.count == 1, others[0].isKept else {
        throw FaultFinding("not the one kept database: \(others)")
      }
      let record = try FailedDeployment.read(Self.id, in: project)
      guard record.state == .rolledBack, record.rollback?.keptDatabase == others[0].name,
        record.rollback?.steps.map(\.step) == RollbackStep.allCases,
        record.rollback?.steps.allSatisfy({ $0.outcome == .done }) == true
      else { throw FaultFinding("recorded as \(record), and there is \(others)") }
      try await RestoreSurroundings(source: source.source).expectNobodyAtWork()
      let row = try await cluster.value("select state from tsdb.deployments", database: database)
      guard row == "rolled-back" else { throw FaultFinding("the table says \(row)") }
      // Run again, it does nothing.
      try await expectDone(Self.command, in: project, url: url)
    }
  }

  /// The live database is whole, every other one is whole or says that it is not.
  ///
  /// - Returns: whether the live one is the one before, and the others.
  private func look() async throws -> (isBack: Bool, others: [RestoreSurroundings.Found]) {
    let found = try await databases()
    var isBack: Bool?
    var hasFailed = false
    for found in found where !found.isUnfinished {
      let content = try await BackupSource.content(of: cluster.database(found.name))
      guard content == source.source.content || content == source.failed else {
        throw FaultFinding("\"\(found.name)\" is not whole: \(content)")
      }
      let isFailed = content == source.failed
      hasFailed = hasFailed || isFailed
      if found.name == database {
        isBack = !isFailed
      } else if found.isRestored ? isFailed : !found.isKept || !isFailed {
        throw FaultFinding("\"\(found.name)\" is not what its comment says: \(found.comment)")
      }
    }
    guard let isBack else { throw FaultFinding("no live database: \(found)") }
    guard hasFailed else { throw FaultFinding("the failed database is gone: \(found)") }
    return (isBack, found.filter { $0.name != database })
  }

  func dispose() async { try? await dropAll() }
}
