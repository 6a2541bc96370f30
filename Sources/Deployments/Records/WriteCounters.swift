import Postgres

/// How many rows of the application's tables were written since the server's statistics began.
///
/// What is known of it is rough: a backend reports its counts at its end or after a transaction, up to ten seconds late;
/// rows of transactions that were undone are counted, rows that TRUNCATE takes away are not.
/// Source: PostgreSQL manual, `pg_stat_all_tables` and "The Cumulative Statistics System".
public struct WriteCounters: Sendable, Codable, Equatable {
  public let inserted: Int64
  public let updated: Int64
  public let deleted: Int64
  /// How many tables were counted, and the highest of their object ids: with a table its counters go.
  let tables: Int64
  let lastTable: Int64
  /// Changes when the statistics begin anew, and with another database under the name.
  let era: String

  public init(inserted: Int64, updated: Int64, deleted: Int64, tables: Int64, lastTable: Int64, era: String) {
    self.inserted = inserted
    self.updated = updated
    self.deleted = deleted
    self.tables = tables
    self.lastTable = lastTable
    self.era = era
  }

  /// What was counted up to now in the database of the connection, and what has become of an earlier count.
  ///
  /// Tables of extensions, temporary tables and materialized views are nobody's writes.
  /// - Parameter schema: of the history's tables, which are left out.
  public init(
    on connection: borrowing Connection, excluding schema: String
  ) throws(PostgresError) {
    let counted = try connection.query(
      """
      \(Self.countedTables)
      select coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(oid)), 0)::bigint,
        coalesce(sum(pg_catalog.pg_stat_get_tuples_updated(oid)), 0)::bigint,
        coalesce(sum(pg_catalog.pg_stat_get_tuples_deleted(oid)), 0)::bigint,
        pg_catalog.count(*), coalesce(max(oid::bigint), 0),
        \(Self.era)
      from counted
      """, [schema])
    func number(_ column: Int) -> Int64 { counted[0, column].flatMap { Int64($0) } ?? 0 }
    self.init(
      inserted: number(0), updated: number(1), deleted: number(2), tables: number(3), lastTable: number(4),
      era: counted.text(0, 5))
  }

  /// Whether both were counted by the same statistics of the same database.
  public func isComparable(to other: WriteCounters) -> Bool { era == other.era }

  /// Whether tables that were counted are gone; `schema` as it was given before.
  public func hasLostTables(
    on connection: borrowing Connection, excluding schema: String
  ) throws(PostgresError) -> Bool {
    try connection.query(
      "\(Self.countedTables) select pg_catalog.count(*) < $2::bigint from counted where oid::bigint <= $3::bigint",
      [schema, String(tables), String(lastTable)]
    ).isTrue(0, 0)
  }

  private static let countedTables = """
    with counted as (
      select c.oid from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema', $1)
        and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_class'::regclass
          and d.objid = c.oid and d.deptype = 'e')
    )
    """

  /// A crash loses the counters of tables without a word in pg_stat_database; the archiver's begin anew with them.
  /// Source: src/backend/utils/activity/pgstat.c, `pgstat_reset_after_failure`.
  private static let era = """
    pg_catalog.concat_ws(' ',
      (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()),
      coalesce((select pg_catalog.date_part('epoch', s.stats_reset)::text from pg_catalog.pg_stat_database as s
        where s.datname = pg_catalog.current_database()), '-'),
      coalesce((select pg_catalog.date_part('epoch', a.stats_reset)::text from pg_catalog.pg_stat_archiver as a), '-'))
    """
}

/// Rows that were written between two counts.
public struct WrittenRows: Sendable, Encodable, Equatable {
  public let inserted: Int64
  public let updated: Int64
  public let deleted: Int64
  public let total: Int64

  /// nil where the two cannot be compared.
  public init?(from earlier: WriteCounters, to later: WriteCounters) {
    guard earlier.isComparable(to: later) else { return nil }
    inserted = later.inserted - earlier.inserted
    updated = later.updated - earlier.updated
    deleted = later.deleted - earlier.deleted
    total = inserted + updated + deleted
    guard inserted >= 0, updated >= 0, deleted >= 0 else { return nil }
  }
}
