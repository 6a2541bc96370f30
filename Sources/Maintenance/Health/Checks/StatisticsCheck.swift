import Postgres
import Timekeeping

/// Whether the counters of activity can be believed: a crash takes them all, and autovacuum then begins from zero.
enum StatisticsCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "statistics",
    looksAt: "since when activity is counted, and tables whose counters were lost in a crash or a reset")

  struct Facts: Sendable, Equatable {
    /// Seconds since counting began.
    let window: Int64
    let isReset: Bool
    /// With rows by an earlier VACUUM or ANALYZE, and no count of anything since.
    let lost: [String]
    let lostCount: Int64
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    let result = try connection.query(
      """
      select floor(extract(epoch from clock_timestamp() - greatest(d.stats_reset, pg_postmaster_start_time())))::bigint,
        d.stats_reset is not null
      from pg_stat_database as d where d.datname = current_database()
      """)
    let lost = try connection.query(
      """
      select format('%I.%I', s.schemaname, s.relname), count(*) over ()
      from pg_stat_user_tables as s join pg_class as c on c.oid = s.relid
      where c.reltuples > 0 and c.relkind in ('r', 'm') and s.n_tup_ins + s.n_tup_upd + s.n_tup_del = 0
        and s.n_live_tup = 0 and s.n_dead_tup = 0 and coalesce(s.last_vacuum, s.last_autovacuum, s.last_analyze,
          s.last_autoanalyze) is null
      order by c.relpages desc, 1 limit 5
      """)
    return Facts(
      window: Int64(result.text(0, 0)) ?? 0, isReset: result.isTrue(0, 1),
      lost: (0..<lost.rowCount).map { lost.text($0, 0) }, lostCount: Int64(lost.text(0, 1)) ?? 0)
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    let performance = [
      PerformanceData("statistics_window", Double(facts.window), unit: .seconds),
      PerformanceData("tables_without_counters", Double(facts.lostCount)),
    ]
    guard facts.lostCount > 0 else {
      return HealthFinding(
        name, .ok, "activity is counted for \(HealthText.span(facts.window))", performance: performance)
    }
    let more = facts.lostCount - Int64(facts.lost.count)
    return HealthFinding(
      name, .warning,
      "\(HealthText.count(facts.lostCount, "table has", "tables have")) rows and no counters of activity",
      detail:
        "They were lost in a crash, a reset or a copy, so autovacuum counts from zero and unused indexes cannot be told: "
        + facts.lost.joined(separator: ", ") + (more > 0 ? " and \(more) more." : "."),
      remedy: "vacuum (analyze);", performance: performance)
  }
}
