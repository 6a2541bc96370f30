import Postgres
import Timekeeping

/// Rows that should be gone.
enum RetentionBacklogCheck: HealthCheck {
  static let overdue = HealthThreshold(
    "retention-overdue", "how long the oldest row has been due to be deleted", .seconds, warning: 86_400,
    critical: 7 * 86_400)
  static let description = HealthCheckDescription(
    "retention-backlog",
    looksAt:
      "rows that jobs of kind retention should have deleted (counted up to 10000), and whether runs delete any",
    rights: "select on the tables; usage on the history's schema and select on its table job_runs",
    thresholds: [overdue])

  static let most: Int64 = 10_000

  struct Backlog: Sendable, Equatable {
    /// Older than what is kept and the warning's limit; one more than ``most`` where there are more.
    let rows: Int64
    let oldest: UTCTime?
  }

  struct Rule: Sendable, Equatable {
    let job: String
    let rule: RetentionRule
    let backlog: HealthReading<Backlog>
  }

  struct Facts: Sendable, Equatable {
    var rules: [Rule]
    var jobs: JobSight
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    var rules: [Rule] = []
    for job in context.jobs {
      guard case .retention(let list) = job.work else { continue }
      for rule in list {
        let backlog = try HealthReading<Backlog>(on: connection) { (connection) throws(PostgresError) in
          try read(rule, context, on: connection)
        }
        rules.append(Rule(job: job.name, rule: rule, backlog: backlog))
      }
    }
    return Facts(rules: rules, jobs: rules.isEmpty ? .noTable : try JobSight.look(context, on: connection))
  }

  private static func read(
    _ rule: RetentionRule, _ context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> HealthReading<Backlog> {
    let relation = HealthRelation(rule.table)
    switch try TableSight.look(relation, for: context, on: connection) {
    case .missing: return .missing
    case .hidden(let grants): return .hidden(grants: grants)
    case .readable: break
    }
    let column = Quoting.identifier(rule.column)
    let cutoff = context.now + -(rule.keep.wholeSeconds + Int64(grace(context)))
    // In the index's order, so that it ends where the count does.
    let result = try connection.query(
      """
      select count(*), floor(extract(epoch from min(r.at)::timestamptz))::bigint from (
        select t.\(column) as at from \(relation.quoted) as t
        where t.\(column) < '\(cutoff)'::timestamptz \(rule.condition.map { "and (\($0)\n)" } ?? "")
        order by t.\(column) limit \(most + 1)) as r
      """)
    return .read(
      Backlog(
        rows: Int64(result.text(0, 0)) ?? 0,
        oldest: result[0, 1].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }))
  }

  private static func grace(_ context: HealthContext) -> Double {
    let limit = context.limit(overdue)
    return min(limit.warning ?? limit.critical ?? 0, limit.critical ?? .infinity)
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    let limit = context.limit(overdue)
    var problems: [HealthProblem] = []
    var longest: Int64 = 0
    if case .hidden(let grants) = facts.jobs { problems.append(JobSight.hiddenProblem(grants, context)) }
    for rule in facts.rules {
      let subject = "table \(rule.rule.table)"
      if let problem = rule.backlog.problem(subject) { problems.append(problem) }
      guard case .read(let backlog) = rule.backlog, backlog.rows > 0, let oldest = backlog.oldest else {
        continue
      }
      let seconds = context.now - oldest - rule.rule.keep.wholeSeconds
      longest = max(longest, seconds)
      let rows =
        backlog.rows > most ? "more than \(most) rows" : HealthText.count(backlog.rows, "row", "rows")
      var (status, detail) = (
        limit.status(of: Double(seconds)),
        "The oldest is of \(oldest); \(HealthText.span(rule.rule.keep.wholeSeconds)) are kept."
      )
      if case .seen(let jobs) = facts.jobs, let last = jobs.successes[rule.job]?.first, last.rows == 0 {
        status = .critical
        detail += " The last run of \"\(rule.job)\" ended well and deleted nothing."
      }
      guard status != .ok else { continue }
      problems.append(
        HealthProblem(
          status, "\(rows) of \(subject) should have been deleted \(HealthText.span(seconds)) ago or less",
          detail: detail, remedy: "tsdb maintain \(rule.job)"))
    }
    return HealthFinding(
      name, problems: problems, several: "tables with rows that should be gone",
      fine: facts.rules.isEmpty ? "no retention is configured" : "no rows are overdue",
      performance: facts.rules.isEmpty ? [] : [limit.performance(Double(longest))])
  }
}
