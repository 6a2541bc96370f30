/// Whoever owns a table of records, or its schema, decides what runs when a row is written to it, and what is read in its
/// place: triggers, defaults, views. All of it runs with the rights of the session.
public enum RecordsOwner {
  /// Refuses a table, and a schema that the table would be made in, of a role that the session has no reason to trust.
  ///
  /// Trusted are the session's own role and those that it is a member of, superusers, and the database's owner. One round
  /// trip; takes no locks.
  /// - Throws: `PostgresError` with SQLSTATE 55000, the owner's name and the statement that mends it.
  public static func require(
    schema: String, table: String, on connection: borrowing Connection
  ) throws(PostgresError) {
    let result = try connection.query(query(schema: schema, table: table))
    if let refusal = refusal(result, schema: schema, table: table) { throw refusal }
  }

  /// What asks for owners who are not trusted, for a string of several statements of which it is the last.
  public static func query(schema: String, table: String) -> String {
    """
    select w.is_table, pg_catalog.quote_ident(o.rolname), pg_catalog.quote_ident(current_user)
    from (
      select false, n.nspowner from pg_catalog.pg_namespace as n where n.nspname = \(Quoting.literal(schema))
      union all
      select true, c.relowner from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = \(Quoting.literal(schema)) and c.relname = \(Quoting.literal(table))
    ) as w (is_table, owner)
    join pg_catalog.pg_roles as o on o.oid = w.owner
    where not o.rolsuper and o.rolname <> current_user and o.rolname <> session_user
      and o.rolname <> 'pg_database_owner'
      and o.oid <> (select d.datdba from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
      and (not pg_catalog.pg_has_role(o.oid, 'MEMBER')
        or exists (select from pg_catalog.pg_roles as s where s.rolname in (current_user, session_user) and s.rolsuper))
    order by 1
    """
  }

  /// The refusal that a result of ``query(schema:table:)`` stands for; nil where nothing is to be refused.
  public static func refusal(
    _ result: borrowing QueryResult, schema: String, table: String
  ) -> PostgresError? {
    guard result.rowCount > 0 else { return nil }
    let isTable = result.isTrue(0, 0)
    let name = isTable ? Quoting.identifier(schema, table) : Quoting.identifier(schema)
    let what = isTable ? "table" : "schema"
    return PostgresError(
      origin: .server, sqlState: "55000",
      message: "the \(what) \(name) belongs to \(result.text(0, 1)), whom this role has no reason to trust",
      detail:
        "What its owner has put on it would run with this role's rights. Nothing was read or written there.",
      hint:
        "connect as \(result.text(0, 1)), or look at what is there and then: alter \(what) \(name) owner to \(result.text(0, 2))"
    )
  }
}
