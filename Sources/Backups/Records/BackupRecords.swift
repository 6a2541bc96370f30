import Archive
import Postgres

/// The table `backups` in the history's schema: what was taken of this database and how far it was checked, for
/// those who look from the database's side. The repository alone decides; a record that cannot be written is no
/// failure.
public struct BackupRecords: Sendable {
  /// Where a backup is.
  public struct Place: Sendable, Equatable {
    public let host: String
    /// Of the repository.
    public let path: String

    public init(host: String, path: String) {
      self.host = host
      self.path = path
    }
  }

  /// What came of writing a record.
  public enum Outcome: Sendable, Equatable {
    case recorded
    /// The connection is to another database than the backup's.
    case otherDatabase
    /// Why not, as a sentence without its full stop.
    case skipped(String)
  }

  private let schema: String
  private var table: String { Quoting.identifier(schema, "backups") }

  /// - Parameter schema: of the migrations' history; not made here.
  public init(schema: String) {
    self.schema = schema
  }

  /// Records a finished backup and what its proofs say of it, once however often it is called.
  ///
  /// Makes the table where it is missing. Waits at most three seconds for a lock, and holds ROW EXCLUSIVE
  /// on the table for a moment.
  public func record(_ entry: BackupEntry, at place: Place, on connection: borrowing Connection) -> Outcome {
    guard let manifest = entry.manifest, let digest = entry.manifestSHA256 else {
      return .skipped("the backup's manifest cannot be read")
    }
    let proofs = entry.proofs
    func time(_ kind: Proof.Kind) -> String? { proofs.last { $0.kind == kind }?.time }
    let proven = proofs.last { $0.kind == .proven }
    let values: [String?] = [
      manifest.id, manifest.server.database.name, manifest.label, manifest.started, manifest.finished,
      entry.state.name, String(manifest.totalSize), String(manifest.totalRows), manifest.tool, place.host,
      place.path, digest, time(.verified), time(.proven), proven.map { String($0.durationMilliseconds) },
    ]
    return write(on: connection) { connection throws(PostgresError) in
      guard try connection.query("select current_database()").text(0, 0) == manifest.server.database.name
      else {
        return .otherDatabase
      }
      try install(on: connection)
      _ = try connection.query(upsert, values)
      return .recorded
    }
  }

  /// Records that backups were removed from the repository.
  public func recordRemoval(ids: [String], on connection: borrowing Connection) -> Outcome {
    write(on: connection) { connection throws(PostgresError) in
      guard try exists(on: connection) else { return .recorded }
      _ = try connection.query(
        """
        update \(table) set state = 'removed', removed_at = clock_timestamp()
        where id = any ($1::text[]) and removed_at is null
        """, [Quoting.textArray(ids)])
      return .recorded
    }
  }

  private func write(
    on connection: borrowing Connection,
    _ body: (borrowing Connection) throws(PostgresError) -> Outcome
  ) -> Outcome {
    do {
      if try connection.query("select pg_is_in_recovery()").isTrue(0, 0) {
        return .skipped("the server is a standby, which cannot be written to")
      }
      if try !connection.query(
        "select to_regnamespace($1) is not null", [Quoting.identifier(schema)]
      ).isTrue(0, 0) {
        return .skipped("there is no schema \"\(schema)\"; \"tsdb migrate up\" makes it")
      }
      try RecordsOwner.require(schema: schema, table: "backups", on: connection)
      try connection.execute("set lock_timeout = '3s'; set statement_timeout = '10s'")
      return try body(connection)
    } catch {
      return .skipped(error.message)
    }
  }

  private func exists(on connection: borrowing Connection) throws(PostgresError) -> Bool {
    try connection.query("select to_regclass($1) is not null", [table]).isTrue(0, 0)
  }

  /// Asked first: CREATE TABLE IF NOT EXISTS wants the right to create even where there is nothing to do.
  private func install(on connection: borrowing Connection) throws(PostgresError) {
    if try exists(on: connection) { return }
    do {
      try connection.execute(definition)
    } catch {
      // Two that come first at the same time: one of them meets the other's row in the catalogue.
      guard try exists(on: connection) else { throw error }
    }
  }

  private var definition: String {
    """
    create table if not exists \(table) (
      id text not null,
      database text not null,
      label text,
      started_at timestamptz not null,
      finished_at timestamptz not null,
      state text not null,
      size_bytes bigint not null,
      row_count bigint not null,
      tool_version text not null,
      repository_host text not null,
      repository_path text not null,
      manifest_sha256 text not null,
      verified_at timestamptz,
      proven_at timestamptz,
      restore_ms bigint,
      removed_at timestamptz,
      recorded_by text not null default session_user,
      constraint backups_pkey primary key (id, manifest_sha256),
      constraint backups_state_check
        check (state in ('complete', 'verified', 'proven', 'damaged', 'removed'))
    );
    comment on table \(table) is
      'tsdb: backups of this database; the repository itself decides what there is and what it is worth';
    comment on column \(table).id is 'name of the backup in its repository';
    comment on column \(table).size_bytes is 'of the files';
    comment on column \(table).manifest_sha256 is 'the digest at the end of the backup''s manifest.json';
    comment on column \(table).verified_at is 'when every byte was last read and compared with the manifest';
    comment on column \(table).proven_at is
      'when the backup was last restored on a throwaway server, with equal contents';
    comment on column \(table).restore_ms is 'how long that restore took';
    """
  }

  private var upsert: String {
    """
    insert into \(table) as b (id, database, label, started_at, finished_at, state, size_bytes, row_count,
      tool_version, repository_host, repository_path, manifest_sha256, verified_at, proven_at, restore_ms)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    on conflict (id, manifest_sha256) do update set
      state = excluded.state, repository_host = excluded.repository_host,
      repository_path = excluded.repository_path,
      verified_at = coalesce(excluded.verified_at, b.verified_at),
      proven_at = coalesce(excluded.proven_at, b.proven_at),
      restore_ms = coalesce(excluded.restore_ms, b.restore_ms), removed_at = null
    """
  }
}
