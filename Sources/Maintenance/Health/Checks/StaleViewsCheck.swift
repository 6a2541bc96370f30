import Postgres
import Timekeeping

/// Materialized views that show the past.
enum StaleViewsCheck: HealthCheck {
  static let age = HealthThreshold(
    "view-age", "periods of its job's schedule since a view was refreshed by tsdb", warning: 2, critical: 6)
  static let description = HealthCheckDescription(
    "stale-views", looksAt: "materialized views: populated, and refreshed by a job within its schedule",
    rights: "usage on the history's schema and select on its table job_runs", thresholds: [age])

  struct View: Sendable, Equatable {
    let schema: String
    let name: String
    /// Quoted where SQL needs it.
    let label: String
    let isPopulated: Bool
    /// By tsdb, as its records say.
    let refreshed: UTCTime?
  }

  struct Facts: Sendable, Equatable {
    var views: [View]
    /// nil where the records may be read or do not exist.
    var grants: String?
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    let sight = try TableSight.look(history: "job_runs", for: context, on: connection)
    let table = Quoting.identifier(context.schema, "job_runs")
    // The newest of each view; runs of the last weeks alone, as older ones are stale by any schedule.
    let refreshed =
      sight == .readable
      ? """
      select o ->> 'name' as label, max(r.ended_at) as at
      from \(table) as r cross join jsonb_array_elements(r.objects) as o
      where r.kind = 'refresh-views' and r.ended_at > clock_timestamp() - interval '60 days'
        and o ->> 'action' like 'refreshed%'
      group by 1
      """ : "select null::text as label, null::timestamptz as at"
    let result = try connection.query(
      """
      select n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relispopulated,
        floor(extract(epoch from r.at))::bigint
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      left join (\(refreshed)) as r on r.label = format('%I.%I', n.nspname, c.relname)
      where c.relkind = 'm' order by 1, 2
      """)
    var facts = Facts(
      views: (0..<result.rowCount).map {
        View(
          schema: result.text($0, 0), name: result.text($0, 1), label: result.text($0, 2),
          isPopulated: result.isTrue($0, 3),
          refreshed: result[$0, 4].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) })
      })
    if case .hidden(let grants) = sight { facts.grants = grants }
    return facts
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    let limit = context.limit(age)
    var problems: [HealthProblem] = []
    var oldest: Int64?
    if let grants = facts.grants, !facts.views.isEmpty {
      problems.append(JobSight.hiddenProblem(grants, context))
    }
    for view in facts.views {
      if !view.isPopulated {
        problems.append(
          HealthProblem(
            .critical, "view \(view.label) is not populated", detail: "Every query of it fails.",
            remedy: "refresh materialized view \(view.label);"))
        continue
      }
      guard facts.grants == nil else { continue }
      guard let (job, period) = job(of: view, context) else {
        problems.append(
          HealthProblem(
            .warning, "view \(view.label) is refreshed by no job",
            remedy: "select it in a job of kind refresh-views in tsdb.yaml"))
        continue
      }
      guard let refreshed = view.refreshed else {
        problems.append(
          HealthProblem(
            .warning, "view \(view.label) was never refreshed by tsdb", remedy: "tsdb maintain \(job.name)"))
        continue
      }
      let seconds = context.now - refreshed
      oldest = max(oldest ?? 0, seconds)
      let status = limit.status(of: Double(seconds) / Double(period))
      if status != .ok {
        problems.append(
          HealthProblem(
            status, "view \(view.label) is \(HealthText.span(seconds)) old",
            detail: "Last refreshed \(refreshed); due every \(HealthText.span(period)).",
            remedy: "tsdb maintain \(job.name)"))
      }
    }
    return HealthFinding(
      name, problems: problems, several: "stale views",
      fine: HealthText.count(Int64(facts.views.count), "materialized view", "materialized views")
        + ", none stale",
      performance: [
        PerformanceData("oldest_view", facts.grants == nil ? Double(oldest ?? 0) : nil, unit: .seconds)
      ])
  }

  /// The job that refreshes it most often.
  static func job(of view: View, _ context: HealthContext) -> (JobDefinition, Int64)? {
    context.jobs.filter { job in
      guard case .refreshViews(let selection) = job.work else { return false }
      return selection.selects(schema: view.schema, name: view.name)
    }.map { ($0, context.periodSeconds($0)) }.min { $0.1 < $1.1 }
  }
}
