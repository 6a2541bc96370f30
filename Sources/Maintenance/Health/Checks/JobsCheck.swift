import Postgres
import Timekeeping

/// Maintenance that does not happen, or does nothing, without anybody being told.
enum JobsCheck: HealthCheck {
  static let overdue = HealthThreshold(
    "job-overdue", "periods of its schedule since a job last ended well", warning: 2, critical: 6)
  static let skips = HealthThreshold(
    "job-skips", "runs skipped in a row", warning: 2, critical: 9)
  static let description = HealthCheckDescription(
    "jobs",
    looksAt:
      "jobs: ever ran, last run failed, skipped in a row, overdue, running over twice their budget, deleting nothing while the backlog grows",
    rights: "usage on the history's schema and select on its table job_runs", thresholds: [overdue, skips])

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> JobSight {
    try JobSight.look(context, on: connection)
  }

  static func verdict(_ sight: JobSight, _ context: HealthContext) -> HealthFinding {
    let problems: [HealthProblem]
    var performance: [PerformanceData] = []
    switch sight {
    case _ where context.jobs.isEmpty: problems = []
    case .noTable:
      problems = [
        HealthProblem(
          .warning, "no job of maintenance ever ran", detail: "There are no records of any run.",
          remedy: context.scheduling)
      ]
    case .hidden(let grants): problems = [JobSight.hiddenProblem(grants, context)]
    case .seen(let facts):
      problems = context.jobs.flatMap { Self.problems($0, facts, context) }
      let latest = context.jobs.compactMap { periods($0, history(of: $0, facts).lastSuccess, context) }
        .max()
      let skipped = context.jobs.compactMap { facts.histories[$0.name]?.skipsInARow }.max() ?? 0
      performance = [
        context.limit(overdue).performance(latest), context.limit(skips).performance(Double(skipped)),
        PerformanceData(
          "jobs_failed", Double(context.jobs.count { history(of: $0, facts).lastRun?.outcome == .failed })),
      ]
    }
    return HealthFinding(
      name, problems: problems, several: "problems of jobs",
      fine: context.jobs.isEmpty
        ? "no jobs are configured"
        : HealthText.count(Int64(context.jobs.count), "job runs", "jobs run") + " as they should",
      performance: performance)
  }

  /// Of a job that checks, a failed run has done its work: it failed by what it found, which is found here as well.
  /// Counted as a failure it would keep itself failing for ever.
  private static func history(of job: JobDefinition, _ facts: JobFacts) -> JobHistory {
    var history = facts.histories[job.name] ?? JobHistory()
    if case .check = job.work, let run = history.lastRun, run.outcome == .failed {
      history.lastSuccess = run
      history.lastRun = nil
    }
    return history
  }

  /// How many periods ago a run was.
  private static func periods(_ job: JobDefinition, _ run: JobHistory.Run?, _ context: HealthContext)
    -> Double?
  {
    run.map { Double(context.now - ($0.ended ?? $0.started)) / Double(context.periodSeconds(job)) }
  }

  private static func problems(_ job: JobDefinition, _ facts: JobFacts, _ context: HealthContext)
    -> [HealthProblem]
  {
    let remedy = "tsdb maintain \(job.name)"
    let history = Self.history(of: job, facts)
    var problems: [HealthProblem] = []
    let overdue = context.limit(overdue)
    let late = periods(job, history.lastSuccess, context)
    if history.lastRun?.outcome == .failed {
      problems.append(failure(job, history, late.map { overdue.status(of: $0) }, remedy))
    } else if history.lastSuccess == nil, history.lastRun == nil {
      problems.append(neverRan(job, facts, context, remedy))
    } else if let late, overdue.status(of: late) != .ok, let last = history.lastSuccess {
      problems.append(
        HealthProblem(
          overdue.status(of: late),
          "job \"\(job.name)\" last ended well \(HealthText.span(context.now - (last.ended ?? last.started))) ago",
          detail: "It is due every \(HealthText.span(context.periodSeconds(job))).",
          remedy: "see that something calls tsdb maintain: tsdb schedule show"))
    }
    let skipped = context.limit(skips).status(of: Double(history.skipsInARow))
    if skipped != .ok {
      problems.append(
        HealthProblem(
          skipped, "job \"\(job.name)\" was skipped \(history.skipsInARow) times in a row",
          detail: history.lastSkipReason.map { "The last time: \($0)." }, remedy: remedy))
    }
    if let run = history.lastRun, run.outcome == .running,
      context.now - run.started > job.budget.wholeSeconds * 2
    {
      problems.append(
        HealthProblem(
          .warning,
          "job \"\(job.name)\" is recorded as running for \(HealthText.span(context.now - run.started))",
          detail:
            "Its budget is \(HealthText.span(job.budget.wholeSeconds)). If its process is gone, the next run puts that in order.",
          remedy: remedy))
    }
    if let problem = idle(job, facts.successes[job.name] ?? [], remedy) { problems.append(problem) }
    return problems
  }

  private static func failure(
    _ job: JobDefinition, _ history: JobHistory, _ late: HealthStatus?, _ remedy: String
  ) -> HealthProblem {
    let good = history.lastSuccess.map { "It last ended well \($0.started)." } ?? "It never ended well."
    return HealthProblem(
      late == .ok || late == .warning ? .warning : .critical,
      "job \"\(job.name)\" failed\(history.lastRun?.reason.map { ": \($0)" } ?? "")", detail: good,
      remedy: remedy)
  }

  /// Of a schedule that came round while other jobs ran it is known that it should have run.
  private static func neverRan(
    _ job: JobDefinition, _ facts: JobFacts, _ context: HealthContext, _ remedy: String
  ) -> HealthProblem {
    let known = facts.firstRun.map { context.now - $0 } ?? 0
    let limit = context.limit(overdue)
    let status = limit.status(of: Double(known) / Double(context.periodSeconds(job)))
    return HealthProblem(
      status == .critical ? .critical : .warning, "job \"\(job.name)\" never ran", remedy: remedy)
  }

  private static func idle(_ job: JobDefinition, _ successes: [JobFacts.Success], _ remedy: String)
    -> HealthProblem?
  {
    guard case .retention = job.work, successes.count == 2, successes.allSatisfy({ $0.rows == 0 }),
      let backlog = successes[0].backlog, let before = successes[1].backlog, backlog > 0, backlog >= before
    else { return nil }
    return HealthProblem(
      .critical, "job \"\(job.name)\" deletes nothing while its backlog is \(backlog)",
      detail: "It was \(before) the time before.", remedy: remedy)
  }
}
