import Postgres

/// The table `deployments` in the history's schema: a copy of the records, for others to read.
///
/// The files beside the project are what a run continues from; they survive a swap of databases.
public struct DeploymentTable: Sendable {
  public let schema: String
  /// Quoted and qualified.
  public var name: String { Quoting.identifier(schema, "deployments") }

  public init(schema: String) {
    self.schema = schema
  }

  public func exists(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query("select pg_catalog.to_regclass($1) is not null", [name]).isTrue(0, 0)
  }

  /// Makes the schema and the table where they are missing, and puts the record in its row's place.
  ///
  /// - Parameter detail: the record, as JSON.
  /// - Throws: also where the schema or the table belongs to a role that is not to be trusted.
  public func write(
    _ record: DeploymentRecord, detail: String, on connection: borrowing Connection
  ) throws(PostgresError) {
    try RecordsOwner.require(schema: schema, table: "deployments", on: connection)
    if try !exists(on: connection) {
      let hasSchema = try connection.query(
        "select pg_catalog.to_regnamespace($1) is not null", [Quoting.identifier(schema)]
      ).isTrue(0, 0)
      if !hasSchema { try connection.execute("create schema if not exists \(Quoting.identifier(schema))") }
      try connection.execute(definition)
    }
    _ = try connection.query(
      """
      insert into \(name) (id, started_at, ended_at, state, detail)
      values ($1, $2::timestamptz, $3::timestamptz, $4, $5::jsonb)
      on conflict (id) do update set ended_at = excluded.ended_at, state = excluded.state, detail = excluded.detail
      """, [record.id, record.started, record.ended, record.state.rawValue, detail])
  }

  private var definition: String {
    """
    create table if not exists \(name) (
      id text not null,
      started_at timestamptz not null,
      ended_at timestamptz,
      state text not null,
      detail jsonb not null,
      constraint deployments_pkey primary key (id),
      constraint deployments_state_check
        check (state in ('running', 'deployed', 'failed', 'rolling-back', 'rolled-back', 'abandoned'))
    );
    comment on table \(name) is
      'tsdb: every deployment and every rollback, step by step; a copy of the records beside the project'
    """
  }
}
