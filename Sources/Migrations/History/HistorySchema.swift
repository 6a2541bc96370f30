import Postgres

/// The private schema that holds the history of a database.
///
/// Every statement is safe to run again; `install` runs under the runner's lock.
public struct HistorySchema: Sendable, Equatable {
  /// What this build writes; a higher number in a database means a newer tsdb was here.
  static let version = 1

  public let name: String

  public init(name: String = "tsdb") {
    self.name = name
  }

  /// A table of the schema, quoted and qualified.
  func table(_ table: String) -> String { Quoting.identifier(name, table) }

  /// Whether the history exists; takes no lock and writes nothing.
  func exists(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    let sql = "select to_regclass(\(Quoting.literal(table("migrations")))) is not null"
    return try connection.query(sql).isTrue(0, 0)
  }

  /// The version of the history in the database.
  func installedVersion(on connection: borrowing Connection) throws(PostgresError) -> Int? {
    let sql = "select value from \(table("meta")) where key = 'history_version'"
    return try connection.query(sql).integer(0, 0)
  }

  /// Creates what is missing, in the caller's transaction or one of its own.
  func install(on connection: borrowing Connection) throws(PostgresError) {
    let isThere = try connection.query(
      "select to_regnamespace(\(Quoting.literal(Quoting.identifier(name)))) is not null"
    ).isTrue(0, 0)
    // CREATE SCHEMA IF NOT EXISTS asks for the right to create even where there is nothing to do.
    let schema = isThere ? "" : "create schema \(Quoting.identifier(name));\n"
    try connection.execute("set local client_min_messages = warning;\n" + schema + tables)
  }

  private var tables: String {
    """
    create table if not exists \(table("meta")) (
      key text not null,
      value text not null,
      constraint meta_pkey primary key (key)
    );
    create sequence if not exists \(table("migration_ordinal"));
    create table if not exists \(table("migrations")) (
      name text not null,
      version text,
      checksum text not null,
      token_checksum text not null,
      state text not null,
      repeatable boolean not null,
      transactional boolean not null,
      requires text[] not null,
      creates text[] not null,
      statement_count integer not null,
      applied_at timestamptz not null default clock_timestamp(),
      duration_ms bigint not null,
      applied_by text not null default session_user,
      tool_version text not null,
      fingerprint_before text,
      catalog_fingerprint text,
      ordinal bigint not null default nextval('\(table("migration_ordinal"))'),
      constraint migrations_pkey primary key (name),
      constraint migrations_state_check check (state in ('applied', 'running'))
    );
    comment on table \(table("migrations")) is
      'tsdb: one row per applied migration; a row in state running is an interrupted "transaction off" file';
    create table if not exists \(table("statements")) (
      migration text not null,
      ordinal integer not null,
      line integer not null,
      checksum text not null,
      state text not null,
      started_at timestamptz not null default clock_timestamp(),
      finished_at timestamptz,
      constraint statements_pkey primary key (migration, ordinal),
      constraint statements_migration_fkey foreign key (migration)
        references \(table("migrations")) (name) on delete cascade,
      constraint statements_state_check check (state in ('started', 'done'))
    );
    comment on table \(table("statements")) is
      'tsdb: journal of "transaction off" files, intent before and outcome after each statement';
    create table if not exists \(table("seeds")) (
      name text not null,
      checksum text not null,
      requires text[] not null,
      seeded_at timestamptz not null default clock_timestamp(),
      seeded_by text not null default session_user,
      row_count bigint not null,
      constraint seeds_pkey primary key (name)
    );
    create table if not exists \(table("catalog_objects")) (
      key text not null,
      kind text not null,
      identity text not null,
      definition text not null,
      constraint catalog_objects_pkey primary key (key)
    );
    comment on table \(table("catalog_objects")) is
      'tsdb: the schema objects as the migrations left them; "migrate verify" compares the live catalogue with it';
    create table if not exists \(table("migration_log")) (
      id bigint generated always as identity,
      at timestamptz not null default clock_timestamp(),
      action text not null,
      name text not null,
      checksum text,
      actor text not null default session_user,
      reason text,
      tool_version text not null,
      constraint migration_log_pkey primary key (id)
    );
    comment on table \(table("migration_log")) is
      'tsdb: everything that was applied, undone, accepted and seeded; rows are only added';
    insert into \(table("meta")) (key, value) values ('history_version', '\(Self.version)')
      on conflict (key) do nothing;
    """
  }
}
