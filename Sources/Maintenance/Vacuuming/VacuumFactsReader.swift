import Postgres

/// Reads what is known of tables and materialized views, from what every role may read; takes no lock on a
/// relation.
enum VacuumFactsReader {
  static func read(on connection: borrowing Connection) throws(PostgresError) -> [VacuumFacts] {
    let result = try connection.query(query(connection.serverVersion))
    return (0..<result.rowCount).map { row in
      func number(_ column: Int) -> Int64 { Int64(result.text(row, column)) ?? 0 }
      var facts = VacuumFacts(
        oid: UInt32(result.text(row, 0)) ?? 0, schema: result.text(row, 1), name: result.text(row, 2),
        label: result.text(row, 3), owner: result.text(row, 4), mayVacuum: result.isTrue(row, 5),
        isPartitioned: result.isTrue(row, 6))
      facts.liveRows = number(7)
      facts.deadRows = number(8)
      facts.changedSinceAnalyze = number(9)
      facts.insertedSinceVacuum = number(10)
      facts.secondsSinceVacuum = result[row, 11].flatMap { Int64($0) }
      facts.secondsSinceAnalyze = result[row, 12].flatMap { Int64($0) }
      facts.transactionAge = number(13)
      facts.multixactAge = number(14)
      return facts
    }
  }

  static func limits(on connection: borrowing Connection) throws(PostgresError) -> VacuumLimits {
    // Source: PostgreSQL manual, vacuum_freeze_table_age: VACUUM limits it to 95 % of autovacuum_freeze_max_age.
    let result = try connection.query(
      """
      select
        least(current_setting('vacuum_freeze_table_age')::bigint,
          current_setting('autovacuum_freeze_max_age')::bigint * 95 / 100),
        least(current_setting('vacuum_multixact_freeze_table_age')::bigint,
          current_setting('autovacuum_multixact_freeze_max_age')::bigint * 95 / 100),
        (select to_char(d.stats_reset at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
         from pg_catalog.pg_stat_database as d where d.datname = current_database())
      """)
    return VacuumLimits(
      transactionAge: Int64(result.text(0, 0)) ?? 150_000_000,
      multixactAge: Int64(result.text(0, 1)) ?? 150_000_000, statisticsReset: result[0, 2])
  }

  private static func query(_ serverVersion: Int) -> String {
    let granted =
      serverVersion >= 170_000 ? " or pg_catalog.has_table_privilege(c.oid, 'MAINTAIN')" : ""
    return """
      with recursive tree as (
        select i.inhparent as root, i.inhrelid as leaf
        from pg_catalog.pg_inherits as i
        join pg_catalog.pg_class as p on p.oid = i.inhparent and p.relkind = 'p'
        union
        select t.root, i.inhrelid from tree as t join pg_catalog.pg_inherits as i on i.inhparent = t.leaf
      ), below as (
        select t.root, sum(s.n_live_tup) as live, sum(s.n_mod_since_analyze) as changed
        from tree as t join pg_catalog.pg_stat_all_tables as s on s.relid = t.leaf
        group by t.root
      )
      select c.oid, n.nspname, c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),
        pg_catalog.pg_get_userbyid(c.relowner),
        pg_catalog.pg_has_role(c.relowner, 'USAGE') or pg_catalog.pg_has_role(d.datdba, 'USAGE')\(granted),
        c.relkind = 'p', coalesce(b.live, s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
        coalesce(b.changed, s.n_mod_since_analyze, 0), coalesce(s.n_ins_since_vacuum, 0),
        extract(epoch from clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::bigint,
        extract(epoch from clock_timestamp() - greatest(s.last_analyze, s.last_autoanalyze))::bigint,
        case when c.relkind = 'p' then 0
          else greatest(pg_catalog.age(c.relfrozenxid), pg_catalog.age(t.relfrozenxid)) end,
        case when c.relkind = 'p' then 0
          else greatest(pg_catalog.mxid_age(c.relminmxid), pg_catalog.mxid_age(t.relminmxid)) end
      from pg_catalog.pg_class as c
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      join pg_catalog.pg_database as d on d.datname = current_database()
      left join pg_catalog.pg_class as t on t.oid = c.reltoastrelid
      left join pg_catalog.pg_stat_all_tables as s on s.relid = c.oid
      left join below as b on b.root = c.oid
      where c.relkind in ('r', 'm', 'p') and c.relpersistence <> 't'
        and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
      order by n.nspname, c.relname
      """
  }
}
