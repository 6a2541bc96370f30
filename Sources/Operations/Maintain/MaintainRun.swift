import Maintenance
import Migrations
import Postgres
import Processes
import Timekeeping

/// Runs the jobs that are due, or those that are named.
public struct MaintainRun: Sendable {
  /// Empty for what is due.
  public let names: [String]
  public let caller: JobCaller
  let environment: [String: String]
  /// In place of each job's own.
  public var budget: Duration?
  /// Lets retention read a whole table where the column has no index.
  public var allowsSequentialScan = false

  /// - Parameter environment: of this process; commands get it, and it may name who called and whom to ping.
  public init(names: [String], environment: [String: String]) {
    self.names = names
    self.environment = environment
    caller = .this(environment: environment)
  }

  /// One run of a job.
  public struct Run: Sendable, Encodable {
    public let job: String
    public let kind: String
    /// UTC, ISO 8601; nil for a job that was asked for by name.
    public let slot: String?
    public let outcome: JobOutcome
    public let reason: String?
    public let hint: String?
    public let sqlState: String?
    public let rows: Int64
    public let bytes: Int64
    public let waits: Int
    public let yields: Int
    public let backlog: Int64?
    public let milliseconds: Int64
    public let objects: [JobObject]
  }

  public struct Result: Sendable, Encodable {
    public internal(set) var runs: [Run] = []
    /// Jobs that were not run although their time has come, each with the reason.
    public internal(set) var waiting: [Waiting] = []
    /// When the next job is due; UTC, ISO 8601.
    public internal(set) var next: String?

    public struct Waiting: Sendable, Encodable {
      public let job: String
      public let reason: String
    }

    public var hasFailures: Bool { runs.contains { $0.outcome == .failed } }
  }

  public enum Event: Sendable {
    case began(job: String, reason: String)
    case job(String, JobEvent)
    case ended(Run)
    case warning(String, detail: String?, hint: String?)
  }

  public typealias Reporter = @Sendable (Event) -> Void

  /// Gives this process, and what it starts, the niceness of maintenance; for a process that does nothing else.
  public static func yieldProcessors(_ configuration: ProjectConfiguration) {
    ProcessPriority.lower(to: configuration.maintenance.niceness)
  }

  /// - Throws: ``MaintenanceError`` for an unknown job, a server that cannot be reached or written to.
  public func run(_ access: DatabaseAccess, report: @escaping Reporter) async throws -> Result {
    let session = Session(access.settings, applicationName: "tsdb maintain")
    do {
      let result = try await run(access, session, report)
      await session.close()
      return result
    } catch let error as PostgresError {
      await session.close()
      // The statement that an interruption met was cancelled.
      try Task.checkCancellation()
      throw MaintenanceError.running(error)
    } catch {
      await session.close()
      throw error
    }
  }

  private func run(
    _ access: DatabaseAccess, _ session: Session, _ report: @escaping Reporter
  ) async throws -> Result {
    let calendar = try JobCalendar(access.project.configuration)
    let named = try names.map { try calendar.job($0) }
    let records = JobRecords(
      table: JobRunTable(schema: access.project.configuration.historySchema), caller: caller)
    let signals = MaintainSignals(
      project: access.project, environment: environment, runID: "\(UTCTime.now.compact)-\(caller.processID)"
    ) { report(.warning($0.message, detail: $0.detail, hint: $0.hint)) }
    var result = Result()
    do {
      try await run(access, calendar, named, records, session, signals, report, &result)
    } catch {
      signals.abandon()
      throw error
    }
    await signals.writeMetrics(calendar.jobs, records, session)
    await signals.end(result)
    return result
  }

  private func run(
    _ access: DatabaseAccess, _ calendar: JobCalendar, _ named: [JobDefinition], _ records: JobRecords,
    _ session: Session, _ signals: MaintainSignals, _ report: @escaping Reporter, _ result: inout Result
  ) async throws {
    var attempted: Set<String> = []
    while names.isEmpty || attempted.count < Set(names).count {
      try await requireOneTime(session)
      guard let next = try await next(calendar, named, attempted, records, session, &result) else { break }
      try Task.checkCancellation()
      // Made only once something is to be run: a look at what is due writes nothing.
      if attempted.isEmpty { try await session.run { try records.table.install(on: $0) } }
      attempted.insert(next.job.name)
      let run = try await run(next, access, records, session) { event in
        if case .job(let job, let event) = event { signals.tell(job, event) }
        report(event)
      }
      guard let run else { continue }
      signals.tell(run)
      result.runs.append(run)
      report(.ended(run))
    }
    if !result.runs.isEmpty {
      let age = access.project.configuration.maintenance.history
      do {
        _ = try await session.run { try records.purge(olderThan: age, on: $0) }
      } catch let error as PostgresError {
        report(
          .warning("old records of runs were not removed: \(error.message)", detail: nil, hint: error.hint))
      }
    }
    try Task.checkCancellation()
  }

