import Foundation
import Synchronization
import TestSupport
import Testing

extension Faults {
  /// Removals and proofs of backups whose program or throwaway server is killed; see ``FaultHarness``.
  @Suite(.serialized) struct `Repositories` {
    @Test(arguments: [Fault.killTool, .interruptTool, .terminateTool])
    func `a backup is whole or named as being removed`(fault: Fault) async throws {
      try await disturb(BackupsPruned.self, by: fault)
    }

    @Test(arguments: [Fault.killTool, .interruptTool, .terminateTool, .killThrowawayServer])
    func `nothing is proven or accused that was not restored to its end`(fault: Fault) async throws {
      // Each run makes two servers.
      try await disturb(BackupsProven.self, by: fault, scale: 0.25)
    }

    private func disturb<Subject: FaultSubject>(
      _: Subject.Type, by fault: Fault, scale: Double = 1
    ) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measures.measure(Subject.self, on: cluster)
      let harness = FaultHarness<Subject>(
        fault, on: cluster, measure: measure, share: fault.backupShare * scale)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    private static let cluster = Task { try await PostgresCluster.create() }
    private static let measures = FaultMeasures()
  }
}

/// `backup prune` in a repository in which one of seven backups is to stay.
final class BackupsPruned: FaultSubject {
  static let command = [
    "backup", "prune", "--yes", "--keep-last", "1", "--keep-daily", "0", "--keep-weekly", "0",
    "--keep-monthly", "0",
  ]
  /// The removal sends no statements, so every moment is one in time.
  static let sessionNames = ["no session"]

  let source: BackupSource
  let project: TemporaryDirectory
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { source.database.name }
  private var path: String { project.path("backups") }
  private var repository: FaultRepository { FaultRepository(in: project, cluster: cluster) }
  /// The files of each backup.
  private let files: [String: Set<String>]
  private let left = Mutex<[String]>([])

  private static let old = (1...6).map { "2000010\($0)T000000Z-app" }
  private let newest: String
  /// So that a removal takes a while, as it does of large files.
  private static let moreFiles = 250

  init(source: BackupSource, project: TemporaryDirectory, newest: String) throws {
    self.source = source
    self.project = project
    self.newest = newest
    let backups = project.path("backups")
    files = Dictionary(
      uniqueKeysWithValues: try (Self.old + [newest]).map { ($0, try Self.files(of: "\(backups)/\($0)")) })
  }

  static func prepare(on cluster: PostgresCluster) async throws -> BackupsPruned {
    let source = try await BackupSource.on(cluster)
    let backup = try await PreparedBackup.of(source)
    let project = try TemporaryDirectory()
    let newest = (backup.path as NSString).lastPathComponent
    try backup.copy(to: project.path("backups/" + newest))
    for name in old {
      try backup.copy(to: project.path("backups/" + name))
      for number in 0..<moreFiles { try project.write("backups/\(name)/config/more/\(number)", "") }
    }
    return try BackupsPruned(source: source, project: project, newest: newest)
  }

  private static func files(of directory: String) throws -> Set<String> {
    Set(
      try FileManager.default.subpathsOfDirectory(atPath: directory).filter {
        $0 != ".lock" && $0 != "proofs.jsonl"
      })
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    try expectWhole()
    let leftovers = repository.leftovers
    left.withLock { $0 = leftovers }
    guard leftovers.allSatisfy({ $0.hasSuffix(".deleting") }), leftovers.count <= 1 else {
      throw FaultFinding("leftovers: \(leftovers)")
    }
    // A signal is obeyed between two backups, not within one.
    guard disturbed.exitStatus == nil || leftovers.isEmpty else {
      throw FaultFinding("it ended by itself and left \(leftovers)")
    }
    let listed = try await run(["backup", "list", "--json"], in: project, url: url).standardOutput
    for name in leftovers where !listed.contains(name) {
      throw FaultFinding("\(name) is not listed: \(listed)")
    }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    try expectWhole()
    guard repository.backups == [newest], repository.leftovers.isEmpty else {
      throw FaultFinding("left: \(repository.backups), \(repository.leftovers)")
    }
    let said = repetitions.map { $0.standardError + $0.standardOutput }.joined()
    for name in left.withLock({ $0 }) where !said.contains(name) {
      throw FaultFinding("the leftover \"\(name)\" was not named: \(said)")
    }
    try await repository.expectWholeBackups(of: source, url: url)
  }

