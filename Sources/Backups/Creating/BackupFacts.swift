import Archive
import Catalog
import Postgres

/// What the manifest says about the server and the database, read under the snapshot.
struct BackupFacts: Sendable {
  var server: BackupManifest.Server
  var migrations: BackupManifest.MigrationState?
  var catalogFingerprint: String
  /// What the fingerprint is of, so that a difference can be named.
  var catalog: CatalogList
  var extensions: [BackupManifest.Extension]
  var roles: [String]
  var tablespaces: [String]
  /// How many large objects there are.
  var largeObjects: Int

  /// Reads everything with names as UTF-8, and gives the connection back with its client encoding.
  static func read(
    on connection: borrowing Connection, encoding: String, historySchema: String
  ) throws(PostgresError) -> BackupFacts {
    let readable = encoding == "SQL_ASCII" ? encoding : "UTF8"
    try connection.setClientEncoding(readable)
    let catalog = try CatalogSnapshot.read(on: connection, excludingSchemas: [historySchema])
    let facts = BackupFacts(
      server: try server(on: connection), migrations: try migrations(in: historySchema, on: connection),
      catalogFingerprint: RestorableSchema.fingerprint(of: catalog), catalog: CatalogList(of: catalog),
      extensions: try extensions(on: connection),
      roles: try names(rolesQuery, on: connection), tablespaces: try names(tablespacesQuery, on: connection),
      largeObjects: try connection.query("select count(*) from pg_catalog.pg_largeobject_metadata")
        .integer(0, 0) ?? 0)
    try connection.setClientEncoding(encoding)
    return facts
  }

  /// Who owns something here, or is named in a privilege or a policy. The bootstrap superuser is not
  /// among them: it is pinned, and the archive's owners name it.
  private static let rolesQuery = """
    select distinct r.rolname from pg_catalog.pg_shdepend s
      join pg_catalog.pg_roles r on r.oid = s.refobjid
    where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      and s.dbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    order by 1
    """

  private static let tablespacesQuery = """
    select distinct t.spcname from pg_catalog.pg_class c
      join pg_catalog.pg_tablespace t on t.oid = c.reltablespace
    where t.spcname <> 'pg_global' order by 1
    """

  private static func names(
    _ query: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [String] {
    let result = try connection.query(query)
    return (0..<result.rowCount).map { result.text($0, 0) }
  }

  private static func extensions(
    on connection: borrowing Connection
  ) throws(PostgresError) -> [BackupManifest.Extension] {
    let result = try connection.query("select extname, extversion from pg_catalog.pg_extension order by 1")
    return (0..<result.rowCount).map {
      BackupManifest.Extension(name: result.text($0, 0), version: result.text($0, 1))
    }
  }

  private static func migrations(
    in schema: String, on connection: borrowing Connection
  ) throws(PostgresError) -> BackupManifest.MigrationState? {
    let table = Quoting.identifier(schema, "migrations")
    let exists = "select pg_catalog.to_regclass(\(Quoting.literal(table))) is not null"
    guard try connection.query(exists).isTrue(0, 0) else { return nil }
    let result = try connection.query(
      """
      select (select name from \(table) where state = 'applied' order by ordinal desc limit 1),
        count(*) from \(table) where state = 'applied'
      """)
    guard let head = result[0, 0] else { return nil }
    return BackupManifest.MigrationState(schema: schema, head: head, applied: result.integer(0, 1) ?? 0)
  }
}

extension BackupFacts {
  private static func server(
    on connection: borrowing Connection
  ) throws(PostgresError) -> BackupManifest.Server {
    let result = try connection.query(
      """
      select pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),
        pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
      """)
    let identifier =
      result.isTrue(0, 2)
      ? try connection.query("select system_identifier from pg_catalog.pg_control_system()")[0, 0] : nil
    return BackupManifest.Server(
      version: result.text(0, 0), versionNumber: connection.serverVersion, systemIdentifier: identifier,
      isStandby: result.isTrue(0, 1), database: try database(on: connection))
  }

