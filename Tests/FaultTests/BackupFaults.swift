import Foundation
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// Backups whose program, backends or server are killed; see ``FaultHarness``.
  @Suite(.serialized) struct `Backups` {
    @Test(arguments: Fault.allCases + [.killChild])
    func `nothing looks like a backup and is none`(fault: Fault) async throws {
      try await disturb(BackupTaken.self, by: fault)
    }

    @Test(arguments: [Fault.killTool, .interruptTool, .terminateTool])
    func `nothing looks verified and is not`(fault: Fault) async throws {
      try await disturb(BackupVerified.self, by: fault)
    }

    private func disturb<Subject: FaultSubject>(_: Subject.Type, by fault: Fault) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(Subject.self, on: cluster)
      let harness = FaultHarness<Subject>(fault, on: cluster, measure: measure, share: fault.backupShare)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

/// What undisturbed runs take, each measured once.
actor FaultMeasures {
  private var measures: [String: FaultMeasure] = [:]

  func measure<Subject: FaultSubject>(
    _: Subject.Type, on cluster: PostgresCluster
  ) async throws -> FaultMeasure {
    let name = "\(Subject.self)"
    if let measure = measures[name] { return measure }
    let measure = try await FaultHarness<Subject>.measureUndisturbed(on: cluster)
    measures[name] = measure
    return measure
  }
}

extension Fault {
  /// Of ``FaultCount/perScenario``; the server's recovery takes seconds.
  var backupShare: Double {
    switch self {
    case .killTool, .killThrowawayServer: 0.6
    case .terminateBackend, .cutConnection, .killChild: 0.3
    case .killBackend, .interruptTool, .terminateTool, .killServer: 0.2
    }
  }
}

/// `backup` into a repository of the round's own.
final class BackupTaken: FaultSubject {
  static let command = ["backup", "--jobs", "2", "--piece-size", String(BackupSource.pieceSize)]
  /// Those of pg_dump too.
  static let sessionNames = ["tsdb backup", "pg_dump"]
  static let hasManyBackends = true

  let source: BackupSource
  let project: TemporaryDirectory
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { source.database.name }
  private var repository: FaultRepository { FaultRepository(in: project, cluster: cluster) }
  /// What the disturbed run left.
  private let left = Mutex<[String]>([])

  init(source: BackupSource, project: TemporaryDirectory) {
    self.source = source
    self.project = project
  }

  static func prepare(on cluster: PostgresCluster) async throws -> BackupTaken {
    BackupTaken(source: try await .on(cluster), project: try TemporaryDirectory())
  }

  /// A lost backend may be the watching one, or pg_dump the one of pg_dumpall: then the backup goes on.
  static func statuses(after fault: Fault) -> Set<Int32> {
    switch fault {
    case .killTool: []
    case .interruptTool, .terminateTool: [130]
    case .killBackend, .terminateBackend, .killServer, .cutConnection, .killThrowawayServer: [75]
    case .killChild: [1]
    }
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    let leftovers = repository.leftovers
    left.withLock { $0 = leftovers }
    guard disturbed.exitStatus == nil || leftovers.isEmpty else {
      throw FaultFinding("it ended by itself and left \(leftovers)")
    }
    guard disturbed.exitStatus != 0 || repository.backups.count == 1 else {
      throw FaultFinding("it ended with 0 and there is no backup")
    }
    try await repository.expectWholeBackups(of: source, url: url)
    try await source.database.reconnected().expectNoSessions()
    try await source.expectUnchanged()
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    let said = repetitions.map { $0.standardError + $0.standardOutput }.joined()
    for name in left.withLock({ $0 }) where !said.contains(name) {
      throw FaultFinding("the leftover \"\(name)\" was not named: \(said)")
    }
    guard repository.leftovers.isEmpty else { throw FaultFinding("still there: \(repository.leftovers)") }
    try await repository.expectWholeBackups(of: source, url: url)
    try await source.database.reconnected().expectNoSessions()
  }

  /// The database is shared.
  func dispose() async {}
}

/// `backup verify --all` over a sound backup and one with a flipped bit.
struct BackupVerified: FaultSubject {
  static let command = ["backup", "verify", "--all", "--jobs", "2"]
  static let doneStatus: Int32 = 2

  let source: BackupSource
  let project: TemporaryDirectory
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { source.database.name }
  private var repository: FaultRepository { FaultRepository(in: project, cluster: cluster) }
  /// What was in the repository.
  private let files: [String: Data]

  private static let sound = "sound"
  private static let damaged = "damaged"

  static func prepare(on cluster: PostgresCluster) async throws -> BackupVerified {
    let source = try await BackupSource.on(cluster)
    let backup = try await PreparedBackup.of(source)
    let project = try TemporaryDirectory()
    for name in [sound, damaged] { try backup.copy(to: project.path("backups/" + name)) }
    try flipBit(in: project.path("backups/" + damaged))
    return BackupVerified(source: source, project: project, files: try Self.files(in: project))
  }

  private static func flipBit(in directory: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory)
      .filter { $0.hasSuffix(".dat.gz") }
    let sizes = names.map {
      ((try? Data(contentsOf: URL(fileURLWithPath: "\(directory)/\($0)")))?.count ?? 0, $0)
    }
    guard let largest = sizes.max(by: { $0.0 < $1.0 }) else { throw TestSupportError("no data file") }
    let url = URL(fileURLWithPath: "\(directory)/\(largest.1)")
    var data = try Data(contentsOf: url)
    data[data.count - 200] ^= 4
    try data.write(to: url)
  }

  /// All that a verification must not touch.
  private static func files(in project: TemporaryDirectory) throws -> [String: Data] {
    let root = project.path("backups")
    var files: [String: Data] = [:]
    for path in FileManager.default.subpaths(atPath: root) ?? []
    where !path.hasSuffix("proofs.jsonl") && !path.hasSuffix(".lock") {
      var isDirectory: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isDirectory)
      files[path] =
        isDirectory.boolValue ? Data() : try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(path)"))
    }
    return files
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    guard try Self.files(in: project) == files else { throw FaultFinding("the repository has changed") }
    let states = try await states()
    guard states[Self.damaged] != "verified", states[Self.damaged] != "proven",
      ["complete", "verified"].contains(states[Self.sound])
    else { throw FaultFinding("states: \(states)") }
    if disturbed.exitStatus == 2, states[Self.sound] != "verified" || states[Self.damaged] != "damaged" {
      throw FaultFinding("finished, and the states are \(states)")
    }
  }

  func checkFinished() async throws {
    guard try Self.files(in: project) == files else { throw FaultFinding("the repository has changed") }
    let states = try await states()
    guard states == [Self.sound: "verified", Self.damaged: "damaged"] else {
      throw FaultFinding("states: \(states)")
    }
  }

  private func states() async throws -> [String: String] {
    let result = try await run(["backup", "list", "--json"], in: project, url: url)
    let list = try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any]
    let backups = list?["backups"] as? [[String: Any]] ?? []
    return Dictionary(
      backups.map { ($0["id"] as? String ?? "", $0["state"] as? String ?? "") }
    ) { $1 }
  }

  func dispose() async {}
}

/// A whole backup of a source, taken once.
struct PreparedBackup: Sendable {
  private let project: TemporaryDirectory
  /// Its directory.
  let path: String

  private static let backups = Mutex<[String: Task<PreparedBackup, any Error>]>([:])

  static func of(_ source: BackupSource) async throws -> PreparedBackup {
    let task = backups.withLock { backups in
      if let task = backups[source.database.cluster.directory] { return task }
      let task = Task { try await take(source) }
      backups[source.database.cluster.directory] = task
      return task
    }
    return try await task.value
  }

  private static func take(_ source: BackupSource) async throws -> PreparedBackup {
    let project = try TemporaryDirectory()
    try await expectDone(BackupTaken.command, in: project, url: source.database.url)
    let repository = FaultRepository(in: project, cluster: source.database.cluster)
    guard let name = repository.backups.first else { throw TestSupportError("no backup was made") }
    return PreparedBackup(project: project, path: repository.path + "/" + name)
  }

  func copy(to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: self.path, toPath: path)
  }
}