  /// What has a backup's name has all its files, and the newest is there.
  private func expectWhole() throws {
    let backups = repository.backups
    guard backups.contains(newest) else { throw FaultFinding("the newest is gone: \(backups)") }
    for name in backups {
      let missing = (files[name] ?? []).subtracting(try Self.files(of: "\(path)/\(name)"))
      guard files[name] != nil, missing.isEmpty else {
        throw FaultFinding("\"\(name)\" has its name and lacks \(missing.count) files: \(missing.sorted())")
      }
    }
  }

  /// The database is shared.
  func dispose() async {}
}

/// `backup verify --restore` of a sound backup and of one that restores to another schema, though every digest
/// fits.
final class BackupsProven: FaultSubject {
  static let command = ["backup", "verify", "--restore", "--all", "--jobs", "2"]
  static let doneStatus: Int32 = 2
  /// The throwaway server's statements are in its own log, so every moment is one in time.
  static let sessionNames = ["no session"]
  /// So that a server is struck at one moment or another of its life.
  static let hasManyBackends = true

  let source: BackupSource
  let project: TemporaryDirectory
  var cluster: PostgresCluster { source.database.cluster }
  var database: String { source.database.name }
  private var servers: ThrowawayServers { ThrowawayServers(in: project) }
  private let left = Mutex<(directories: [String], processes: [pid_t])>(([], []))

  private static let sound = "sound"
  private static let altered = "altered"

  init(source: BackupSource, project: TemporaryDirectory) {
    self.source = source
    self.project = project
  }

  static func prepare(on cluster: PostgresCluster) async throws -> BackupsProven {
    let source = try await BackupSource.on(cluster)
    let backup = try await PreparedBackup.of(source)
    let project = try TemporaryDirectory()
    for name in [sound, altered] { try backup.copy(to: project.path("backups/" + name)) }
    try AlteredBackup(project.path("backups/" + altered)).replaceInContents(
      "START WITH 100\n", with: "START WITH 101\n")
    return BackupsProven(source: source, project: project)
  }

  /// A server that ends while it starts is no lost connection.
  static func statuses(after fault: Fault) -> Set<Int32> {
    switch fault {
    case .killThrowawayServer: [1, 75]
    case .interruptTool, .terminateTool: [130]
    default: []
    }
  }

  func checkInterrupted(_ disturbed: ToolRun.Result) async throws {
    // What it tells a person to look at has to be there.
    let hints = disturbed.standardError.split(separator: "\n").filter { $0.hasPrefix("hint:") }
    if disturbed.exitStatus != nil, hints.contains(where: { $0.contains(project.path(".tsdb/proofs")) }) {
      throw FaultFinding("it names what it has removed: \(hints)")
    }
    let states = try await states()
    guard ["complete", "verified", "proven"].contains(states[Self.sound]) else {
      throw FaultFinding("the sound backup is called \(states[Self.sound] ?? "absent")")
    }
    guard ["complete", "verified", "damaged"].contains(states[Self.altered]) else {
      throw FaultFinding("the altered backup is called \(states[Self.altered] ?? "absent")")
    }
    try await expectReasons()
    left.withLock { $0 = (servers.directories, servers.processes) }
    guard disturbed.exitStatus != nil else { return }
    guard servers.names.isEmpty else {
      throw FaultFinding("it ended by itself and left \(servers.names), processes \(servers.processes)")
    }
  }

  func checkFinished(_ repetitions: [ToolRun.Result]) async throws {
    let states = try await states()
    guard states == [Self.sound: "proven", Self.altered: "damaged"] else {
      throw FaultFinding("states: \(states)")
    }
    try await expectReasons()
    guard servers.names.isEmpty else { throw FaultFinding("still there: \(servers.names)") }
    let (directories, processes) = left.withLock { $0 }
    let said = repetitions.map(\.standardError).joined()
    for directory in directories where !said.contains(directory) {
      throw FaultFinding("the leftover \"\(directory)\" was not named: \(said)")
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while let process = processes.first(where: { kill($0, 0) == 0 }) {
      guard ContinuousClock.now < deadline else { throw FaultFinding("the server \(process) still runs") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// What is held against the altered backup is its schema, and not what was done to the run.
  private func expectReasons() async throws {
    let path = project.path("backups/\(Self.altered)/proofs.jsonl")
    let lines = ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
    for line in lines where line.contains("\"failed\"") && !line.contains("The schema differs") {
      throw FaultFinding("recorded: \(line)")
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

  /// The database is shared.
  func dispose() async {}
}
