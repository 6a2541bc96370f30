import Postgres
import Timekeeping

/// What the views show against what they would show now.
public struct MatviewFreshProbe: Probe {
  public static let name = "matview.fresh"
  public static let summary =
    "each materialized view is populated and holds what its definition yields now, or was refreshed by a recorded run within max"
  public static let defects = [
    ProbeDefect(
      "rows that came after the refresh",
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, detected_problem_id)
        values ('tsdb-selftest', 'selftest@example.invalid', '', 'tsdb_selftest')
        """),
    ProbeDefect("a view without data", sql: "refresh materialized view public.mv_top_problems with no data"),
    ProbeDefect("a view that is gone", sql: "drop materialized view public.mv_feedback_summary"),
    ProbeDefect(
      "a view that no run has refreshed of late",
      sql: """
        insert into public.support_troubleshooting_sessions
          (session_id, customer_email, problem_description, detected_problem_id)
        values ('tsdb-selftest', 'selftest@example.invalid', '', 'tsdb_selftest');
        do $$ begin
          if to_regclass('tsdb.job_runs') is not null then
            update tsdb.job_runs
            set started_at = started_at - interval '3 days', ended_at = ended_at - interval '3 days';
          end if;
        end $$
        """, arguments: ["max": "1h"]),
  ]

  /// How old the last recorded refresh of a view may be whose content has moved on.
  let maximum: Duration?
  /// Qualified names.
  let views: [String]

  public init(arguments: [String: String]) throws(ChecklistError) {
    let arguments = try ProbeArguments(arguments, of: Self.name, known: ["max", "views"])
    maximum = try arguments.span("max")
    views = try arguments.list("views") ?? SchemaCatalogue.views.map { "public.\($0.name)" }
  }

  /// A view as it was found.
  struct View: Sendable, Equatable {
    let name: String
    /// Rows that only one side has; nil where it is not populated.
    var difference: Int?
    var rows = 0
    /// By a recorded run.
    var age: Int64?
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "each view against a fresh run of its definition, both ways, in one snapshot"
        + (maximum.map { "; else its last recorded refresh, at most \($0.spanText) ago" } ?? ""), .frozen,
      needs: views.map { .select($0) })
    let (names, schema, isRecordWanted) = (views, context.schema, maximum != nil)
    return await question.answer(context.session) { connection in
      if let grants = try Self.grants(for: names, on: connection) {
        return question.unknown("the role may not read what the views are made of", remedy: grants)
      }
      if let owner = try Self.foreignOwner(of: names, on: connection) {
        return question.unknown(
          "a view belongs to the role \(owner), whose query is not run with a superuser's rights",
          remedy: "connect as \(owner), or as a role that is no superuser and may read what the view reads")
      }
      var found: [View] = []
      for name in names {
        guard let view = try Self.look(name, on: connection) else {
          return question.failed(
            "\(name) is no materialized view", remedy: "tsdb migrate up; tsdb migrate verify")
        }
        found.append(view)
      }
      if isRecordWanted, found.contains(where: { $0.difference.map { $0 > 0 } ?? false }) {
        if let grant = try Self.addAges(&found, schema: schema, on: connection) {
          return question.unknown("the records of refreshes are hidden from this role", remedy: grant)
        }
      }
      return verdict(found, question)
    }
  }

  /// What a role lacks that is to run the views' definitions; nil for nothing.
  private static func grants(for views: [String], on connection: borrowing Connection) throws -> String? {
    try connection.query(
      """
      select string_agg(distinct format('grant select on %s to %I', d.refobjid::regclass, current_user), '; ')
      from pg_rewrite as r join pg_depend as d
        on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
      where r.ev_class in (select to_regclass(v.name) from unnest($1::text[]) as v (name))
        and not has_table_privilege(d.refobjid, 'select')
      """, [Quoting.textArray(views)])[0, 0]
  }

  /// An owner whose functions would get a superuser's rights, as REFRESH, which changes to the owner, does not allow.
  private static func foreignOwner(of views: [String], on connection: borrowing Connection) throws -> String?
  {
    try connection.query(
      """
      select min(format('%I', o.rolname))
      from pg_class as c join pg_roles as o on o.oid = c.relowner
      where c.oid in (select to_regclass(v.name) from unnest($1::text[]) as v (name)) and not o.rolsuper
        and exists (select from pg_roles where rolname = current_user and rolsuper)
      """, [Quoting.textArray(views)])[0, 0]
  }

  private static func look(_ name: String, on connection: borrowing Connection) throws -> View? {
    let row = try connection.query(
      """
      select c.relispopulated, rtrim(pg_get_viewdef(c.oid), E'; \\n'), format('%I.%I', n.nspname, c.relname)
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where c.oid = to_regclass($1) and c.relkind = 'm'
      """, [name])
    guard row.rowCount == 1 else { return nil }
    var view = View(name: row.text(0, 2))
    guard row.isTrue(0, 0) else { return view }
    let counts = try connection.query(
      """
      with fresh as materialized (\(row.text(0, 1))), stored as materialized (select * from \(view.name))
      select (select count(*) from (select * from stored except all select * from fresh) as s)
          + (select count(*) from (select * from fresh except all select * from stored) as f),
        (select count(*) from stored)
      """)
    view.difference = counts.integer(0, 0)
    view.rows = counts.integer(0, 1) ?? 0
    return view
  }

  /// - Returns: the GRANT where the records may not be read.
  private static func addAges(
    _ views: inout [View], schema: String, on connection: borrowing Connection
  ) throws -> String? {
    let table = Quoting.identifier(schema, "job_runs")
    let sight = try connection.query(
      """
      select c.oid is not null,
        coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'), true),
        format('grant usage on schema %I to %I; grant select on %I.job_runs to %I', $1::text, current_user, $1::text,
          current_user)
      from pg_namespace as n left join pg_class as c on c.relnamespace = n.oid and c.relname = 'job_runs'
      where n.nspname = $1
      """, [schema])
    // No table: nothing was ever recorded.
    guard sight.isTrue(0, 0) else { return nil }
    guard sight.isTrue(0, 1) else { return sight.text(0, 2) }
    for place in views.indices {
      let age = try connection.query(
        """
        select floor(extract(epoch from clock_timestamp() - max(r.ended_at)))::bigint
        from \(table) as r cross join jsonb_array_elements(r.objects) as o
        where r.kind = 'refresh-views' and o ->> 'name' = $1 and o ->> 'action' like 'refreshed%'
        """, [views[place].name])
      views[place].age = age[0, 0].flatMap { Int64($0) }
    }
    return nil
  }

  func verdict(_ views: [View], _ question: ProbeQuestion) -> ProbeAnswer {
    let refresh = "tsdb maintain refresh-views"
    let empty = views.filter { $0.difference == nil }.map(\.name)
    guard empty.isEmpty, !views.isEmpty else {
      return question.failed("not populated: \(ProbeText.names(empty))", remedy: refresh)
    }
    let limit = maximum?.wholeSeconds
    let stale = views.filter { view in
      guard view.difference != 0 else { return false }
      guard let limit, let age = view.age else { return true }
      return age > limit
    }
    let texts = views.map { view in
      let rows = ProbeText.count(view.rows, "row")
      let difference = view.difference ?? 0
      guard difference != 0 else { return "\(view.name): \(rows), as a fresh run" }
      let age = view.age.map { "refreshed \(Duration.seconds($0).spanText) ago" } ?? "no refresh recorded"
      return "\(view.name): \(rows), \(ProbeText.count(difference, "difference"))"
        + (limit == nil ? "" : ", \(age)")
    }
    let observed = texts.joined(separator: "; ")
    return stale.isEmpty ? question.proved(observed) : question.failed(observed, remedy: refresh)
  }
}
