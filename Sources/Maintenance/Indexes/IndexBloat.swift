import Postgres

/// How much of an index is estimated to be bloat.
public enum IndexBloat: Sendable, Equatable {
  /// Part of the file, in percent, that a new index would not need.
  case estimated(percent: Int)
  /// As `pgstattuple` has measured it.
  case measured(percent: Int)
  /// Why there is no estimate.
  case withheld(String)

  public var percent: Int? {
    switch self {
    case .estimated(let percent), .measured(let percent): percent
    case .withheld: nil
    }
  }
}

/// What an estimate is made of.
struct IndexStatistics: Sendable, Equatable {
  var pages: Int64
  var blockSize = 8192
  /// Entries of the index.
  var entries: Double
  /// In percent.
  var fillFactor = 90
  /// The average width of an entry's values in bytes, without nulls.
  var width: Double
  /// Whether entries carry a bitmap of nulls.
  var hasNulls: Bool

  /// Part of the file, in percent, that a new btree of the same entries would not need; never below 0.
  ///
  /// Equal keys are stored once in many indexes, so what is estimated is the least that is bloat.
  /// Source: PostgreSQL's source, nbtree.h, itup.h and bufpage.h: the page header of 24 bytes and the special space
  /// of 16, an item pointer of 4 for each entry, an entry's header of 8 and its bitmap of 4, both aligned to 8.
  var bloatPercent: Int {
    guard pages > 1 else { return 0 }
    func aligned(_ bytes: Double) -> Double { (bytes / 8).rounded(.up) * 8 }
    let entry = 4 + aligned(hasNulls ? 12 : 8) + aligned(width)
    let room = Double(blockSize - 40) * Double(fillFactor) / 100
    let perPage = max(1, (room / entry).rounded(.down))
    // The meta page, the leaves, and the pages above, of which there is about one for each full page of pointers.
    let leaves = max(1, (entries / perPage).rounded(.up))
    let needed = 1 + leaves + (leaves / perPage).rounded(.up)
    return max(0, Int(100 * (Double(pages) - needed) / Double(pages)))
  }
}

extension IndexBloat {
  /// For the query of the facts: `am`, `c`, `i` and `t` are there, and ``join`` adds the rest.
  static let columns = """
    am.amname = 'btree' and c.relkind = 'i', c.reltuples, st.analyzed, st.changed, st.live, ws.width, ws.has_nulls,
      ws.missing, ws.has_name, current_setting('block_size'),
      coalesce((select pg_catalog.substr(o, 12) from pg_catalog.unnest(c.reloptions) as o
        where o like 'fillfactor=%'), '90')
    """

  static let join = """
    left join lateral (
      select coalesce(greatest(a.last_analyze, a.last_autoanalyze), null) is not null as analyzed,
        a.n_mod_since_analyze as changed, a.n_live_tup as live
      from pg_catalog.pg_stat_all_tables as a where a.relid = t.oid
    ) as st on true
    left join lateral (
      select sum(p.avg_width * (1 - p.null_frac)) as width, bool_or(p.null_frac > 0) as has_nulls,
        count(*) filter (where p.avg_width is null) as missing, bool_or(k.atttypid = 'pg_catalog.name'::regtype) as has_name
      from pg_catalog.pg_attribute as k
      left join pg_catalog.pg_attribute as v on v.attrelid = t.oid and v.attnum = i.indkey[k.attnum - 1] and v.attnum > 0
      left join lateral (
        select q.avg_width, q.null_frac from pg_catalog.pg_stats as q
        where q.schemaname = tn.nspname and not q.inherited
          and q.tablename = case when v.attnum is null then c.relname else t.relname end
          and q.attname = coalesce(v.attname, k.attname) limit 1
      ) as p on true
      where k.attrelid = c.oid and k.attnum > 0
    ) as ws on true
    """

  /// From the columns of ``columns``.
  init(_ result: borrowing QueryResult, _ row: Int, from first: Int) {
    guard result.isTrue(row, first) else {
      self = .withheld("it is not a btree")
      return
    }
    func number(_ offset: Int) -> Double? { result[row, first + offset].flatMap { Double($0) } }
    guard result.isTrue(row, first + 2), let entries = number(1), entries >= 0 else {
      self = .withheld("its table was not analyzed since the statistics began")
      return
    }
    let (changed, live) = (number(3) ?? 0, number(4) ?? 0)
    guard changed <= max(1000, live / 10) else {
      self = .withheld("\(Int64(changed)) rows of its table changed since it was analyzed")
      return
    }
    guard (number(7) ?? 1) == 0, let width = number(5) else {
      self = .withheld("statistics of its columns are missing, or not visible to this role")
      return
    }
    guard !result.isTrue(row, first + 8) else {
      self = .withheld("the statistics of type name do not tell its width")
      return
    }
    let blockSize = result.integer(row, first + 9) ?? 8192
    let bytes = Int64(result.integer(row, 14) ?? 0)
    self = .estimated(
      percent: IndexStatistics(
        pages: bytes / Int64(blockSize), blockSize: blockSize, entries: entries,
        fillFactor: result.integer(row, first + 10) ?? 90, width: width,
        hasNulls: result.isTrue(row, first + 6)
      ).bloatPercent)
  }
}
