import Postgres

/// Materialized views that cannot be refreshed without shutting their readers out.
enum UnrefreshableViewsCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "unrefreshable-views",
    looksAt:
      "materialized views without a unique index that REFRESH … CONCURRENTLY can use; functions in them whose result changes"
  )

  struct View: Sendable, Equatable {
    let label: String
    let isRefreshable: Bool
    /// Unique indexes, and why each cannot be used.
    let refusals: [String]
    /// Such as `random()`.
    let changing: [String]
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [View] {
    // Source of the condition: is_usable_unique_index in matview.c. Functions of the server itself leave no trace in
    // pg_depend, so the text is searched for them; others are found there.
    let result = try connection.query(
      """
      select format('%I.%I', n.nspname, c.relname), coalesce(bool_or(i.usable), false),
        string_agg(quote_ident(i.relname) || ' ' || i.refusal, ', ' order by i.relname),
        (select string_agg(distinct f.name || '()', ', ') from (
          select m[1] as name from regexp_matches(pg_get_viewdef(c.oid),
            '\\m(random|clock_timestamp|timeofday|gen_random_uuid|nextval)\\(', 'g') as m
          union all
          select p.proname::text from pg_rewrite as w join pg_depend as d on d.classid = 'pg_rewrite'::regclass
            and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass
          join pg_proc as p on p.oid = d.refobjid
          where w.ev_class = c.oid and p.provolatile = 'v') as f)
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      left join lateral (
        select x.relname, i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null
            and i.indexprs is null as usable,
          case when not i.indisvalid then 'is invalid' when i.indpred is not null then 'is partial'
            when i.indexprs is not null then 'has an expression' when not i.indimmediate then 'is deferrable' end as refusal
        from pg_index as i join pg_class as x on x.oid = i.indexrelid
        where i.indrelid = c.oid and i.indisunique) as i on true
      where c.relkind = 'm' group by c.oid, n.nspname, c.relname order by 1
      """)
    return (0..<result.rowCount).map {
      View(
        label: result.text($0, 0), isRefreshable: result.isTrue($0, 1),
        refusals: result[$0, 2].map { [$0] } ?? [], changing: result[$0, 3].map { [$0] } ?? [])
    }
  }

  static func verdict(_ views: [View], _ context: HealthContext) -> HealthFinding {
    var problems: [HealthProblem] = []
    for view in views {
      if !view.isRefreshable {
        problems.append(
          HealthProblem(
            .warning, "view \(view.label) cannot be refreshed concurrently",
            detail: "It has no unique index of plain columns over all its rows"
              + (view.refusals.isEmpty ? "" : ": \(view.refusals.joined(separator: ", "))")
              + ". A plain refresh shuts its readers out.",
            remedy: "create unique index on \(view.label) (columns that tell its rows apart);"))
      }
      if !view.changing.isEmpty {
        problems.append(
          HealthProblem(
            .ok, "view \(view.label) calls \(view.changing.joined(separator: ", "))",
            detail: "If a column is made of it, every refresh rewrites every row."))
      }
    }
    return HealthFinding(
      name, problems: problems, several: "views that cannot be refreshed concurrently",
      fine: "every materialized view can be refreshed concurrently",
      performance: [PerformanceData("unrefreshable_views", Double(views.count { !$0.isRefreshable }))])
  }
}
