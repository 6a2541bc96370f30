import Postgres

extension ChecklistServer {
  /// What the database says of itself, and the newest migration in it.
  ///
  /// - Parameter schema: of the history's tables.
  public init(on connection: borrowing Connection, schema: String) throws(PostgresError) {
    let facts = try connection.query(
      """
      select pg_catalog.current_setting('server_version'), pg_catalog.current_database(), current_user,
        pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
      """)
    let identifier =
      facts.isTrue(0, 3)
      ? try connection.query("select system_identifier from pg_catalog.pg_control_system()")[0, 0] : nil
    self.init(
      version: facts.text(0, 0), systemIdentifier: identifier, database: facts.text(0, 1),
      role: facts.text(0, 2))
    let readable = try connection.query(
      """
      select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')
      from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = 'migrations'
      """, [schema])
    guard readable.isTrue(0, 0) else { return }
    let head = try connection.query(
      """
      select name, checksum, pg_catalog.count(*) over () from \(Quoting.identifier(schema, "migrations"))
      where state = 'applied' order by ordinal desc limit 1
      """)
    (migrationHead, migrationChecksum) = (head[0, 0], head[0, 1])
    migrationsApplied = head.integer(0, 2) ?? 0
  }

  /// Bounds what a statement of the run may take. Behind a pooler it would stay set for others, and is left.
  public static func bound(_ connection: borrowing Connection) throws(PostgresError) {
    let own = try connection.query("select pg_catalog.pg_backend_pid()").integer(0, 0)
    guard own == connection.announcedProcessID else { return }
    try connection.execute("set statement_timeout = '5min'; set lock_timeout = '2s'")
  }
}
