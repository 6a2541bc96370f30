import Postgres

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension RestoreServerFacts {
  /// Asks the server; changes nothing on it.
  ///
  /// - Parameter connection: to any database.
  public init(for needs: RestoreNeeds, on connection: borrowing Connection) throws(PostgresError) {
    versionNumber = connection.serverVersion
    let row = try connection.query(
      """
      select pg_catalog.pg_is_in_recovery(), pg_catalog.pg_backend_pid(), current_user, r.rolsuper,
        r.rolcreatedb, pg_catalog.pg_char_to_encoding($1),
        pg_catalog.current_setting('max_connections')::int
          - pg_catalog.current_setting('superuser_reserved_connections')::int
          - (select count(*) from pg_catalog.pg_stat_activity where backend_type = 'client backend'),
        exists (select from pg_catalog.pg_collation where collprovider = 'i')
      from pg_catalog.pg_roles r where r.rolname = current_user
      """, [needs.database.encoding])
    isInRecovery = row.isTrue(0, 0)
    isPooled = row.integer(0, 1) != connection.announcedProcessID
    role = row.text(0, 2)
    isSuperuser = row.isTrue(0, 3)
    canCreateDatabases = row.isTrue(0, 4)
    knowsEncoding = (row.integer(0, 5) ?? -1) >= 0
    // The own connection is counted, and stays.
    freeConnections = (row.integer(0, 6) ?? Int.max - 1) + 1
    hasICU = row.isTrue(0, 7)
    roles = try Self.names("select rolname from pg_catalog.pg_roles", on: connection)
    superusers = try Self.names("select rolname from pg_catalog.pg_roles where rolsuper", on: connection)
    memberships = try Self.names(
      "select rolname from pg_catalog.pg_roles where pg_catalog.pg_has_role(oid, 'MEMBER')", on: connection)
    databases = try Self.names("select datname from pg_catalog.pg_database", on: connection)
    tablespaces = try Self.names("select spcname from pg_catalog.pg_tablespace", on: connection)
    let available = try connection.query(
      "select name, default_version from pg_catalog.pg_available_extensions")
    for row in 0..<available.rowCount { extensions[available.text(row, 0)] = available.text(row, 1) }
    missingLocales = try Self.missingLocales(needs.database, on: connection)
    freeSpace = try Self.freeSpace(on: connection)
  }

  private static func names(
    _ query: String, on connection: borrowing Connection
  ) throws(PostgresError) -> Set<String> {
    let rows = try connection.query(query)
    return Set((0..<rows.rowCount).map { rows.text($0, 0) })
  }

  /// A setting of locale is checked by the server as CREATE DATABASE would check it, and without regard
  /// to the encoding of the database that the session is in.
  private static func missingLocales(
    _ database: RestoredDatabase, on connection: borrowing Connection
  ) throws(PostgresError) -> [String] {
    var missing: [String] = []
    for locale in Set([database.collate, database.ctype].compactMap { $0 }).sorted() {
      do {
        try connection.execute("set lc_monetary to \(Quoting.literal(locale)); reset lc_monetary")
      } catch  where error.sqlState == "22023" {
        missing.append(locale)
      }
    }
    return missing
  }

  /// Bytes free where the server keeps its data; known when it is on this machine and this process may see its
  /// directory.
  public static func freeSpace(on connection: borrowing Connection) throws(PostgresError) -> Int64? {
    let row = try connection.query(
      """
      select pg_catalog.inet_server_addr() is null, s.setting
      from (select) x left join pg_catalog.pg_settings s on s.name = 'data_directory'
      """)
    guard row.isTrue(0, 0), let directory = row[0, 1] else { return nil }
    var status = statvfs()
    guard statvfs(directory + "/base", &status) == 0 else { return nil }
    return Int64(status.f_bavail) * Int64(status.f_frsize)
  }
}
