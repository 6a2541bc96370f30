import Checklists
import Deployments
import Postgres
import Synchronization
import Timekeeping

/// One deployment, step by step.
struct DeployRun {
  let deploy: Deploy
  let access: DatabaseAccess
  let store: DeploymentStore
  let databaseLock: DatabaseLock
  var record: DeploymentRecord
  let isResumed: Bool
  /// The deployment before this one, whose copy in the database may be missing its end: the server was away then.
  private var earlier: DeploymentRecord?
  let report: Deploy.Reporter
  /// Of what stands in the record: a server's message may repeat a row.
  let redaction: Redaction
  var checklist: Deploy.Checklist?
  var reportPath: String?
  private let warnings = SaidWarnings()

  init(
    deploy: Deploy, access: DatabaseAccess, store: DeploymentStore, databaseLock: DatabaseLock,
    record: DeploymentRecord, earlier: DeploymentRecord?, isResumed: Bool,
    report: @escaping Deploy.Reporter
  ) {
    self.deploy = deploy
    self.access = access
    self.store = store
    self.databaseLock = databaseLock
    self.record = record
    self.earlier = earlier
    self.isResumed = isResumed
    self.report = report
    redaction = Redaction(settings: access.settings, environment: deploy.environment)
  }

  /// How a step ended.
  struct End: Sendable {
    var outcome: DeploymentRecord.Outcome
    var summary: String?
    var findings: [String] = []
    var failure: StepFailure?

    static func done(_ summary: String, _ findings: [String] = []) -> End {
      End(outcome: .done, summary: summary, findings: findings)
    }

    static func skipped(_ because: String) -> End { End(outcome: .skipped, summary: because) }

    static func failed(
      _ message: String, _ findings: [String] = [], hint: String? = nil,
      kind: DeploymentError.Kind = .failed
    ) -> End {
      End(
        outcome: .failed, summary: message, findings: findings,
        failure: StepFailure(
          kind, message, detail: findings.isEmpty ? nil : findings.joined(separator: "\n"), hint: hint))
    }
  }

  mutating func perform() async throws -> Deploy.Result {
    if record.host != ScheduleRequest.hostName { record = record.takenOver(by: ScheduleRequest.hostName) }
    report(.began(record, isResumed: isResumed))
    while let step = next {
      try Task.checkCancellation()
      if let because = deploy.skips[step] {
        try await skip(step, because: because)
      } else if step == .prove, record.step(.backup)?.outcome == .skipped {
        try await skip(step, because: "the deployment has no backup of its own")
      } else {
        if step == .migrate { warnOfNoWayBack() }
        if let failure = try await perform(step) { return try await failed(step, failure) }
      }
      // A file that came with the mending of a later step.
      if step == .preflight, hasPending, record.step(.migrate)?.outcome == .done { rewindsToMigrate = true }
      if step == .migrate { rewindsToMigrate = false }
    }
    return try await finish()
  }

  // MARK: - Which step

  /// Whether files are pending, by the preflight of this run.
  var hasPending = false
  private var rewindsToMigrate = false
  /// Done by this run.
  private var attempted: Set<DeploymentStep> = []

  /// The first step, in order, that is to be run; preflight always is.
  private var next: DeploymentStep? {
    DeploymentStep.allCases.first { step in
      if attempted.contains(step) { return false }
      if step == .preflight { return true }
      if step.changesDatabase, rewindsToMigrate || attempted.contains(.migrate) { return true }
      let outcome = record.step(step)?.outcome
      // What an interrupted run was told ended with it: how the deployment ends has to be seen by this one.
      if step == .report, outcome == .done { return true }
      return outcome != .done && outcome != .skipped
    }
  }

  private mutating func skip(_ step: DeploymentStep, because: String) async throws {
    attempted.insert(step)
    record.skip(step, because: redaction.clean(because), at: now)
    try await keep()
    if let entry = record.step(step) { report(.stepEnded(entry)) }
  }

  // MARK: - One step

  private mutating func perform(_ step: DeploymentStep) async throws -> StepFailure? {
    attempted.insert(step)
    if step.changesDatabase { record.writesAtEnd = nil }
    record.begin(step, at: now)
    try store.save(record)
    report(.stepBegan(step))
    // Preflight changes nothing, not even by a record in the database.
    if step != .preflight {
      if let earlier { await publish(earlier) }
      earlier = nil
      await publish()
    }
    var end: End
    do {
      try await databaseLock.require()
      end = try await run(step)
    } catch {
      let failure = StepFailure(error)
      if failure.kind == .interrupted { throw interrupted(step) }
      end = End(outcome: .failed, summary: failure.message, failure: failure)
    }
    if Task.isCancelled, end.outcome == .failed { throw interrupted(step) }
    let findings = end.findings.map(redaction.clean)
    if end.outcome == .skipped {
      record.skip(step, because: redaction.clean(end.summary ?? ""), at: now)
    } else {
      record.end(step, end.outcome, at: now, summary: end.summary.map(redaction.clean), findings: findings)
    }
    if step == .preflight, end.outcome == .failed { try store.save(record) } else { try await keep() }
    if let entry = record.step(step) { report(.stepEnded(entry)) }
    return end.failure
  }

  private mutating func run(_ step: DeploymentStep) async throws -> End {
    switch step {
    case .preflight: try await preflight()
    case .backup: try await backup()
    case .prove: try await prove()
    case .migrate: try await migrate()
    case .seed: try await seed()
    case .refresh: try await refresh()
    case .verify: try await verify()
    case .smoke: try await smoke()
    case .schedule: try await schedule()
    case .report: try await askChecklist()
    }
  }

  private mutating func preflight() async throws -> End {
    let left = DeploymentStep.allCases.filter { step in
      if deploy.skips[step] != nil { return false }
      let outcome = record.step(step)?.outcome
      return outcome != .done && outcome != .skipped
    }
    let findings = try await DeployPreflight(deploy: deploy, access: access, steps: Set(left)).run()
    hasPending = !findings.pending.isEmpty
    if record.step(.migrate) == nil, record.backup == nil {
      record.headBefore = try await DeploymentFacts.read(access).migrationHead
    }
    let pending =
      findings.pending.isEmpty
      ? "nothing is pending, \(findings.applied) applied"
      : "\(findings.pending.count) pending, \(findings.applied) applied"
    guard findings.problems.isEmpty else {
      let problems = findings.problems
      if problems.count == 1 {
        return .failed(
          problems[0].problem, findings.notes,
          hint: problems[0].remedy ?? "mend it, and type the same command again")
      }
      return .failed(
        "\(problems.count) things are in the way",
        problems.map { $0.problem + ($0.remedy.map { " (\($0))" } ?? "") } + findings.notes,
        hint: "mend what is named, and type the same command again")
    }
    return .done("PostgreSQL \(findings.version / 10_000); migrations: \(pending)", findings.notes)
  }

  // MARK: - Records

  var now: String { StepClock.now }

  /// Saves the record, and copies it into the database.
  mutating func keep() async throws {
    try store.save(record)
    await publish()
  }

  func publish() async { await publish(record) }

  private func publish(_ record: DeploymentRecord) async {
    await store.publish(record, access) { [report, warnings] message, detail, hint in
      if warnings.isNew(message) { report(.warning(message, detail: detail, hint: hint)) }
    }
  }
}

/// Each warning is said once.
private final class SaidWarnings: Sendable {
  private let messages = Mutex<Set<String>>([])

  func isNew(_ message: String) -> Bool { messages.withLock { $0.insert(message).inserted } }
}
