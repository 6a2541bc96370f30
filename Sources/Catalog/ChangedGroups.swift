import Postgres

/// The groups of which the open transaction has written rows.
///
/// A row belongs to the transaction when its `xmin` is not older than the transaction's id: ids of
/// subtransactions come later than that of their parent. Rows that others committed since are
/// included, which does no harm.
struct ChangedGroups {
  var groups: Set<CatalogGroup> = []
  /// Changed relations that views, functions or policies are built on, or whose row type is used.
  var relationsInUse: Set<UInt32> = []
  var hasUpdatedSchema = false
  /// Why reading the groups is not enough.
  var fullReadReason: String?

  static func read(
    _ catalogs: [String: ChangedCatalogs.Counts], on connection: borrowing Connection
  ) throws(PostgresError) -> ChangedGroups {
    var changed = ChangedGroups()
    changed.hasUpdatedSchema = (catalogs["pg_namespace"]?.updated ?? 0) > 0
    let queries = Self.queries(catalogs)
    if queries.isEmpty { return changed }
    try CatalogReader.run(text(queries), on: connection) { result in
      for row in 0..<result.rowCount {
        let id = UInt32(result.text(row, 1)) ?? 0
        switch result.text(row, 0) {
        case "system": changed.fullReadReason = "a system schema has a new object"
        case "base": changed.fullReadReason = "a base type was changed"
        case "comment": changed.fullReadReason = "a comment belongs to an object that is only read as a whole"
        case "used": changed.relationsInUse.insert(id)
        case let kind:
          if let kind = CatalogGroup.Kind(rawValue: kind) {
            changed.groups.insert(CatalogGroup(kind: kind, id: id))
          }
        }
      }
    }
    return changed
  }

  private static func text(_ queries: [String]) -> String {
    """
    with horizon as materialized (select age(pg_current_xact_id()::xid) as age),
    changed (kind, id) as materialized (
      \(queries.joined(separator: "\nunion\n"))
    )
    select kind, id from changed
    union all
    select 'used', c.oid
    from changed
    join pg_class as c on c.oid = changed.id
    where changed.kind = 'r' and (
      exists (select from pg_depend as d where d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
        and (d.classid in ('pg_proc'::regclass, 'pg_policy'::regclass) or (d.classid = 'pg_rewrite'::regclass
          and exists (select from pg_rewrite as r where r.oid = d.objid and r.ev_class <> c.oid))))
      or exists (select from pg_type as t join pg_depend as d on d.refobjid in (t.oid, t.typarray)
        where t.oid = c.reltype and d.refclassid = 'pg_type'::regclass and d.deptype <> 'i'))
    """
  }

  /// One select of group kinds and ids per changed catalogue.
  private static func queries(_ catalogs: [String: ChangedCatalogs.Counts]) -> [String] {
    var queries: [String] = []
    for (catalog, counts) in catalogs.sorted(by: { $0.key < $1.key }) {
      switch catalog {
      case "pg_attribute" where counts.updated == 0:
        // New columns: their relation is new as well, or its relnatts was updated.
        continue
      case "pg_attrdef", "pg_range":
        // Never without a row of pg_attribute or pg_type.
        continue
      default:
        queries += Self.followed[catalog] ?? []
      }
    }
    return queries
  }

  private static func new(_ row: String) -> String { "age(\(row).xmin) <= (select age from horizon)" }

  /// `relation` where it is a table or the like, its table where it is an index; nothing where TOAST.
  private static func owner(of relation: String) -> String {
    """
    (select case c.relkind when 'i' then i.indrelid when 'I' then i.indrelid when 't' then null else c.oid end
      from pg_class as c left join pg_index as i on i.indexrelid = c.oid where c.oid = \(relation))
    """
  }

  private static let isNoArray =
    "not exists (select from pg_type as e where e.oid = x.typelem and e.typarray = x.oid)"

