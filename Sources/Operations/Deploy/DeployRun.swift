import Checklists
import Deployments
import Postgres
import Synchronization
import SystemPackage
import Timekeeping

/// One deployment, step by step.
struct DeployRun {
  let deploy: Deploy
  let access: DatabaseAccess
  let store: DeploymentStore
  var record: DeploymentRecord
  let isResumed: Bool
  let report: Deploy.Reporter
  /// Of what stands in the record: a server's message may repeat a row.
  let redaction: Redaction
  var checklist: Deploy.Checklist?
  var reportPath: String?
  private let warnings = SaidWarnings()

  init(
    deploy: Deploy, access: DatabaseAccess, store: DeploymentStore, record: DeploymentRecord, isResumed: Bool,
    report: @escaping Deploy.Reporter
  ) {
    self.deploy = deploy
    self.access = access
    self.store = store
    self.record = record
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
    record.begin(step, at: now)
    try store.save(record)
    report(.stepBegan(step))
    // Preflight changes nothing, not even by a record in the database.
    if step != .preflight { await publish() }
    var end: End
    do {
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
    if record.step(.migrate) == nil {
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

  private func publish() async {
    await store.publish(record, access) { [report, warnings] message, detail, hint in
      if warnings.isNew(message) { report(.warning(message, detail: detail, hint: hint)) }
    }
  }

  // MARK: - Ends

  private func warnOfNoWayBack() {
    guard record.backup == nil, !record.hasChangedDatabase else { return }
    report(
      .warning(
        "this deployment has no way back: it has no backup of its own", detail: nil,
        hint: "interrupt it now if that was not meant"))
  }

  private func interrupted(_ step: DeploymentStep) -> DeploymentError {
    let state =
      record.hasChangedDatabase
      ? "Whatever had begun is whole or undone." : "Nothing of it has reached the database."
    return DeploymentError(
      .interrupted, "interrupted at the step \"\(step.rawValue)\"",
      detail: "The deployment \(record.id) is kept. \(state)",
      hint: "type the same command again to continue"
        + (record.hasChangedDatabase && record.backup != nil ? ", or go back: tsdb rollback" : ""))
  }

  private mutating func finish() async throws -> Deploy.Result {
    record.state = .deployed
    record.ended = now
    if let head = try? await DeploymentFacts.read(access).migrationHead { record.headAfter = head }
    try await keep()
    await writePage()
    return result(nil)
  }

  /// The deployment is over; a page that cannot be written is no failure of it.
  private mutating func writePage() async {
    guard let write = deploy.writeReport else { return }
    let path = store.directory(of: record).appending("report.html")
    do {
      try await write(path)
      reportPath = path.string
    } catch {
      let failure = StepFailure(error)
      report(
        .warning(
          "the page was not written: \(redaction.clean(failure.message))", detail: failure.detail,
          hint: failure.hint ?? "tsdb report --html FILE"))
    }
  }

  private mutating func failed(_ step: DeploymentStep, _ failure: StepFailure) async throws -> Deploy.Result {
    let state = await DeployState.read(record, access)
    record.headAfter = state.head ?? record.headAfter
    record.ended = now
    try store.save(record)
    if record.hasChangedDatabase { await publish() }
    let error = explained(failure, at: step, state)
    guard let rollback = deploy.rollback, failure.kind == .failed, record.backup != nil,
      step >= .migrate, step <= .smoke
    else { return result(error) }
    report(
      .warning(
        "the step \"\(step.rawValue)\" failed; going back to the backup \(record.backup?.id ?? "")",
        detail: nil, hint: nil))
    do {
      record = try await rollback(record)
    } catch let obstacle {
      // Whatever it has done stands in its own record.
      record =
        (try? store.records(of: record.database, systemIdentifier: record.systemIdentifier))?
        .first { $0.id == record.id } ?? record
      return result(Self.notBack(after: error, StepFailure(obstacle)))
    }
    return result(
      DeploymentError(
        .failed, error.message,
        detail: [
          error.detail, "It was rolled back by itself: the database is what it was before the deployment.",
        ].compactMap { $0 }.joined(separator: "\n"),
        hint: record.rollback?.keptDatabase.map { "the failed database is kept as \"\($0)\", for a look" }))
  }

  private static func notBack(after error: DeploymentError, _ obstacle: StepFailure) -> DeploymentError {
    DeploymentError(
      obstacle.kind == .invalidInput ? .failed : obstacle.kind, error.message,
      detail: [error.detail, "Going back did not come to its end: \(obstacle.message).", obstacle.detail]
        .compactMap { $0 }.joined(separator: "\n"),
      hint: obstacle.hint ?? "to go back: tsdb rollback")
  }

  /// What failed, in what state the database is, and what to type next.
  private func explained(
    _ failure: StepFailure, at step: DeploymentStep, _ state: DeployState
  ) -> DeploymentError {
    let facts = failure.detail.map { detail in
      RowText.withoutValues(detail, sqlState: failure.sqlState).split(
        separator: "\n", omittingEmptySubsequences: false
      ).map { redaction.clean(String($0)) }
        .joined(separator: "\n")
    }
    let isFree = failure.kind == .tryAgain
    var hints = [failure.hint.map { redaction.clean($0) }].compactMap { $0 }
    hints.append(
      isFree
        ? "type the same command again to continue" : "once mended, the same command continues at this step")
    if record.hasChangedDatabase, record.backup != nil { hints.append("to go back: tsdb rollback") }
    return DeploymentError(
      isFree ? .tryAgain : .failed,
      "deployment \(record.id) failed at the step \"\(step.rawValue)\": \(redaction.clean(failure.message))",
      detail: [facts, state.text(record)].compactMap { $0 }.joined(separator: "\n"),
      hint: hints.joined(separator: "\n"),
      sqlState: failure.sqlState)
  }

  private func result(_ failure: DeploymentError?) -> Deploy.Result {
    Deploy.Result(
      record: record, isResumed: isResumed, directory: store.directory(of: record).string,
      checklist: checklist, report: reportPath,
      hasWayBack: record.backup != nil && record.hasChangedDatabase && record.state != .rolledBack,
      failure: failure)
  }
}

/// In what state a deployment has left the database.
struct DeployState: Sendable {
  /// nil where the server could not be asked, or nothing is applied.
  var head: String?
  /// Applied since the deployment began, in order.
  var applied: [String] = []
  var isKnown = false

  static func read(_ record: DeploymentRecord, _ access: DatabaseAccess) async -> DeployState {
    var settings = access.settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    let schema = access.project.configuration.historySchema
    let session = Session(settings, applicationName: "tsdb deploy")
    let state = try? await session.run { connection in
      let facts = try DeploymentFacts(on: connection, schema: schema)
      var state = DeployState(head: facts.migrationHead, isKnown: true)
      guard facts.migrationHead != nil else { return state }
      let table = Quoting.identifier(schema, "migrations")
      state.applied = try connection.query(
        """
        select name from \(table) where state = 'applied' and ordinal > coalesce(
          (select ordinal from \(table) where name = $1), 0) order by ordinal
        """, [record.headBefore]
      ).rows().compactMap { $0[0] }
      return state
    }
    await session.close()
    return state ?? DeployState()
  }

  func text(_ record: DeploymentRecord) -> String {
    guard record.hasChangedDatabase else { return "Nothing of the deployment has reached the database." }
    var parts: [String] = []
    if isKnown {
      parts.append(
        applied.isEmpty
          ? "Of this deployment no migration is applied."
          : "Applied by this deployment: \(applied.joined(separator: ", ")).")
      parts.append("The database stands at \(head.map { "\"\($0)\"" } ?? "no migration"), each file whole.")
    } else {
      parts.append("The server could not be asked for the state of the database.")
    }
    if let backup = record.backup {
      parts.append(
        "The backup \(backup.id), \(backup.isProven ? "proven" : "not proven"), holds what was there before "
          + "(\(backup.snapshotTime)).")
    } else {
      parts.append("There is no backup of this deployment to go back to.")
    }
    return parts.joined(separator: " ")
  }
}

/// Each warning is said once.
private final class SaidWarnings: Sendable {
  private let messages = Mutex<Set<String>>([])

  func isNew(_ message: String) -> Bool { messages.withLock { $0.insert(message).inserted } }
}
