import Maintenance
import Postgres
import Timekeeping

/// What a job would do.
struct JobPreview: Sendable {
  var steps: [PlannedStep] = []
  var notes: [String] = []
}

/// Finds out what each kind of job would do now; reads only.
struct JobPreviews: Sendable {
  let access: DatabaseAccess
  let session: Session
  let now: UTCTime

  func preview(_ work: JobWork) async throws -> JobPreview {
    switch work {
    case .refreshViews(let selection):
      try await catalogued { Self.preview(try RefreshViewsJob(selection).plan(on: $0)) }
    case .vacuum(let selection, let analyze):
      try await catalogued { Self.preview(try VacuumJob(selection, analyze: analyze).plan(on: $0)) }
    case .analyze(let selection):
      try await catalogued { Self.preview(try AnalyzeJob(selection).plan(on: $0)) }
    case .retention(let rules):
      try await retention(rules)
    case .partitions(let rules):
      try await session.run { [now] in JobPreview(steps: try PartitionsJob(rules).preview(now: now, on: $0)) }
    case .indexes(let rule):
      try await catalogued { JobPreview(steps: try IndexesJob(rule).preview(on: $0)) }
    case .backup(let rule): backup(rule)
    case .check: JobPreview(steps: [PlannedStep("database", "check")])
    case .sql(let path): try file(path)
    case .command(let arguments):
      JobPreview(steps: [PlannedStep(arguments.first ?? "", "run", detail: arguments.joined(separator: " "))])
    }
  }

  /// Reads catalogues where names are those of pg_catalog alone: what others have put into the role's own path would be
  /// called with its rights.
  private func catalogued(
    _ body: @Sendable (borrowing Connection) throws -> JobPreview
  ) async throws -> JobPreview {
    try await session.run { connection in
      try connection.execute(
        """
        begin read only; set local search_path = pg_catalog; set local jit = off; set local lock_timeout = '2s'
        """)
      defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
      return try body(connection)
    }
  }

  private static func preview(_ plan: RefreshPlan) -> JobPreview {
    JobPreview(
      steps: plan.steps.map { step in
        let action: String
        switch step.mode {
        case .concurrently(let index): action = "refresh concurrently by \(index)"
        case .plainly: action = "refresh"
        }
        return PlannedStep(
          step.view.label, action,
          detail: ([step.reason].compactMap { $0 } + step.notes).joined(separator: "; "),
          locks: [step.mode.lock])
      } + plan.refused.map(Self.step), notes: plan.notes)
  }

  private static func preview(_ plan: VacuumPlan) -> JobPreview {
    JobPreview(
      steps: plan.steps.map {
        PlannedStep($0.relation.label, $0.work.rawValue, detail: $0.reason, locks: [$0.work.lock])
      } + plan.left.map(Self.step), notes: plan.notes)
  }

  private static func step(_ object: JobObject) -> PlannedStep {
    PlannedStep(object.name, object.action, detail: object.detail)
  }

  /// A rule that would be refused for want of a backup is not counted.
  private func retention(_ rules: [RetentionRule]) async throws -> JobPreview {
    let backups = BackedRetentionJob(rules: rules, access: access)
    let newest = try await session.run { try backups.newestVerified(on: $0) }
    let refusals = rules.map { BackedRetentionJob.refusal(of: $0, newest: newest, now: now) }
    let allowed = zip(rules, refusals).filter { $1 == nil }.map(\.0)
    var previews = try await ReadWatch.with(access.settings) { [session, now] watch in
      var previews: [RetentionPreview] = []
      for rule in allowed {
        switch try await watch.read(on: session, { try RetentionJob([rule]).preview(on: $0, now: now) }) {
        case .done(let preview): previews += preview
        case .yielded(let waiter):
          previews.append(
            RetentionPreview(
              table: rule.table, column: rule.column, locks: RetentionPreview.locks(of: rule),
              notes: ["not counted: gave way to session \(waiter), which waited behind it"]))
        }
      }
      return previews
    }[...]
    return JobPreview(
      steps: zip(rules, refusals).compactMap { rule, refusal in
        if let refusal { return PlannedStep(rule.table, "refuse", detail: refusal) }
        return previews.popFirst().map(Self.step)
      })
  }

  private static func step(_ preview: RetentionPreview) -> PlannedStep {
    if let refusal = preview.refusal {
      let detail = [refusal, preview.hint].compactMap { $0 }.joined(separator: "; ")
      return PlannedStep(preview.table, "refuse", detail: detail)
    }
    var parts: [String] = []
    let about = preview.isEstimate ? "about " : ""
    if let rows = preview.rows { parts.append("\(about)\(rows) rows") }
    if let bytes = preview.bytes { parts.append("\(about)\(bytes) bytes") }
    if let batches = preview.batches, batches > 0 { parts.append("\(batches) batches") }
    if let cutoff = preview.cutoff { parts.append("\(preview.column) before \(cutoff)") }
    if let oldest = preview.oldest { parts.append("the oldest \(oldest)") }
    return PlannedStep(
      preview.table, "delete", detail: (parts + preview.notes).joined(separator: ", "), locks: [preview.locks]
    )
  }

  private func backup(_ rule: BackupRule) -> JobPreview {
    let repository = access.project.path(access.project.configuration.backupRepository)
    var steps = [
      PlannedStep(
        repository, "take a backup",
        locks: ["ACCESS SHARE on all tables: reads and writes go on; DDL that waits makes it give way"])
    ]
    if rule.prunes { steps.append(PlannedStep(repository, "remove what backup.keep does not keep")) }
    if let age = rule.proveEvery {
      steps.append(
        PlannedStep(
          repository, "restore it on a throwaway server",
          detail: "when the newest proof is older than \(age.spanText)"))
    }
    return JobPreview(steps: steps)
  }

  private func file(_ path: String) throws -> JobPreview {
    JobPreview(
      steps: try JobBodies(access: access).statements(of: path).map { statement in
        let line = statement.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return PlannedStep("\(path):\(statement.line)", "run", detail: String(line.prefix(80)))
      })
  }
}
