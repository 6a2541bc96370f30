import Deployments
import Postgres

/// What a deployment and its way back need to know of the database.
public struct DeploymentFacts: Sendable, Equatable {
  public let database: String
  /// pg_control_system's; nil where the role may not see it.
  public let systemIdentifier: String?
  /// The last applied migration; nil where none is, or the history cannot be read.
  public let migrationHead: String?
  /// Whether there is a history that can be read.
  public let hasHistory: Bool
  /// How many migrations are applied.
  public let migrationsApplied: Int

  /// - Parameter schema: of the history's tables.
  public init(on connection: borrowing Connection, schema: String) throws(PostgresError) {
    let facts = try connection.query(
      """
      select pg_catalog.current_database(),
        pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
      """)
    database = facts.text(0, 0)
    systemIdentifier =
      facts.isTrue(0, 1)
      ? try connection.query("select system_identifier from pg_catalog.pg_control_system()")[0, 0] : nil
    let readable = try connection.query(
      """
      select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')
      from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = 'migrations'
      """, [schema])
    guard readable.isTrue(0, 0) else {
      (migrationHead, migrationsApplied, hasHistory) = (nil, 0, false)
      return
    }
    let head = try connection.query(
      """
      select name, pg_catalog.count(*) over () from \(Quoting.identifier(schema, "migrations"))
      where state = 'applied' order by ordinal desc limit 1
      """)
    hasHistory = true
    migrationHead = head.rowCount > 0 ? head.text(0, 0) : nil
    migrationsApplied = head.rowCount > 0 ? head.integer(0, 1) ?? 0 : 0
  }

  /// Reads them on a connection of its own.
  public static func read(_ access: DatabaseAccess) async throws -> DeploymentFacts {
    let schema = access.project.configuration.historySchema
    let session = Session(access.settings, applicationName: "tsdb deploy")
    do {
      let facts = try await session.run { try DeploymentFacts(on: $0, schema: schema) }
      await session.close()
      return facts
    } catch let error as PostgresError {
      await session.close()
      throw DeploymentError.running(error)
    }
  }
}