  private static func database(
    on connection: borrowing Connection
  ) throws(PostgresError) -> BackupManifest.Database {
    let columns = localeColumns(serverVersion: connection.serverVersion)
    let result = try connection.query(
      """
      select d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
        d.datcollate, d.datctype, \(columns), t.spcname, d.datconnlimit,
        pg_catalog.shobj_description(d.oid, 'pg_database'), pg_catalog.pg_database_size(d.oid), d.datacl is null
      from pg_catalog.pg_database d join pg_catalog.pg_tablespace t on t.oid = d.dattablespace
      where d.datname = pg_catalog.current_database()
      """)
    let privileges = try names(
      "select a::text from pg_catalog.pg_database d, unnest(d.datacl) a where d.datname = pg_catalog.current_database()",
      on: connection)
    let (settings, roleSettings) = try settings(on: connection)
    return BackupManifest.Database(
      name: result.text(0, 0), owner: result.text(0, 1), encoding: result.text(0, 2),
      collate: result.text(0, 3), ctype: result.text(0, 4), localeProvider: result.text(0, 5),
      locale: result[0, 6], icuRules: result[0, 7], tablespace: result.text(0, 8),
      connectionLimit: result.integer(0, 9) ?? -1, comment: result[0, 10],
      privileges: result.isTrue(0, 12) ? nil : privileges, settings: settings, roleSettings: roleSettings,
      size: Int64(result.integer(0, 11) ?? 0))
  }

  /// Provider, locale and rules: libc alone until 14, ICU from 15, builtin from 17.
  private static func localeColumns(serverVersion: Int) -> String {
    let provider =
      "case d.datlocprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end"
    return switch serverVersion {
    case ..<150_000: "'libc', null, null"
    case ..<160_000: "\(provider), d.daticulocale, null"
    case ..<170_000: "\(provider), d.daticulocale, d.daticurules"
    default: "\(provider), d.datlocale, d.daticurules"
    }
  }

  /// What `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET` set; values whose names speak of
  /// secrets are left out.
  private static func settings(
    on connection: borrowing Connection
  ) throws(PostgresError) -> (database: [String], roles: [String: [String]]) {
    let result = try connection.query(
      """
      select r.rolname, u.setting from pg_catalog.pg_db_role_setting s
        left join pg_catalog.pg_roles r on r.oid = s.setrole, unnest(s.setconfig) u(setting)
      where s.setdatabase = (select oid from pg_catalog.pg_database
        where datname = pg_catalog.current_database())
      order by 1 nulls first, 2
      """)
    var database: [String] = []
    var roles: [String: [String]] = [:]
    for row in 0..<result.rowCount where !SecretNames.isSecret(result.text(row, 1)) {
      if let role = result[row, 0] {
        roles[role, default: []].append(result.text(row, 1))
      } else {
        database.append(result.text(row, 1))
      }
    }
    return (database, roles)
  }
}

/// Which settings are kept out of what a backup writes in clear text.
enum SecretNames {
  private static let words = [
    "password", "passwd", "secret", "token", "credential", "private_key", "api_key",
  ]
  /// Settings of the server that may hold a secret inside.
  private static let commands = [
    "primary_conninfo", "ssl_passphrase_command", "archive_command", "restore_command",
    "archive_cleanup_command", "recovery_end_command",
  ]

  /// Whether a setting, a name or `name=value`, may hold a secret.
  static func isSecret(_ setting: String) -> Bool {
    let name = (setting.split(separator: "=", maxSplits: 1).first.map(String.init) ?? setting).lowercased()
    return commands.contains(name) || words.contains { name.contains($0) }
      || holdsPassword(setting.dropFirst(name.count))
  }

  /// Whether a value looks like a connection string with a password.
  private static func holdsPassword(_ value: Substring) -> Bool {
    if value.lowercased().contains("password=") { return true }
    guard let scheme = value.firstRange(of: "://") else { return false }
    let authority = value[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
    guard let at = authority.lastIndex(of: "@") else { return false }
    return authority[..<at].contains(":")
  }
}
