import Postgres

/// Reads what is known of materialized views, from catalogues that every role may read; takes no lock on a view.
enum MaterializedViewReader {
  /// All of the database; those that `selection` means and the role may refresh come with indexes, what they read
  /// and what changes in them.
  static func read(
    _ selection: RelationSelection, on connection: borrowing Connection
  ) throws(PostgresError) -> [MaterializedView] {
    var views = try facts(on: connection)
    let details = views.indices.filter { index in
      let view = views[index]
      return view.mayRefresh && selection.selects(schema: view.schema, name: view.name)
    }
    guard !details.isEmpty else { return views }
    let oids = "{" + details.map { "\(views[$0].oid)" }.joined(separator: ",") + "}"
    let indexes = try indexes(of: oids, on: connection)
    let reads = try readViews(of: oids, on: connection)
    let functions = try changingFunctions(of: oids, on: connection)
    for index in details {
      let oid = views[index].oid
      views[index].indexes = indexes[oid] ?? []
      views[index].reads = reads[oid] ?? []
      views[index].changingFunctions = (functions[oid] ?? []).sorted()
    }
    return views
  }

  private static func facts(on connection: borrowing Connection) throws(PostgresError) -> [MaterializedView] {
    // From 17 the owner's right is MAINTAIN as well, and may be given to others.
    let mayRefresh =
      connection.serverVersion >= 170_000
      ? "pg_catalog.has_table_privilege(c.oid, 'MAINTAIN')" : "pg_catalog.pg_has_role(c.relowner, 'USAGE')"
    let result = try connection.query(
      """
      select c.oid, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
        pg_catalog.pg_get_userbyid(c.relowner), \(mayRefresh), c.relispopulated, c.reltuples::bigint,
        coalesce(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0)
      from pg_catalog.pg_class as c
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where c.relkind = 'm'
      order by n.nspname, c.relname
      """)
    return (0..<result.rowCount).map { row in
      MaterializedView(
        oid: UInt32(result.text(row, 0)) ?? 0, schema: result.text(row, 1), name: result.text(row, 2),
        label: result.text(row, 3), owner: result.text(row, 4), mayRefresh: result.isTrue(row, 5),
        isPopulated: result.isTrue(row, 6),
        estimatedRows: Int64(result.text(row, 7)).flatMap { $0 < 0 ? nil : $0 },
        deadRows: Int64(result.text(row, 8)) ?? 0)
    }
  }

  private static func indexes(
    of oids: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [UInt32: [MaterializedView.Index]] {
    let result = try connection.query(
      """
      select i.indrelid, c.relname, i.indisunique, i.indisvalid, i.indpred is not null, i.indexprs is not null,
        i.indimmediate
      from pg_catalog.pg_index as i
      join pg_catalog.pg_class as c on c.oid = i.indexrelid
      where i.indrelid = any ($1::pg_catalog.oid[])
      order by c.relname
      """, [oids])
    var indexes: [UInt32: [MaterializedView.Index]] = [:]
    for row in 0..<result.rowCount {
      var index = MaterializedView.Index(name: result.text(row, 1))
      index.isUnique = result.isTrue(row, 2)
      index.isValid = result.isTrue(row, 3)
      index.isPartial = result.isTrue(row, 4)
      index.hasExpressions = result.isTrue(row, 5)
      index.isImmediate = result.isTrue(row, 6)
      indexes[UInt32(result.text(row, 0)) ?? 0, default: []].append(index)
    }
    return indexes
  }

  /// Directly or through others. The rule of a view names the view itself as well, which is no reading.
  /// What functions read is not recorded by the server and so not followed.
  private static func readViews(
    of oids: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [UInt32: Set<UInt32>] {
    let result = try connection.query(
      """
      with recursive edge as (
        select distinct r.ev_class as reader, d.refobjid as source
        from pg_catalog.pg_rewrite as r
        join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid
          and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype = 'n'
        join pg_catalog.pg_class as s on s.oid = d.refobjid and s.relkind in ('m', 'v')
        where d.refobjid <> r.ev_class
      ), reach as (
        select e.reader as root, e.source from edge as e where e.reader = any ($1::pg_catalog.oid[])
        union
        select r.root, e.source from reach as r join edge as e on e.reader = r.source
      )
      select r.root, r.source
      from reach as r
      join pg_catalog.pg_class as s on s.oid = r.source and s.relkind = 'm'
      """, [oids])
    var reads: [UInt32: Set<UInt32>] = [:]
    for row in 0..<result.rowCount {
      reads[UInt32(result.text(row, 0)) ?? 0, default: []].insert(UInt32(result.text(row, 1)) ?? 0)
    }
    return reads
  }

  /// Built-in functions are in no dependency, so the stored query itself is read.
  private static func changingFunctions(
    of oids: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [UInt32: Set<String>] {
    let rules = try connection.query(
      """
      select r.ev_class, r.ev_action::text from pg_catalog.pg_rewrite as r
      where r.ev_class = any ($1::pg_catalog.oid[]) and r.rulename = '_RETURN'
      """, [oids])
    var called: [UInt32: Set<UInt32>] = [:]
    var names: [UInt32: Set<String>] = [:]
    for row in 0..<rules.rowCount {
      let view = UInt32(rules.text(row, 0)) ?? 0
      let rule = RuleText(rules.text(row, 1))
      called[view] = rule.columnFunctions
      if rule.hasTimeKeyword { names[view] = ["current_timestamp"] }
    }
    let all = Set(called.values.joined())
    let functions = try connection.query(
      """
      select p.oid, p.proname from pg_catalog.pg_proc as p
      where p.oid = any ($1::pg_catalog.oid[])
        and (p.provolatile = 'v'
          or p.pronamespace = 'pg_catalog'::regnamespace
            and p.proname in ('now', 'transaction_timestamp', 'statement_timestamp'))
      """, ["{" + all.map { "\($0)" }.joined(separator: ",") + "}"])
    for row in 0..<functions.rowCount {
      let function = UInt32(functions.text(row, 0)) ?? 0
      for (view, calls) in called where calls.contains(function) {
        names[view, default: []].insert(functions.text(row, 1))
      }
    }
    return names
  }
}
