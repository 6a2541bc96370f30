import Postgres

/// Whether the application has let go of the database.
public struct RollbackStoppedProbe: Probe {
  public static let name = "rollback.stopped"
  public static let summary =
    "no session but tsdb's own is left in this database, and no prepared transaction"
  public static let isProvedByEmptyDatabase = true
  public static let defects = [
    ProbeDefect("a session of the application", sql: "set application_name = 'application'")
  ]

  public init(arguments: [String: String]) throws(ChecklistError) {
    _ = try ProbeArguments(arguments, of: Self.name)
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "pg_stat_activity and pg_prepared_xacts of this database, without tsdb's own sessions")
    return await question.answer(context.session) { connection in
      let row = try connection.query(
        """
        select count(*) filter (where a.backend_type = 'client backend' and not a.is_own),
          count(*) filter (where a.backend_type is null and not a.is_own),
          count(*) filter (where a.is_own),
          (select count(*) from pg_prepared_xacts where database = current_database()),
          format('grant pg_read_all_stats to %I', current_user)
        from (
          select backend_type, pid = pg_backend_pid() or application_name = $1 or starts_with(application_name, $1 || ' ') as is_own
          from pg_stat_activity where datname = current_database()
        ) as a
        """, [ConnectionProbes.applicationPrefix])
      guard let others = row.integer(0, 0), let hidden = row.integer(0, 1), let own = row.integer(0, 2),
        own > 0,
        let prepared = row.integer(0, 3)
      else { return question.unknown("the activity view does not show even this session") }
      guard others == 0, prepared == 0 else {
        return question.failed(
          "\(ProbeText.count(others, "session")) of others and \(ProbeText.count(prepared, "prepared transaction"))",
          remedy: others > 0
            ? "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
              + "and backend_type = 'client backend' and application_name !~ '^tsdb( |$)'"
            : "select gid, prepared, owner from pg_prepared_xacts where database = current_database()")
      }
      guard hidden == 0 else {
        return question.unknown(
          "\(ProbeText.count(hidden, "session")) of other roles, whose kind is hidden from this role",
          remedy: row.text(0, 4))
      }
      return question.proved("no session of others, no prepared transaction; \(own) of tsdb's own")
    }
  }
}
