import Foundation
import Postgres
import Testing

/// What a command under faults works on: a database of its own, and how to look at it.
///
/// A check throws ``FaultFinding`` for what must not be.
public protocol FaultSubject: Sendable {
  var cluster: PostgresCluster { get }
  var database: String { get }
  /// The database that the command's own session is connected to; the same unless told otherwise.
  var sessionDatabase: String { get }
  /// How the command reaches the database; directly unless told otherwise.
  var url: String { get }
  /// The directory that the command is given.
  var project: TemporaryDirectory { get }
  /// The command, without options that say where the database is.
  static var command: [String] { get }
  /// The state before the command.
  static func prepare(on cluster: PostgresCluster) async throws -> Self
  /// After the fault and before the command is run again.
  func checkInterrupted() async throws
  /// After the command has ended with status 0.
  func checkFinished() async throws
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
        try await disturb(at: moment, &trace)
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
      let log = ServerLogTail(cluster, database: subject.sessionDatabase)
      let begin = ContinuousClock.now
      let run = try start(subject, url: subject.url)
      // Never: it reads the log until the end.
      _ = try await FaultInjector(fault: .killTool, cluster: cluster, run: run, log: log, relay: nil)
        .inject(at: .statement(.max, pause: .zero))
      let result = try await run.finish(within: runLimit)
      guard result.exitStatus == 0 else { throw TestSupportError("undisturbed: \(result)") }
      try await subject.checkInterrupted()
      try await subject.checkFinished()
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

  private func disturb(at moment: FaultMoment, _ trace: inout FaultTrace) async throws {
    let subject = try await Subject.prepare(on: cluster)
    let relay = fault == .cutConnection ? try ConnectionRelay(to: cluster) : nil
    defer { relay?.close() }
    let log = ServerLogTail(cluster, database: subject.sessionDatabase)
    let run = try Self.start(subject, url: relay?.url(database: subject.database) ?? subject.url)
    log.read()
    let starts = log.starts
    let injector = FaultInjector(fault: fault, cluster: cluster, run: run, log: log, relay: relay)
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
    try await subject.checkInterrupted()
    try await runUntilDone(subject, &trace)
    try await subject.checkFinished()
    // The database of a round with a finding stays for who wants to look.
    await subject.dispose()
  }

  /// How a disturbed command may end: done, try again, or as the signal says.
  private func expectPossibleEnd(_ result: ToolRun.Result) throws {
    let isPossible =
      switch fault {
      case .killTool: result.signal == SIGKILL || result.exitStatus == 0
      // Before the handler is set up, the signal ends the process.
      case .interruptTool: [0, 130].contains(result.exitStatus) || result.signal == SIGINT
      case .terminateTool: [0, 130].contains(result.exitStatus) || result.signal == SIGTERM
      case .killBackend, .terminateBackend, .killServer, .cutConnection:
        [0, 75].contains(result.exitStatus)
      }
    guard isPossible else { throw FaultFinding("the disturbed command ended with \(result)") }
  }

  private func runUntilDone(_ subject: Subject, _ trace: inout FaultTrace) async throws {
    let deadline = ContinuousClock.now + Self.recoveryLimit
    while ContinuousClock.now < deadline {
      let result = try await Self.start(subject, url: subject.url).finish(within: Self.runLimit)
      trace.repetitions.append(result)
      if result.exitStatus == 0 { return }
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
  public var sessionDatabase: String { database }

  public var url: String { cluster.url(database: database) }

  /// Drops the database; a round that found nothing leaves nothing.
  func dispose() async {
    let name = database
    try? await cluster.connect().run { _ = try $0.execute("drop database if exists \(name) with (force)") }
  }
}