  private static func relations(_ catalog: String, _ column: String) -> String {
    "select 'r', \(column) from \(catalog) as x where \(new("x"))"
  }

  private static let followed: [String: [String]] = [
    "pg_class": [
      """
      select 'r', case when x.relkind in ('i', 'I') then i.indrelid else x.oid end
      from pg_class as x left join pg_index as i on i.indexrelid = x.oid
      where \(new("x")) and x.relkind <> 't'
      """
    ],
    "pg_attribute": [
      "select 'r', \(owner(of: "x.attrelid")) from (select distinct attrelid from pg_attribute as a where \(new("a"))) as x"
    ],
    "pg_constraint": [
      """
      select case when x.conrelid <> 0 then 'r' else 't' end,
        case when x.conrelid <> 0 then x.conrelid else x.contypid end
      from pg_constraint as x where \(new("x"))
      """
    ],
    "pg_index": [relations("pg_index", "x.indrelid")],
    "pg_trigger": [relations("pg_trigger", "x.tgrelid")],
    "pg_rewrite": [relations("pg_rewrite", "x.ev_class")],
    "pg_policy": [relations("pg_policy", "x.polrelid")],
    "pg_sequence": [relations("pg_sequence", "x.seqrelid")],
    "pg_partitioned_table": [relations("pg_partitioned_table", "x.partrelid")],
    "pg_statistic_ext": [relations("pg_statistic_ext", "x.stxrelid")],
    "pg_inherits": ["select 'r', \(owner(of: "x.inhrelid")) from pg_inherits as x where \(new("x"))"],
    "pg_proc": [
      "select 'f', x.oid from pg_proc as x where \(new("x"))",
      """
      select 'system', 0 from pg_proc as x join pg_namespace as n on n.oid = x.pronamespace
      where \(new("x")) and n.nspname ~ '^pg_'
      """,
    ],
    "pg_aggregate": ["select 'f', x.aggfnoid::oid from pg_aggregate as x where \(new("x"))"],
    "pg_type": [
      // Row types come with their relation, array types with their element.
      "select 't', x.oid from pg_type as x where \(new("x")) and x.typrelid = 0 and \(isNoArray)",
      """
      select 'r', x.typrelid from pg_type as x join pg_class as c on c.oid = x.typrelid
      where \(new("x")) and c.relkind = 'c'
      """,
      "select 'base', 0 from pg_type as x where \(new("x")) and x.typtype = 'b' and \(isNoArray)",
    ],
    "pg_enum": ["select 't', x.enumtypid from pg_enum as x where \(new("x"))"],
    "pg_namespace": ["select 'n', x.oid from pg_namespace as x where \(new("x"))"],
    "pg_description": [
      """
      select case x.classoid when 'pg_class'::regclass then 'r' when 'pg_proc'::regclass then 'f'
          when 'pg_namespace'::regclass then 'n' else 'comment' end,
        case x.classoid when 'pg_class'::regclass then \(owner(of: "x.objoid")) else x.objoid end
      from pg_description as x
      where \(new("x")) and x.classoid not in ('pg_type'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass)
      """,
      """
      select case when t.typrelid <> 0 then 'r' else 't' end,
        case when t.typrelid <> 0 then t.typrelid else t.oid end
      from pg_description as x join pg_type as t on t.oid = x.objoid
      where \(new("x")) and x.classoid = 'pg_type'::regclass
      """,
      """
      select case when k.conrelid <> 0 then 'r' else 't' end,
        case when k.conrelid <> 0 then k.conrelid else k.contypid end
      from pg_description as x join pg_constraint as k on k.oid = x.objoid
      where \(new("x")) and x.classoid = 'pg_constraint'::regclass
      """,
      """
      select 'r', t.tgrelid from pg_description as x join pg_trigger as t on t.oid = x.objoid
      where \(new("x")) and x.classoid = 'pg_trigger'::regclass
      """,
    ],
  ]
}
