import Checklists
import Maintenance
import Postgres
import Timekeeping

/// What the records of runs say of who started them.
private struct ScheduledRuns: Sendable {
  var count = 0
  var last: UTCTime?
  var trigger: String?

  /// Runs since a moment that no hand started, and that came to an end of their own.
  static func read(_ context: ProbeContext, since: UTCTime) async throws -> ScheduledRuns? {
    let table = Quoting.identifier(context.schema, "job_runs")
    return try await OperationProbes.read(context) { connection in
      guard try connection.query("select to_regclass($1) is not null", [table]).isTrue(0, 0) else {
        return nil
      }
      let result = try connection.query(
        """
        select count(*) over (), floor(extract(epoch from started_at))::bigint, triggered_by from \(table)
        where triggered_by <> 'hand' and outcome in ('ok', 'partial') and started_at > $1::timestamptz
        order by started_at desc limit 1
        """, [since.description])
      return ScheduledRuns(
        count: result.integer(0, 0) ?? 0,
        last: result[0, 1].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }, trigger: result[0, 2])
    }
  }
}

extension ProbeDefect {
  fileprivate static let runsByHand = ProbeDefect(
    "only a hand ever ran a job", sql: "update tsdb.job_runs set triggered_by = 'hand'")
  fileprivate static let noRuns = ProbeDefect("no job ever ran", sql: "delete from tsdb.job_runs")
  fileprivate static let noRecords = ProbeDefect(
    "no run was ever recorded", sql: "drop table tsdb.job_runs cascade")
  fileprivate static let oldRuns = ProbeDefect(
    "the last run is long ago",
    sql: """
      update tsdb.job_runs
      set started_at = started_at - interval '3 days', ended_at = ended_at - interval '3 days'
      """)
}

/// A scheduler really runs the maintenance.
struct MaintenanceConfiguredProbe: ProjectProbe {
  static let name = "maintenance.configured"
  static let summary = "a scheduler, not a hand, has lately run a job to its end"
  static let defects: [ProbeDefect] = [
    .runsByHand, .noRuns, .noRecords, .oldRuns,
    ProbeDefect("every run failed", sql: "update tsdb.job_runs set outcome = 'failed', reason = 'selftest'"),
  ]

  private let limit: Duration

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name, known: ["max"])
    limit = try OperationProbes.span(arguments, "max", default: .seconds(3 * 3600))
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    let asked = "the records of runs: jobs that a scheduler ran to their end within \(limit.spanText)"
    do {
      let enabled = access.project.configuration.maintenance.jobs.filter(\.isEnabled)
      guard !enabled.isEmpty else {
        return ProbeAnswer(
          .failed, asked: asked, observed: "no job is enabled", remedy: "see maintain.jobs in tsdb.yaml")
      }
      let runs = try await ScheduledRuns.read(context, since: .now + -limit.wholeSeconds)
      guard let runs, let last = runs.last, let trigger = runs.trigger else {
        return ProbeAnswer(
          .failed, asked: asked, observed: runs == nil ? "no run was ever recorded" : "there is none",
          remedy: "\(access.project.schedulingRemedy(access.settings)); tsdb maintain status")
      }
      return ProbeAnswer(
        .proved, asked: asked,
        observed:
          "\(counted(runs.count, "run")), the last by \(trigger) at \(last); \(counted(enabled.count, "job")) enabled"
      )
    } catch {
      return OperationProbes.unknown(error, asked: asked, context)
    }
  }
}

/// The maintenance does what it is for.
struct MaintenanceWorkingProbe: ProjectProbe {
  static let name = "maintenance.working"
  static let summary =
    "a scheduler ran jobs within a day, none is late or failing, nothing is kept past its time, the views are fresh"
  static let defects: [ProbeDefect] = [
    ProbeDefect(
      "a cache entry that expired long ago",
      sql: """
        insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
        values ('tsdb-selftest', '{}', now() - interval '3 days')
        """),
    ProbeDefect(
      "a limit's window that began long ago",
      sql: """
        insert into public.support_troubleshooting_rate_limits (identifier, limit_type, window_start)
        values ('tsdb-selftest', 'tsdb-selftest', now() - interval '30 days')
        """),
    ProbeDefect(
      "a job that fails",
      sql: """
        update tsdb.job_runs set outcome = 'failed', reason = 'selftest'
        where job = (select job from tsdb.job_runs order by id limit 1)
        """),
    .runsByHand, .noRuns, .noRecords, .oldRuns,
  ]
  private static let asked =
    "the records of runs; rows kept past their time in cache, rate limits and metrics; the age of the views"
  /// What the application's own rules keep, in hours, and the longest that a run may be late.
  private static let kept = [
    ("support_troubleshooting_cache", "expires_at", "2 hours"),
    ("support_troubleshooting_rate_limits", "window_start", "8 days"),
    ("support_troubleshooting_performance_metrics", "recorded_at", "91 days"),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try OperationProbes.check(arguments, of: Self.name)
  }

  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer {
    do {
      let runs = try await ScheduledRuns.read(context, since: .now + -86_400)
      guard let runs, let last = runs.last else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: "no scheduler ran a job to its end within a day",
          remedy: "\(access.project.schedulingRemedy(access.settings)); tsdb maintain status")
      }
      let (backlog, tables) = try await backlog(context)
      let report = await CheckOperation.these(["jobs", "retention-backlog", "stale-views"], access)
      let problems = report.findings.flatMap(\.problems)
      let bad = problems.filter { $0.status == .warning || $0.status == .critical }.map(\.summary) + backlog
      guard bad.isEmpty else {
        return ProbeAnswer(
          .failed, asked: Self.asked, observed: bad.prefix(10).joined(separator: "; "),
          remedy: "tsdb maintain; tsdb maintain status")
      }
      if let unseen = problems.first(where: { $0.status == .unknown }) {
        return ProbeAnswer(.unknown, asked: Self.asked, observed: unseen.summary, remedy: unseen.remedy)
      }
      return ProbeAnswer(
        .proved, asked: Self.asked,
        observed: "\(counted(runs.count, "run")) within a day, the last by \(runs.trigger ?? "") at \(last); "
          + "no job late or failing, nothing kept past its time in \(tables) tables, views fresh")
    } catch {
      return OperationProbes.unknown(error, asked: Self.asked, context)
    }
  }

  /// What is kept too long, and how many tables were looked at.
  private func backlog(_ context: ProbeContext) async throws -> ([String], Int) {
    try await OperationProbes.read(context) { connection in
      var faults: [String] = []
      var seen = 0
      for (table, column, limit) in Self.kept {
        let name = Quoting.identifier("public", table)
        guard try connection.query("select to_regclass($1) is not null", [name]).isTrue(0, 0) else {
          continue
        }
        seen += 1
        let rows = try connection.query(
          "select count(*) from \(name) where \(column) < now() - $1::interval", [limit]
        ).integer(0, 0)
        if let rows, rows > 0 { faults.append("\(rows) rows of \(table) older than \(limit)") }
      }
      return (faults, seen)
    }
  }
}

extension CheckOperation {
  /// The findings of some checks; what cannot be looked at is a finding.
  fileprivate static func these(_ names: [String], _ access: DatabaseAccess) async -> HealthReport {
    do {
      return try await CheckOperation(only: names).run(project: access.project, settings: access.settings)
    } catch {
      return unreachable(error)
    }
  }
}
