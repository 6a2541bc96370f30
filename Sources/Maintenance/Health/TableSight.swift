import Postgres

/// Whether the role may read a table.
enum TableSight: Sendable, Equatable {
  case missing
  /// With the statements that would let it.
  case hidden(grants: String)
  case readable

  /// Of a table by its names; asks the catalogue, which every role may read.
  static func look(
    _ schema: String, _ table: String, for context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> TableSight {
    let result = try connection.query(
      """
      select has_schema_privilege(n.oid, 'usage'), has_table_privilege(c.oid, 'select')
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
      """, [schema, table])
    guard result.rowCount > 0 else { return .missing }
    var grants: [String] = []
    if !result.isTrue(0, 0) {
      grants.append("grant usage on schema \(Quoting.identifier(schema)) to \(context.grantee);")
    }
    if !result.isTrue(0, 1) {
      grants.append("grant select on \(Quoting.identifier(schema, table)) to \(context.grantee);")
    }
    return grants.isEmpty ? .readable : .hidden(grants: grants.joined(separator: " "))
  }
}