  /// Before each job: what is old, what is due and what is done is counted from this host's clock.
  private func requireOneTime(_ session: Session) async throws {
    do {
      try await session.run { try HostClock.require(.now, on: $0) }
    } catch let error as PostgresError where error.origin == .connectionLost {
      // Cut while it was idle during a long job.
      try await session.run { try HostClock.require(.now, on: $0) }
    }
  }

  /// A job to run, and why.
  private struct Next {
    let job: JobDefinition
    let slot: UTCTime?
    let reason: String
  }

  /// The first job that is to be run and was not yet.
  private func next(
    _ calendar: JobCalendar, _ named: [JobDefinition], _ attempted: Set<String>, _ records: JobRecords,
    _ session: Session, _ result: inout Result
  ) async throws -> Next? {
    if !names.isEmpty {
      return named.first { !attempted.contains($0.name) }
        .map { Next(job: $0, slot: nil, reason: "asked for") }
    }
    let jobNames = calendar.jobs.map(\.name)
    let histories = try await session.run { try records.histories(of: jobNames, on: $0) }
    let decision = try calendar.decision(histories, at: .now)
    result.waiting = []
    for job in decision where !attempted.contains(job.job.name) {
      if case .waiting(let reason) = job.state {
        result.waiting.append(Result.Waiting(job: job.job.name, reason: reason))
      }
    }
    result.next =
      decision.compactMap { if case .notDue(let next) = $0.state { next } else { nil } }
      .min()?.description
    for job in decision where !attempted.contains(job.job.name) {
      if case .due(let slot) = job.state { return Next(job: job.job, slot: slot, reason: job.reason) }
    }
    return nil
  }

  private func run(
    _ next: Next, _ access: DatabaseAccess, _ records: JobRecords, _ session: Session,
    _ report: @escaping Reporter
  ) async throws -> Run? {
    var job = next.job
    job.budget = budget ?? job.budget
    if allowsSequentialScan { job.work = job.work.allowingSequentialScan }
    report(.began(job: job.name, reason: next.reason))
    let started = ContinuousClock.now
    let body = JobBodies(access: access, environment: environment).runnable(job.work)
    let gates = Gates(limits: access.project.configuration.maintenance.gates)
    let end = try await JobRun(
      job: job, slot: next.slot, now: .now, settings: access.settings, records: records, gates: gates,
      idleSession: session
    ) { [name = job.name] in report(.job(name, $0)) }.run(body)
    let result: JobResult
    switch end {
    case .ran(let done): result = done
    case .skipped(let reason): result = JobResult(.skipped, reason: reason)
    case .alreadyDone: return nil
    }
    return Run(
      job: job.name, kind: job.work.kind, slot: next.slot?.description, outcome: result.outcome,
      reason: result.reason, hint: result.hint, sqlState: result.sqlState, rows: result.rows,
      bytes: result.bytes, waits: result.waits, yields: result.yields, backlog: result.backlog,
      milliseconds: (ContinuousClock.now - started).wholeMilliseconds, objects: result.objects)
  }
}

extension JobWork {
  var allowingSequentialScan: JobWork {
    guard case .retention(let rules) = self else { return self }
    return .retention(
      rules.map { rule in
        var rule = rule
        rule.allowsSequentialScan = true
        return rule
      })
  }
}

extension MaintenanceError {
  /// A failure outside a job: connecting, reading the records.
  static func running(_ error: PostgresError) -> MaintenanceError {
    if error.origin == .connecting || error.origin == .client {
      let connecting = MigrationError.connecting(error)
      return MaintenanceError(
        connecting.kind == .tryAgain ? .tryAgain : connecting.kind == .invalidInput ? .invalidInput : .failed,
        connecting.summary, detail: "No job was run.", hint: connecting.hint, sqlState: connecting.sqlState)
    }
    return MaintenanceError(
      error.isServerUnavailable ? .tryAgain : .failed, error.message, detail: error.detail, hint: error.hint,
      sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
