import Postgres

/// What is known of an index before anything is decided.
public struct IndexFacts: Sendable, Equatable {
  public var index: CataloguedRelation
  public var table: CataloguedRelation
  /// Of a partitioned table; it has no storage of its own.
  public var isPartitioned = false
  /// Attached to the index of a partitioned table.
  public var isAttached = false
  public var isValid = true
  /// false for one whose DROP INDEX CONCURRENTLY was interrupted.
  public var isLive = true
  public var isExclusion = false
  public var hasConstraint = false
  /// Whether the session's role may drop it.
  public var isOwned = true
  /// Why it may be in the making by another session; nil when it is not.
  public var builder: String?
  public var bytes: Int64 = 0
  /// Another index of the table with the same columns, order, condition and so on; the older of the two.
  public var twin: CataloguedRelation?
  public var isTwinOlder = false
  public var bloat = IndexBloat.withheld("it is not a btree")
}

extension IndexFacts {
  /// As REINDEX CONCURRENTLY names the index it builds, and the one it replaces.
  ///
  /// Source: PostgreSQL manual, REINDEX, "Rebuilding Indexes Concurrently".
  public var hasNameOfRebuild: Bool {
    var name = index.name[...]
    while let last = name.last, last.isASCII, last.isNumber { name = name.dropLast() }
    return name.hasSuffix("_ccnew") || name.hasSuffix("_ccold")
  }

  /// All indexes of the chosen tables, without temporary and system ones, in the order of their names.
  static func read(_ tables: RelationSelection, on connection: borrowing Connection) throws -> [IndexFacts] {
    let result = try connection.query(query)
    var all: [IndexFacts] = []
    for row in 0..<result.rowCount {
      func relation(_ column: Int) -> CataloguedRelation? {
        guard let oid = result[row, column].flatMap({ UInt32($0) }) else { return nil }
        return CataloguedRelation(
          oid: oid, schema: result.text(row, column + 1), name: result.text(row, column + 2))
      }
      guard let index = relation(0), let table = relation(3), tables.chooses(table) else { continue }
      all.append(
        IndexFacts(
          index: index, table: table, isPartitioned: result.isTrue(row, 6), isAttached: result.isTrue(row, 7),
          isValid: result.isTrue(row, 8), isLive: result.isTrue(row, 9), isExclusion: result.isTrue(row, 10),
          hasConstraint: result.isTrue(row, 11), isOwned: result.isTrue(row, 12), builder: result[row, 13],
          bytes: Int64(result.integer(row, 14) ?? 0), twin: relation(15), isTwinOlder: result.isTrue(row, 18),
          bloat: IndexBloat(result, row, from: 19)))
    }
    return all
  }

  /// Builds of roles that this one may not look at have no relation in pg_stat_progress_create_index; of those the
  /// locks, which everybody sees, tell the relation.
  private static let query = """
    with builder as (
      select p.pid, p.relid, p.index_relid from pg_catalog.pg_stat_progress_create_index as p
      where p.datid = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
        and p.pid <> pg_catalog.pg_backend_pid()
    ), held as (
      select l.relation, l.pid from pg_catalog.pg_locks as l
      where l.locktype = 'relation' and l.granted and l.pid <> pg_catalog.pg_backend_pid()
        and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
        and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
          'AccessExclusiveLock')
    ), shape as (
      select i.indexrelid, i.indrelid, i.indislive, pg_catalog.concat_ws(' / ', c.relam, i.indisunique, i.indkey,
        i.indclass, i.indcollation, i.indoption, i.indnkeyatts, pg_catalog.pg_get_expr(i.indexprs, i.indrelid), 'where',
        pg_catalog.pg_get_expr(i.indpred, i.indrelid), i.indisexclusion) as text
      from pg_catalog.pg_index as i join pg_catalog.pg_class as c on c.oid = i.indexrelid
    ), alike as (
      select s.indrelid, s.text, pg_catalog.array_agg(s.indexrelid order by s.indexrelid) filter (where s.indislive) as live
      from shape as s group by s.indrelid, s.text
    )
    select c.oid, n.nspname, c.relname, t.oid, tn.nspname, t.relname, c.relkind = 'I', c.relispartition,
      i.indisvalid, i.indislive, i.indisexclusion,
      exists (select from pg_catalog.pg_constraint as k where k.conindid = c.oid and k.contype in ('p', 'u', 'x')),
      pg_catalog.pg_has_role(t.relowner, 'USAGE'),
      coalesce(
        (select 'session ' || h.pid || ' works on it' from held as h where h.relation = c.oid limit 1),
        (select 'session ' || b.pid || ' builds it' from builder as b where b.index_relid = c.oid limit 1),
        (select 'session ' || b.pid || ' builds an index of the table' from builder as b
          join held as h on h.pid = b.pid and h.relation = t.oid
          where b.index_relid is null or b.index_relid = 0 limit 1)),
      pg_catalog.pg_relation_size(c.oid), w.oid, wn.nspname, w.relname, w.oid < c.oid,
      \(IndexBloat.columns)
    from pg_catalog.pg_index as i
    join pg_catalog.pg_class as c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_class as t on t.oid = i.indrelid
    join pg_catalog.pg_namespace as tn on tn.oid = t.relnamespace
    join pg_catalog.pg_am as am on am.oid = c.relam
    join shape as s on s.indexrelid = c.oid
    join alike as x on x.indrelid = s.indrelid and x.text = s.text
    left join pg_catalog.pg_class as w
      on w.oid = case when x.live[1] <> s.indexrelid then x.live[1] else x.live[2] end
    left join pg_catalog.pg_namespace as wn on wn.oid = w.relnamespace
    \(IndexBloat.join)
    where c.relpersistence <> 't' and t.relkind in ('r', 'm', 'p')
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp_)'
    order by tn.nspname, t.relname, c.relname
    """
}

extension RelationSelection {
  /// Whether a table is included, or nothing is named, and it is not excluded.
  fileprivate func chooses(_ table: CataloguedRelation) -> Bool {
    let name = table.schema + "." + table.name
    func matches(_ pattern: String) -> Bool { Self.matches(Array(name)[...], Array(pattern)[...]) }
    return (include.isEmpty || include.contains(where: matches)) && !exclude.contains(where: matches)
  }

  /// Greedy, with one place to come back to: the last star.
  private static func matches(_ text: ArraySlice<Character>, _ pattern: ArraySlice<Character>) -> Bool {
    var (text, pattern) = (text, pattern)
    var retry: (text: ArraySlice<Character>, pattern: ArraySlice<Character>)?
    while let character = text.first {
      if pattern.first == "*" {
        pattern = pattern.dropFirst()
        retry = (text, pattern)
      } else if pattern.first == character {
        text = text.dropFirst()
        pattern = pattern.dropFirst()
      } else if let place = retry {
        text = place.text.dropFirst()
        pattern = place.pattern
        retry = (text, pattern)
      } else {
        return false
      }
    }
    return pattern.allSatisfy { $0 == "*" }
  }
}
