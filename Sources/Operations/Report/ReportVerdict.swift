import Checklists
import Maintenance

/// What a report is about, in the order in which it counts.
public enum ReportSubject: String, Sendable, Encodable, CaseIterable {
  case deployment, checklist, migrations, backups, jobs, health

  /// The area that a check counts for.
  init(check name: String) {
    self =
      switch name {
      case "pending", "drift": .migrations
      case "backups": .backups
      case "jobs": .jobs
      default: .health
      }
  }
}

/// How the whole stands, and what to do next.
public struct ReportVerdict: Sendable, Encodable {
  public struct Area: Sendable, Encodable {
    public let subject: ReportSubject
    /// nil where there is nothing to judge: no checklist was run, no deployment recorded.
    public let status: HealthStatus?
  }

  /// Something to do.
  public struct Step: Sendable, Encodable {
    public let subject: ReportSubject
    /// The check that found it, or `missing-runs`, `checklist`, `evidence`, `deployment` or `sight`.
    public let reason: String
    public let status: HealthStatus
    /// The worst of it.
    public let detail: ReportText
    /// The SQL statement or the tsdb command that would help.
    public let remedy: ReportText?
    /// How many problems of this reason there are.
    public let count: Int
  }

  /// The worst of the areas.
  public let status: HealthStatus
  public let areas: [Area]
  /// The three most important things to do, the first first.
  public let next: [Step]
  /// How many more there are.
  public let omitted: Int
}

/// What the verdict goes by; pure.
struct ReportJudgement {
  let checks: [ReportCheck]
  let checklist: ReportPart<ReportChecklist>
  let deployments: ReportPart<ReportList<ReportDeployment>>
  let migrations: ReportPart<ReportMigrations>
  let jobs: ReportPart<ReportJobs>
  /// The deployment whose rollback has begun and not ended, as the project's record has it: the database's copy is
  /// the one of before, or is swapped away.
  let unfinishedRollback: String?
  /// Of parts that no check covers.
  let gaps: [ReportGap]
  let clean: ReportCleaning

  private static let most = 3
  /// Among problems that are equally bad: what takes the application down or loses data, before what costs.
  private static let order = [
    "deployment", "server", "plpgsql", "wraparound", "backups", "pending", "evidence", "checklist",
    "sequences",
    "invalid-indexes", "partitions", "jobs", "missing-runs", "long-transactions", "replication-slots",
    "stale-views",
    "retention-backlog", "drift", "unrefreshable-views", "duplicate-indexes", "statistics", "sight",
  ]

  var verdict: ReportVerdict {
    let steps = (checkSteps + deploymentSteps + checklistSteps + jobSteps + sightSteps).sorted {
      ($0.status.rank, Self.place($0.reason)) < ($1.status.rank, Self.place($1.reason))
    }
    let areas = ReportSubject.allCases.map { subject in
      ReportVerdict.Area(
        subject: subject,
        status: isJudged(subject)
          ? HealthStatus.worst(steps.filter { $0.subject == subject }.map(\.status)) : nil)
    }
    let distinct = Self.withoutRepetitions(steps.filter { !isConsequence($0) })
    return ReportVerdict(
      status: HealthStatus.worst(areas.compactMap(\.status)), areas: areas,
      next: Array(distinct.prefix(Self.most)),
      omitted: max(0, distinct.count - Self.most))
  }

  /// The same cannot be done twice.
  private static func withoutRepetitions(_ steps: [ReportVerdict.Step]) -> [ReportVerdict.Step] {
    var seen: Set<[ReportText?]> = []
    return steps.filter { seen.insert([$0.detail, $0.remedy]).inserted }
  }

  /// Whether the last deployment was taken back on purpose.
  private var wasRolledBack: Bool { deployments.value?.rows.first?.state.text == "rolled-back" }

  /// What the step about a deployment that was taken back says already: that its migrations are pending again, or
  /// that there is no history of any.
  private func isConsequence(_ step: ReportVerdict.Step) -> Bool {
    guard wasRolledBack, step.status == .warning else { return false }
    return step.reason == "pending" || isBeforeFirst(step.reason)
  }

  /// Whether the database is the one from before the first migration, as a rollback has left it.
  private func isBeforeFirst(_ check: String) -> Bool {
    guard wasRolledBack, let counts = migrations.value?.counts else { return false }
    // Jobs ask for the application's tables by their names.
    return ["pending", "drift", "partitions", "retention-backlog"].contains(check)
      && counts["pending"] != nil && counts.count == 1
  }

  private func isJudged(_ subject: ReportSubject) -> Bool {
    switch subject {
    case .deployment:
      if case .absent = deployments { unfinishedRollback != nil } else { true }
    case .checklist: if case .absent = checklist { false } else { true }
    default: true
    }
  }

  private static func place(_ reason: String) -> Int { order.firstIndex(of: reason) ?? order.count }

