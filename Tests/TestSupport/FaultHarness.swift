import Foundation
import Postgres
import Testing

/// What a command under faults works on: a database of its own, and how to look at it.
///
/// A check throws ``FaultFinding`` for what must not be.
public protocol FaultSubject: Sendable {
  var cluster: PostgresCluster { get }
  var database: String { get }
  /// The databases that the command's sessions are connected to; the same alone unless told otherwise.
  var sessionDatabases: [String] { get }
  /// How the command reaches the database; directly unless told otherwise.
  var url: String { get }
  /// The directory that the command is given.
  var project: TemporaryDirectory { get }
  /// The command, without options that say where the database is.
  static var command: [String] { get }
  /// The state before the command.
  static func prepare(on cluster: PostgresCluster) async throws -> Self
  /// The first words of the names of the sessions that the command and its programs have.
  static var sessionNames: [String] { get }
  /// Whether any of the command's backends may be struck, rather than the one that spoke last.
  static var hasManyBackends: Bool { get }
  /// With which the command ends when it is done.
  static var doneStatus: Int32 { get }
  /// The statuses with which a disturbed command may end, other than ``doneStatus``.
  static func statuses(after fault: Fault) -> Set<Int32>
  /// After the fault and before the command is run again.
  func checkInterrupted(_ disturbed: ToolRun.Result) async throws
  func checkInterrupted() async throws
  /// After the command has ended with ``doneStatus``.
  ///
  /// - Parameter repetitions: the runs after the fault, the last of which succeeded.
  func checkFinished(_ repetitions: [ToolRun.Result]) async throws
  func checkFinished() async throws
  /// Removes what the round made; the round found nothing.
  func dispose() async
}

/// What a check found.
public struct FaultFinding: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// Disturbs a command at many moments, runs it again until it ends with 0, and has its subject checked.
///
/// The moments are drawn from the running test's seed, each round's from its own, so that
/// `TSDB_TEST_SEED` and `TSDB_FAULT_ROUND` repeat one round alone.
public struct FaultHarness<Subject: FaultSubject>: Sendable {
  public let fault: Fault
  private let cluster: PostgresCluster
  private let rounds: Int
  private let measure: FaultMeasure

  /// How long a command may take until it ends, and how long all its repetitions.
  private static var runLimit: Duration { .seconds(90) }
  private static var recoveryLimit: Duration { .seconds(150) }

  /// - Parameter measure: what an undisturbed run takes; see ``measureUndisturbed(on:)``.
  /// - Parameter share: which part of ``FaultCount/perScenario`` is run; slow faults get less.
  public init(_ fault: Fault, on cluster: PostgresCluster, measure: FaultMeasure, share: Double = 1) {
    self.fault = fault
    self.cluster = cluster
    self.measure = measure
    rounds = FaultCount.rounds(share: share)
  }

  /// Runs all rounds; every finding becomes an issue with the seed, the round and the moment.
  @discardableResult
  public func run() async throws -> FaultTally {
    let seed = SeedTrait.seed
    var tally = FaultTally(
      "\(fault.rawValue) during \(Subject.command.joined(separator: " ")) (\(Subject.self))")
    for round in 0..<rounds where FaultCount.onlyRound.map({ $0 == round }) ?? true {
      var generator = SeededGenerator(seed: seed &+ UInt64(round) &* 0x9e37_79b9)
      let moment = FaultMoment(round: round, measure: measure, using: &generator)
      var trace = FaultTrace()
      do {
        let choice = Subject.hasManyBackends ? Double.random(in: 0..<1, using: &generator) : 1
        try await disturb(at: moment, choice: choice, &trace)
      } catch {
        tally.findings += 1
        Issue.record("\(tally.name), seed \(seed), round \(round), \(moment): \(error)\n\(trace)")
      }
      tally.count(trace)
      if tally.findings >= 5 { break }
    }
    FaultCount.finish(tally)
    return tally
  }

  /// Runs the command undisturbed, checks its subject, and measures.
  public static func measureUndisturbed(on cluster: PostgresCluster) async throws -> FaultMeasure {
    var measures: [FaultMeasure] = []
    for _ in 0..<3 {
      let subject = try await Subject.prepare(on: cluster)
      let log = ServerLogTail(
        cluster, databases: subject.sessionDatabases, programs: Subject.sessionNames)
      let begin = ContinuousClock.now
      let run = try start(subject, url: subject.url)
      // Never: it reads the log until the end.
      _ = try await FaultInjector(
        fault: .killTool, cluster: cluster, run: run, project: subject.project, log: log, relay: nil
      )
      .inject(at: .statement(.max, pause: .zero))
      let result = try await run.finish(within: runLimit)
      guard result.exitStatus == Subject.doneStatus else { throw TestSupportError("undisturbed: \(result)") }
      try await subject.checkInterrupted(result)
      try await subject.checkFinished([result])
      measures.append(FaultMeasure(duration: result.duration, statements: log.times.map { $0 - begin }))
      await subject.dispose()
    }
    // The shortest, or many moments would lie after the end.
    return measures.sorted { $0.duration < $1.duration }[0]
  }

