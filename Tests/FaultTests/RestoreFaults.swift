import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// Restores whose program, backends or server are killed; see ``FaultHarness``.
  @Suite(.serialized) struct `Restores` {
    @Test(arguments: Fault.allCases)
    func `a restored database is whole, marked or absent`(fault: Fault) async throws {
      try await disturb(RestoredInto.self, by: fault)
    }

    @Test(arguments: Fault.allCases)
    func `the live database is the old one or the new one`(fault: Fault) async throws {
      try await disturb(RestoredAndSwapped.self, by: fault)
    }

    private func disturb<Subject: FaultSubject>(_: Subject.Type, by fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(Subject.self, on: cluster)
      let harness = FaultHarness<Subject>(fault, on: cluster, measure: measure, share: fault.backupShare)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

/// The databases of a server on which restores are disturbed, but for those that were there before.
struct RestoreSurroundings: Sendable {
  let source: BackupSource
  private var cluster: PostgresCluster { source.database.cluster }

  struct Found: Sendable {
    let name: String
    let comment: String
    /// Says by its mark or its name that it is not whole.
    var isUnfinished: Bool {
      comment.hasPrefix("tsdb restore in progress, of ") || name.hasPrefix("tsdb_unfinished_")
    }
    var isRestored: Bool { comment.hasPrefix("restored by tsdb from ") }
    var isKept: Bool { comment.hasPrefix("kept by tsdb: ") }
  }

  func databases() async throws -> [Found] {
    let name = source.database.name
    let rows = try await cluster.connect().run { connection in
      try connection.query(
        """
        select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database
        where not datistemplate and datname not in ('postgres', '\(name)') order by 1
        """
      ).rows()
    }
    return rows.map { Found(name: $0[0] ?? "", comment: $0[1] ?? "") }
  }

  func content(of name: String) async throws -> String {
    try await BackupSource.content(of: cluster.database(name))
  }

  func drop(_ name: String) async throws {
    try await cluster.connect().run {
      _ = try $0.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
    }
  }

  func dropAll() async throws {
    for found in try await databases() { try await drop(found.name) }
  }

  /// What ended by itself has dropped what it made, or says what is still there.
  func expectNamed(_ unfinished: [Found], in disturbed: ToolRun.Result) throws {
    guard disturbed.exitStatus != nil else { return }
    for found in unfinished where !disturbed.standardError.contains(found.name) {
      throw FaultFinding("it ended by itself and left \"\(found.name)\", which it did not name")
    }
  }

  func expectNobodyAtWork() async throws {
    let sessions = """
      select count(*) from pg_stat_activity where backend_type = 'client backend'
        and application_name like 'tsdb restore%'
      """
    let deadline = ContinuousClock.now + .seconds(10)
    while try await cluster.value(sessions) != "0" {
      guard ContinuousClock.now < deadline else { throw FaultFinding("sessions of ours are left") }
      try await Task.sleep(for: .milliseconds(20))
    }
    let locks = try await cluster.value(
      "select count(*) from pg_locks where locktype = 'advisory'")
    guard locks == "0" else { throw FaultFinding("\(locks) advisory locks are left") }
  }
}

/// What each round of a restore remembers.
final class RestoreMemory: Sendable {
  let unfinished = Mutex<[String]>([])

  /// What the disturbed run left was named by a later one, and is gone.
  func expectRemoved(_ repetitions: [ToolRun.Result], now: [RestoreSurroundings.Found]) throws {
    let said = repetitions.map { $0.standardError + $0.standardOutput }.joined()
    for name in unfinished.withLock({ $0 }) where !said.contains(name) {
      throw FaultFinding("the leftover \"\(name)\" was not named: \(said)")
    }
    if let left = now.first(where: \.isUnfinished) { throw FaultFinding("\"\(left.name)\" is still there") }
  }
}

/// `restore ID --into NEW`.
struct RestoredInto: FaultSubject {
  private static let new = "fault_restored"
  static let backup = "faulted"
  static let command = ["restore", backup, "--into", new, "--jobs", "2"]
  static let sessionNames = ["tsdb restore"]
  static let hasManyBackends = true

  let surroundings: RestoreSurroundings
  let project: TemporaryDirectory
  private let memory = RestoreMemory()
  private var source: BackupSource { surroundings.source }
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { source.database.name }
  var sessionDatabases: [String] { ["postgres", Self.new] }

  static func prepare(on cluster: PostgresCluster) async throws -> RestoredInto {
    let source = try await BackupSource.on(cluster)
    let surroundings = RestoreSurroundings(source: source)
    try await surroundings.dropAll()
    let project = try TemporaryDirectory()
    try await PreparedBackup.of(source).copy(to: project.path("backups/" + backup))
    return RestoredInto(surroundings: surroundings, project: project)
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    try await surroundings.expectNobodyAtWork()
    let databases = try await surroundings.databases()
    let unfinished = databases.filter(\.isUnfinished)
    memory.unfinished.withLock { $0 = unfinished.map(\.name) }
    try surroundings.expectNamed(unfinished, in: disturbed)
    let others = databases.filter { !$0.isUnfinished }
    guard others.isEmpty || others.map(\.name) == [Self.new] else {
      throw FaultFinding("databases without a mark: \(others)")
    }
    guard disturbed.exitStatus != 0 || !others.isEmpty else { throw FaultFinding("finished, and not there") }
    if !others.isEmpty {
      try await expectWhole()
      // A restore makes only what does not exist.
      try await surroundings.drop(Self.new)
    }
    try await source.expectUnchanged()
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    // The measurement has looked at it already.
    if try await surroundings.databases().isEmpty { return }
    try memory.expectRemoved(repetitions, now: try await surroundings.databases())
    try await expectWhole()
    try await surroundings.expectNobodyAtWork()
  }

  private func expectWhole() async throws {
    let content = try await surroundings.content(of: Self.new)
    guard content == source.content else {
      throw FaultFinding("not whole: \(content), not \(source.content)")
    }
  }

  func dispose() async { try? await surroundings.drop(Self.new) }
}

/// `restore ID --swap` over a live database.
struct RestoredAndSwapped: FaultSubject {
  private static let live = "fault_live"
  static let command = [
    "restore", RestoredInto.backup, "--swap", "--yes", "--grace", "100ms", "--jobs", "2",
  ]
  static let sessionNames = ["tsdb restore"]
  static let hasManyBackends = true

  let surroundings: RestoreSurroundings
  let project: TemporaryDirectory
  /// Of the live database before.
  private let old: String
  private let memory = RestoreMemory()
  private var source: BackupSource { surroundings.source }
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { Self.live }
  /// The new one's name holds the time.
  var sessionDatabases: [String] { ["postgres", Self.live, Self.live + "_restore_*"] }

  static func prepare(on cluster: PostgresCluster) async throws -> RestoredAndSwapped {
    let source = try await BackupSource.on(cluster)
    let surroundings = RestoreSurroundings(source: source)
    try await surroundings.dropAll()
    try await cluster.connect().run { _ = try $0.execute("create database \(live) template template0") }
    let database = cluster.database(live)
    try await database.execute(
      """
      create table big as select 1 as id; create table middle as select 2 as id;
      create table wide as select 3 as id; create table parent as select 4 as id;
      create table empty (id integer); create table marker (id integer)
      """)
    let project = try TemporaryDirectory()
    try await PreparedBackup.of(source).copy(to: project.path("backups/" + RestoredInto.backup))
    return RestoredAndSwapped(
      surroundings: surroundings, project: project, old: try await BackupSource.content(of: database))
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    try await surroundings.expectNobodyAtWork()
    let databases = try await surroundings.databases()
    let unfinished = databases.filter(\.isUnfinished)
    memory.unfinished.withLock { $0 = unfinished.map(\.name) }
    try surroundings.expectNamed(unfinished, in: disturbed)
    let isSwapped = try await expectWholeOnes(databases)
    guard disturbed.exitStatus != 0 || isSwapped else { throw FaultFinding("finished, and not swapped") }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    let databases = try await surroundings.databases()
    try memory.expectRemoved(repetitions, now: databases)
    guard try await expectWholeOnes(databases) else { throw FaultFinding("finished, and not swapped") }
    try await surroundings.expectNobodyAtWork()
  }

  /// The live database is there, the old one is there, and every one but the marked is whole.
  ///
  /// - Returns: whether the live one is the new one.
  private func expectWholeOnes(_ databases: [RestoreSurroundings.Found]) async throws -> Bool {
    var contents: [String: String] = [:]
    for found in databases where !found.isUnfinished {
      guard found.name == Self.live || found.isRestored || found.isKept else {
        throw FaultFinding("a database without a mark: \(found)")
      }
      let content = try await surroundings.content(of: found.name)
      guard content == source.content || content == old else {
        throw FaultFinding("\"\(found.name)\" is not whole: \(content)")
      }
      guard !found.isRestored || content == source.content else {
        throw FaultFinding("\"\(found.name)\" is called restored and is not")
      }
      contents[found.name] = content
    }
    guard let live = contents[Self.live] else { throw FaultFinding("no live database: \(databases)") }
    guard contents.values.contains(old) else { throw FaultFinding("the old database is gone: \(databases)") }
    return live == source.content
  }

  func dispose() async { try? await surroundings.dropAll() }
}

extension PostgresCluster {
  /// An existing database.
  func database(_ name: String) -> TestDatabase { TestDatabase(named: name, on: self) }
}
