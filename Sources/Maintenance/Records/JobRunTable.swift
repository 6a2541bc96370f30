import Postgres
import Timekeeping

/// The table `job_runs` in the history's schema.
public struct JobRunTable: Sendable {
  public let schema: String
  /// Quoted and qualified.
  public var name: String { Quoting.identifier(schema, "job_runs") }

  public init(schema: String) {
    self.schema = schema
  }

  public func exists(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query("select to_regclass($1) is not null", [name]).isTrue(0, 0)
  }

  /// Makes the schema and the table where they are missing.
  ///
  /// Asked first: CREATE … IF NOT EXISTS wants the right to create even where there is nothing to do.
  /// - Throws: ``MaintenanceError`` for a table or a schema of a role that is not to be trusted, with the GRANT that is
  ///   needed, and where no job could run on this session: behind a
  ///   pooler, on a standby. Nothing is made then.
  public func install(on connection: borrowing Connection) throws {
    if try isUsable(on: connection) { return }
    _ = try MaintenanceSession.require(connection)
    do {
      let hasSchema = try connection.query(
        "select to_regnamespace($1) is not null", [Quoting.identifier(schema)]
      ).isTrue(0, 0)
      let create = hasSchema ? "" : "create schema if not exists \(Quoting.identifier(schema));\n"
      try connection.execute("set client_min_messages = warning; " + create + definition)
    } catch {
      // Two that come first at the same time: one of them meets the other's row in the catalogue.
      if try exists(on: connection) { return }
      guard error.isInsufficientPrivilege else { throw error }
      let role = try connection.query("select current_user, current_database()")
      throw MaintenanceError(
        .failed, "the table \(name), which records every run, cannot be made: \(error.message)",
        detail: "Nothing was run.",
        hint: "grant create on database \(Quoting.identifier(role.text(0, 1))) to "
          + "\(Quoting.identifier(role.text(0, 0))), or on the schema \"\(schema)\" where it exists",
        sqlState: error.sqlState)
    }
  }

  /// Whether the table is there, in one round trip.
  ///
  /// - Throws: ``MaintenanceError`` where the table or its schema belongs to a role that is not to be trusted.
  @discardableResult
  func isUsable(on connection: borrowing Connection) throws -> Bool {
    let (schema, table) = (schema, "job_runs")
    var (refusal, exists): (PostgresError?, Bool) = (nil, false)
    try connection.executeEach(
      RecordsOwner.query(schema: schema, table: table)
        + "; select pg_catalog.to_regclass(\(Quoting.literal(name))) is not null"
    ) { index, result in
      if index == 0 {
        refusal = RecordsOwner.refusal(result, schema: schema, table: table)
      } else {
        exists = result.isTrue(0, 0)
      }
    }
    guard let refusal else { return exists }
    throw MaintenanceError(
      .failed, refusal.message, detail: refusal.detail, hint: refusal.hint, sqlState: refusal.sqlState)
  }

  private var definition: String {
    """
    create table if not exists \(name) (
      id bigint generated always as identity,
      job text not null,
      kind text not null,
      slot timestamptz,
      started_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz,
      outcome text not null,
      reason text,
      hint text,
      sqlstate text,
      row_count bigint not null default 0,
      byte_count bigint not null default 0,
      waits integer not null default 0,
      yields integer not null default 0,
      backlog bigint,
      objects jsonb not null default '[]',
      triggered_by text not null,
      host text,
      process_id integer,
      run_by text not null default session_user,
      tool_version text not null,
      constraint job_runs_pkey primary key (id),
      constraint job_runs_outcome_check
        check (outcome in ('running', 'ok', 'partial', 'skipped', 'failed')),
      constraint job_runs_end_check check ((outcome = 'running') = (ended_at is null))
    );
    create index if not exists job_runs_job_idx on \(name) (job, id desc);
    comment on table \(name) is
      'tsdb: every run of a maintenance job and how it ended; a row in outcome running without a process is healed by the next run';
    comment on column \(name).slot is 'the moment of the schedule that the run was for; null when asked for by name';
    comment on column \(name).row_count is 'rows deleted, moved or read, as the kind of job counts';
    comment on column \(name).waits is 'locks waited for in vain, and closed gates';
    comment on column \(name).yields is 'how often work was given up for a session that waited behind it';
    comment on column \(name).backlog is 'rows or relations left when the run ended';
    comment on column \(name).triggered_by is 'cron, systemd, hand, or what TSDB_TRIGGER said';
    """
  }
}

/// Who a run is recorded for.
public struct JobCaller: Sendable, Equatable {
  /// `cron`, `systemd` or `hand`.
  public let trigger: String
  public let host: String
  public let processID: Int
  /// Such as `0.1.0`.
  public let toolVersion: String

  public init(trigger: String, host: String, processID: Int, toolVersion: String) {
    self.trigger = trigger
    self.host = host
    self.processID = processID
    self.toolVersion = toolVersion
  }
}
