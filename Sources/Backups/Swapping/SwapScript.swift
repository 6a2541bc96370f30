import Postgres

/// The statements of one swap.
struct SwapScript: Sendable {
  struct Database: Sendable {
    let name: String
    let oid: Int
  }

  let live: Database
  let new: Database
  /// The name under which the live database is kept.
  let kept: String
  /// The comment that says so.
  let mark: String
  /// What belongs to the name, and what the new database has instead.
  let wanted: NameProperties
  let present: NameProperties
  /// How long sessions may go on with their transactions.
  let grace: Duration

  /// Division by zero: the names did not belong to the databases that were looked at.
  static let guardState = "22012"

  /// Exists within the transaction only.
  private var passing: String { "tsdb_swap_\(new.oid)" }

  /// The whole transaction, to be sent at once: between its statements nobody waits for the client.
  ///
  /// The new database is locked and emptied first, which may take a while after a restore
  /// (autovacuum); only then are the sessions of the live one held back.
  ///
  /// The server itself would wait five seconds for sessions that do not go. That is long for those that
  /// are held back, so two seconds after the end of the grace period have to do. The commit, which may wait
  /// for a standby, has no limit.
  var text: String {
    (begin + [rename(new.name, to: passing)] + wanted.statements(for: passing, having: present) + [
      rename(live.name, to: kept),
      "comment on database \(Quoting.identifier(kept)) is \(Quoting.literal(mark))",
      """
      select 1 / (count(*) / 2) from pg_catalog.pg_database
      where (oid = \(live.oid) and datname = \(Quoting.literal(kept)))
        or (oid = \(new.oid) and datname = \(Quoting.literal(passing)))
      """,
      rename(passing, to: live.name), "set local statement_timeout = 0", "commit",
    ]).joined(separator: ";\n")
  }

  /// Tries out what a missing privilege could refuse, without touching the live database, and rolls back.
  var rehearsal: String {
    (begin + wanted.statements(for: new.name, having: present) + ["rollback"]).joined(separator: ";\n")
  }

  private var begin: [String] {
    [
      "begin transaction isolation level read committed read write", "set local lock_timeout = '3s'",
      "set local statement_timeout = \(Int64((grace + .seconds(2)) / .milliseconds(1)))",
    ]
  }

  /// Whether the transaction was committed.
  var isDoneQuery: String {
    """
    select count(*) = 2 from pg_catalog.pg_database
    where (oid = \(live.oid) and datname = \(Quoting.literal(kept)))
      or (oid = \(new.oid) and datname = \(Quoting.literal(live.name)))
    """
  }

  private func rename(_ name: String, to other: String) -> String {
    "alter database \(Quoting.identifier(name)) rename to \(Quoting.identifier(other))"
  }
}