  private var checkSteps: [ReportVerdict.Step] {
    checks.filter { $0.status != .ok }.map { check in
      let worst = check.problems.rows.first { $0.status == check.status }
      return ReportVerdict.Step(
        subject: check.subject, reason: check.name,
        status: isBeforeFirst(check.name) ? .warning : check.status,
        detail: worst?.summary ?? check.summary, remedy: worst?.remedy,
        count: check.problems.rows.count { $0.status != .ok } + check.problems.omitted)
    }
  }

  private var deploymentSteps: [ReportVerdict.Step] {
    if let unfinishedRollback {
      return [
        step(
          .deployment, "deployment", .critical,
          clean("the rollback of deployment \(unfinishedRollback) has begun and is not finished"),
          clean("tsdb rollback"))
      ]
    }
    return recordedSteps
  }

  private var recordedSteps: [ReportVerdict.Step] {
    switch deployments {
    case .absent: return []
    case .unknown(let gap): return [step(.deployment, "deployment", .unknown, gap.reason, gap.remedy)]
    case .known(let list):
      guard let last = list.rows.first else { return [] }
      if wasRolledBack { return rolledBackStep(last) }
      let state = last.state.text.lowercased()
      let status: HealthStatus =
        state.contains("fail") || state.contains("rolling") ? .critical : last.ended == nil ? .warning : .ok
      guard status != .ok else { return [] }
      return [
        step(
          .deployment, "deployment", status, clean("deployment \(last.id.text) is \(last.state.text)"),
          clean(state.contains("rolling") ? "tsdb rollback" : "tsdb deploy, or go back: tsdb rollback"))
      ]
    }
  }

  /// Nothing is wrong with a database that was taken back; what is missing in it is named as the consequence.
  private func rolledBackStep(_ last: ReportDeployment) -> [ReportVerdict.Step] {
    let pending = migrations.value?.counts["pending"] ?? 0
    guard pending > 0 else { return [] }
    let what = pending == 1 ? "1 migration is pending again" : "\(pending) migrations are pending again"
    return [
      step(
        .deployment, "deployment", .warning,
        clean("deployment \(last.id.text) was rolled back, so \(what)"),
        clean("once mended: tsdb deploy"))
    ]
  }

  private var checklistSteps: [ReportVerdict.Step] {
    switch checklist {
    case .absent: return []
    case .unknown(let gap): return [step(.checklist, "evidence", .unknown, gap.reason, gap.remedy)]
    case .known(let list):
      var steps: [ReportVerdict.Step] = []
      if list.isOfThisDatabase == false {
        steps.append(
          step(
            .checklist, "evidence", .unknown, clean("the evidence is of another database"),
            clean("tsdb checklist run FILE --evidence FILE")))
      }
      let open: [(state: ProbeState, status: HealthStatus)] = [
        (.failed, .critical), (.unknown, .unknown), (.unbound, .warning),
      ]
      if let worst = open.first(where: { list.count($0.state) > 0 }) {
        let item = list.items.rows.first { $0.state == worst.state }
        steps.append(
          ReportVerdict.Step(
            subject: .checklist, reason: "checklist", status: worst.status,
            detail: item?.item ?? clean(worst.state.words), remedy: item?.remedy,
            count: open.reduce(0) { $0 + list.count($1.state) }))
      }
      return steps
    }
  }

  private var jobSteps: [ReportVerdict.Step] {
    switch jobs {
    case .absent: return []
    case .unknown(let gap): return [step(.jobs, "jobs", .unknown, gap.reason, gap.remedy)]
    case .known(let jobs):
      let late = jobs.jobs.rows.filter(\.isLatestMissing)
      guard let first = late.first else { return [] }
      let slot = jobs.missing.rows.first { $0.job == first.name }?.last
      return [
        ReportVerdict.Step(
          subject: .jobs, reason: "missing-runs", status: .warning,
          detail: clean("job \"\(first.name.text)\" did not run at \(slot ?? "its time")"),
          remedy: clean("tsdb schedule show"), count: late.count)
      ]
    }
  }

  private var sightSteps: [ReportVerdict.Step] {
    guard let gap = gaps.first else { return [] }
    return [
      ReportVerdict.Step(
        subject: .health, reason: "sight", status: .unknown, detail: gap.reason, remedy: gap.remedy,
        count: gaps.count)
    ]
  }

  private func step(
    _ subject: ReportSubject, _ reason: String, _ status: HealthStatus, _ detail: ReportText,
    _ remedy: ReportText?
  ) -> ReportVerdict.Step {
    ReportVerdict.Step(
      subject: subject, reason: reason, status: status, detail: detail, remedy: remedy, count: 1)
  }
}

extension HealthStatus {
  /// Ascending from the worst: what is known to be bad, what is not known, what is to be looked after.
  fileprivate var rank: Int {
    switch self {
    case .critical: 0
    case .unknown: 1
    case .warning: 2
    case .ok: 3
    }
  }
}