  private static func start(_ subject: Subject, url: String) throws -> ToolRun {
    try ToolRun.start(
      ["-C", subject.project.path] + Subject.command, environment: ["DATABASE_URL": url],
      directory: subject.project.path)
  }

  private func disturb(at moment: FaultMoment, choice: Double, _ trace: inout FaultTrace) async throws {
    let subject = try await Subject.prepare(on: cluster)
    let relay = fault == .cutConnection ? try ConnectionRelay(to: cluster) : nil
    defer { relay?.close() }
    let log = ServerLogTail(cluster, databases: subject.sessionDatabases, programs: Subject.sessionNames)
    let run = try Self.start(subject, url: relay?.url(database: subject.database) ?? subject.url)
    log.read()
    let starts = log.starts
    let injector = FaultInjector(
      fault: fault, cluster: cluster, run: run, project: subject.project, log: log, relay: relay,
      choice: choice)
    let injection = try await injector.inject(at: moment)
    trace.injection = injection
    // A pooler keeps its clients waiting for the server, which for a direct connection is gone for good.
    let isPooled = subject.url != cluster.url(database: subject.database)
    if fault == .killServer, isPooled { try await cluster.start() }
    let result = try await run.finish(within: Self.runLimit)
    trace.disturbed = result
    if fault == .killServer, !isPooled { try await cluster.start() }
    try expectPossibleEnd(result)
    if injection.restartsServer { try await log.waitForStart(after: starts) }
    try await waitUntilServerAnswers()
    try await subject.checkInterrupted(result)
    try await runUntilDone(subject, &trace)
    try await subject.checkFinished(trace.repetitions)
    // The database of a round with a finding stays for who wants to look.
    await subject.dispose()
  }

  /// How a disturbed command may end: done, try again, or as the signal says.
  private func expectPossibleEnd(_ result: ToolRun.Result) throws {
    let ownSignal: Int32? =
      switch fault {
      case .killTool: SIGKILL
      // Before the handler is set up, the signal ends the process.
      case .interruptTool: SIGINT
      case .terminateTool: SIGTERM
      case .killBackend, .terminateBackend, .killServer, .cutConnection, .killChild, .killThrowawayServer: nil
      }
    let possible = Subject.statuses(after: fault).union([Subject.doneStatus])
    let isPossible = result.exitStatus.map { possible.contains($0) } ?? (result.signal == ownSignal)
    guard isPossible else { throw FaultFinding("the disturbed command ended with \(result)") }
  }

  private func runUntilDone(_ subject: Subject, _ trace: inout FaultTrace) async throws {
    let deadline = ContinuousClock.now + Self.recoveryLimit
    while ContinuousClock.now < deadline {
      let result = try await Self.start(subject, url: subject.url).finish(within: Self.runLimit)
      trace.repetitions.append(result)
      if result.exitStatus == Subject.doneStatus { return }
      guard result.exitStatus == 75 else { throw FaultFinding("run again, the command ended with \(result)") }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw FaultFinding("the command did not end with 0 in \(Self.recoveryLimit)")
  }

  private func waitUntilServerAnswers() async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do {
        _ = try await cluster.value("select 1")
        return
      } catch {
        guard ContinuousClock.now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }
}

extension FaultSubject {
  public var sessionDatabases: [String] { [database] }

  public var url: String { cluster.url(database: database) }

  public static var sessionNames: [String] { ["tsdb "] }
  public static var hasManyBackends: Bool { false }
  public static var doneStatus: Int32 { 0 }

  public static func statuses(after fault: Fault) -> Set<Int32> {
    switch fault {
    case .killTool: []
    case .interruptTool, .terminateTool: [130]
    case .killBackend, .terminateBackend, .killServer, .cutConnection, .killThrowawayServer: [75]
    case .killChild: [1]
    }
  }

  public func checkInterrupted(_: ToolRun.Result) async throws { try await checkInterrupted() }
  public func checkInterrupted() async throws {}
  public func checkFinished(_: [ToolRun.Result]) async throws { try await checkFinished() }
  public func checkFinished() async throws {}

  /// Drops the database.
  public func dispose() async {
    let name = database
    try? await cluster.connect().run { _ = try $0.execute("drop database if exists \(name) with (force)") }
  }
}
