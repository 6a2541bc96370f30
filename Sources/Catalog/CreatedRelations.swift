import Postgres

/// The relations that the open transaction has created, found by its locks.
///
/// Whoever creates or alters a relation holds a strong lock on it until the transaction ends, and the
/// lock table does not grow with the catalogue, as looking for new rows does. It does not show what
/// takes no lock on a relation (GRANT, functions, types), so it is only asked about statements that do
/// nothing but create relations.
/// Source: PostgreSQL manual, "Explicit Locking".
struct CreatedRelations {
  let groups: Set<CatalogGroup>
  let preparedStatements: Set<String>

  /// Nil where the locks do not tell all: a relation was there before, nothing is locked, or event
  /// triggers may have done more.
  static func read(on connection: borrowing Connection) throws(PostgresError) -> CreatedRelations? {
    let result = try connection.execute(query)
    guard result.rowCount > 0, !result.isTrue(0, 1) else { return nil }
    let prepared = Set(result.text(0, 0).split(separator: " ").map(String.init))
    var groups: Set<CatalogGroup> = []
    for row in 0..<result.rowCount {
      guard result.isTrue(row, 3), let id = result[row, 2].flatMap({ UInt32($0) }) else { return nil }
      groups.insert(CatalogGroup(kind: .relation, id: id))
    }
    return CreatedRelations(groups: groups, preparedStatements: prepared)
  }

  /// Indexes stand for their table, which is then locked as well; TOAST tables for nothing.
  private static let query = """
    with strong as materialized (
      select distinct l.relation
      from pg_catalog.pg_locks as l
      where l.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
        and l.locktype operator(pg_catalog.=) 'relation'
        and l.database operator(pg_catalog.=) (select oid from pg_catalog.pg_database
          where datname operator(pg_catalog.=) pg_catalog.current_database())
        and l.mode operator(pg_catalog.=) any ('{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}')
    )
    select (select pg_catalog.string_agg(name, ' ') from pg_catalog.pg_prepared_statements
        where pg_catalog.starts_with(name, '\(PreparedQuery.prefix)')),
      exists (select from pg_catalog.pg_event_trigger where evtenabled operator(pg_catalog.<>) 'D'),
      c.oid,
      pg_catalog.age(c.xmin) operator(pg_catalog.<=)
        pg_catalog.age(pg_catalog.pg_current_xact_id()::pg_catalog.xid)
        and not exists (select from pg_catalog.pg_inherits as i where i.inhrelid operator(pg_catalog.=) c.oid)
    from strong join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) strong.relation
    where c.relkind operator(pg_catalog.<>) all ('{i,I,t}')
    """
}
