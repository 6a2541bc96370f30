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
    _ catalogs: [String: ChangedCatalogs.Counts], preparedStatements: Set<String>,
    on connection: borrowing Connection
  ) throws(PostgresError) -> ChangedGroups {
    var changed = ChangedGroups()
    changed.hasUpdatedSchema = (catalogs["pg_namespace"]?.updated ?? 0) > 0
    let followed = Self.followed(catalogs)
    if followed.isEmpty { return changed }
    let parameter = "'{" + followed.joined(separator: ",") + "}'"
    let text = query.text([parameter], known: preparedStatements)
    try CatalogReader.run(text, on: connection) { result in
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

  /// Parameter `$1` names the catalogues to look through; the others' parts are not executed.
  private static let query = PreparedQuery(
    types: ["text[]"],
    query: """
      with horizon as materialized (select age(pg_current_xact_id()::xid) as age),
      changed (kind, id) as materialized (
        \(rows.map { catalog, query in "\(query) and '\(catalog)' = any ($1)" }.joined(separator: "\nunion\n"))
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
      """)

  /// The catalogues whose rows have to be looked through.
  private static func followed(_ catalogs: [String: ChangedCatalogs.Counts]) -> [String] {
    catalogs.filter { catalog, counts in
      switch catalog {
      // New columns: their relation is new as well, or its relnatts was updated.
      case "pg_attribute": counts.updated > 0
      // Never without a row of pg_attribute or pg_type.
      case "pg_attrdef", "pg_range": false
      default: true
      }
    }.keys.sorted()
  }
}
