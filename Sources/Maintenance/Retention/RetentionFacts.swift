import Postgres

/// What the catalogue says of a table whose old rows are to go.
struct RetentionFacts: Sendable, Equatable {
  /// The types whose values say when a row is old.
  enum Moment: String, Sendable {
    case timestamptz = "timestamp with time zone"
    case timestamp = "timestamp without time zone"
    case date
  }

  /// A valid B-tree index whose first column is the expiry column.
  struct Index: Sendable, Equatable {
    /// Without its schema, unquoted.
    var name: String
    /// Of a partial index, as the server prints it.
    var predicate: String?
  }

  /// A table that holds rows: the table itself, or a partition.
  struct Leaf: Sendable, Equatable {
    var oid: UInt32
    /// `schema.name`, quoted where SQL needs it.
    var name: String
    var isForeign = false
    /// Its size in pages.
    var pages: Int64 = 0
    var indexes: [Index] = []
  }

  /// A foreign key that makes each deleted row scan a whole table.
  struct Child: Sendable, Equatable {
    var table: String
    var constraint: String
    /// The columns of the key, for an index.
    var columns: String
  }

  var oid: UInt32
  /// `schema.name`, quoted where SQL needs it.
  var name: String
  /// As `pg_class.relkind`.
  var kind: String
  /// The expiry column, quoted where SQL needs it; nil where there is none.
  var column: String?
  var type: String
  /// The rights that are missing, in lower case.
  var missingRights: [String] = []
  /// Row-level security applies to the role.
  var hidesRows = false
  /// With which the rows are read and deleted.
  var rights = OwnerRights.session
  /// The planner's count; -1 where it is unknown.
  var rows: Double = -1
  /// The stored bytes of a row `t`, in SQL.
  var width = "0"
  var leaves: [Leaf] = []
  var unindexedChildren: [Child] = []
  /// The indexes that the planner takes for the condition; asked only where partial ones are all there is.
  var plannedIndexes: Set<String> = []

  var moment: Moment? { Moment(rawValue: type) }
  var isPartitioned: Bool { leaves.count != 1 || leaves.first?.oid != oid }
}

extension RetentionFacts {
  /// - Throws: ``MaintenanceError`` where the rule names no table; `PostgresError`.
  static func read(_ rule: RetentionRule, on connection: borrowing Connection) throws -> RetentionFacts {
    let parts = rule.table.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(
      String.init)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
      throw MaintenanceError(
        .invalidInput, "\"\(rule.table)\" does not name a schema and a table", hint: "write schema.table")
    }
    let result = try connection.query(
      general, [Quoting.identifier(parts[0], parts[1]), rule.column])
    guard result.rowCount > 0, let oid = result.integer(0, 0) else {
      throw MaintenanceError(
        .invalidInput, "there is no table \"\(rule.table)\"",
        hint: "run tsdb migrate up where a migration makes it, or correct the rule's table")
    }
    var facts = RetentionFacts(
      oid: UInt32(oid), name: result.text(0, 1), kind: result.text(0, 2), column: result[0, 3],
      type: result.text(0, 4))
    facts.missingRights = ["select", "delete", "update"].enumerated()
      .filter { !result.isTrue(0, 5 + $0.offset) }.map(\.element)
    facts.hidesRows = result.isTrue(0, 8)
    if let owner = result.integer(0, 9) {
      facts.rights = OwnerRights(owner: OwnerRights.Owner(oid: UInt32(owner), name: result.text(0, 10)))
    }
    facts.width = try width(of: facts.oid, on: connection)
    try facts.readLeaves(rule.column, on: connection)
    let children = try connection.query(unindexedChildren, ["\(oid)"])
    facts.unindexedChildren = (0..<children.rowCount).map {
      Child(table: children.text($0, 0), constraint: children.text($0, 1), columns: children.text($0, 2))
    }
    return facts
  }

  private mutating func readLeaves(_ column: String, on connection: borrowing Connection) throws {
    let result = try connection.query(Self.leaves, ["\(oid)", column])
    var total = 0.0
    for row in 0..<result.rowCount {
      let oid = UInt32(result.integer(row, 0) ?? 0)
      if leaves.last?.oid != oid {
        leaves.append(
          Leaf(
            oid: oid, name: result.text(row, 1), isForeign: result.text(row, 2) == "f",
            pages: Int64(result.integer(row, 3) ?? 0)))
        total += max(0, Double(result.text(row, 4)) ?? 0)
      }
      if let name = result[row, 5] {
        leaves[leaves.count - 1].indexes.append(Index(name: name, predicate: result[row, 6]))
      }
    }
    rows = total
  }

  /// The width that is counted: the row's header and pointer, its columns of fixed width, and what is stored of the
  /// others; `pg_column_size` of a column knows the size of a TOASTed value without reading it, of a row it does not.
  private static func width(of oid: UInt32, on connection: borrowing Connection) throws -> String {
    let result = try connection.query(
      """
      select
        28 + coalesce(sum(attlen) filter (where attlen > 0), 0),
        coalesce(
          pg_catalog.string_agg(
            ' + coalesce(pg_catalog.pg_column_size(t.' || pg_catalog.quote_ident(attname) || '), 0)', ''
            order by attnum)
            filter (where attlen < 0),
          '')
      from pg_catalog.pg_attribute
      where attrelid = $1::oid and attnum > 0 and not attisdropped and attgenerated <> 'v'
      """, ["\(oid)"])
    return "\(result.text(0, 0))\(result.text(0, 1))"
  }

  private static let general = """
    select
      c.oid::bigint,
      pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      c.relkind,
      pg_catalog.quote_ident(a.attname),
      pg_catalog.format_type(a.atttypid, null),
      pg_catalog.has_table_privilege(r.oid, c.oid, 'select'),
      pg_catalog.has_table_privilege(r.oid, c.oid, 'delete'),
      pg_catalog.has_any_column_privilege(r.oid, c.oid, 'update'),
      case when r.isowner then c.relrowsecurity and c.relforcerowsecurity and not o.rolbypassrls
        else pg_catalog.row_security_active(c.oid) end,
      case when r.isowner then o.oid::bigint end, o.rolname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_roles as o on o.oid = c.relowner
    cross join lateral (select not o.rolsuper and \(OwnerRights.isSuperuser)) as w (isowner)
    cross join lateral (
      select w.isowner, case when w.isowner then o.oid else current_user::pg_catalog.regrole::oid end) as r (isowner, oid)
    left join pg_catalog.pg_attribute as a
      on a.attrelid = c.oid and a.attname = $2 and a.attnum > 0 and not a.attisdropped
    where c.oid = pg_catalog.to_regclass($1)
    """

  /// The same column may have another number in a partition. Partitions that are being detached are no longer seen
  /// through the table.
  private static let leaves = """
    with recursive tree as (
      select $1::oid as oid
      union
      select i.inhrelid from tree join pg_catalog.pg_inherits as i on i.inhparent = tree.oid
      where not i.inhdetachpending
    )
    select
      c.oid::bigint,
      pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      c.relkind,
      case when c.relkind = 'r' then
        pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint
      end,
      c.reltuples,
      i.relname,
      pg_catalog.pg_get_expr(i.indpred, c.oid)
    from tree
    join pg_catalog.pg_class as c on c.oid = tree.oid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    left join lateral (
      select ic.relname, x.indpred
      from pg_catalog.pg_index as x
      join pg_catalog.pg_class as ic on ic.oid = x.indexrelid
      join pg_catalog.pg_am as am on am.oid = ic.relam
      join pg_catalog.pg_attribute as a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
      where x.indrelid = c.oid and x.indisvalid and x.indisready and x.indislive and am.amname = 'btree'
        and a.attname = $2
    ) as i on true
    where c.relkind in ('r', 'f')
    order by c.oid, i.indpred is not null, i.relname
    """

  /// Also of tables whose rows go by `on delete cascade`. An index helps when its first column is one of the key's; a
  /// partial one when it leaves out only nulls.
  private static let unindexedChildren = """
    with recursive reached as (
      select $1::oid as oid
      union
      select n.oid
      from reached as r
      cross join lateral (
        select i.inhrelid as oid from pg_catalog.pg_inherits as i where i.inhparent = r.oid
        union all
        select k.conrelid from pg_catalog.pg_constraint as k
        where k.contype = 'f' and k.confdeltype = 'c' and k.confrelid = r.oid
      ) as n
    )
    select
      pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      k.conname,
      (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by p.place)
       from pg_catalog.unnest(k.conkey) with ordinality as p (number, place)
       join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = p.number)
    from pg_catalog.pg_constraint as k
    join pg_catalog.pg_class as c on c.oid = k.conrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where k.contype = 'f' and k.confrelid in (select oid from reached)
      -- Partitions have copies of the constraint.
      and not exists (
        select from pg_catalog.pg_constraint as p
        where p.oid = k.conparentid and p.confrelid in (select oid from reached))
      and not exists (
        select
        from pg_catalog.pg_index as x
        join pg_catalog.pg_class as ic on ic.oid = x.indexrelid
        join pg_catalog.pg_am as am on am.oid = ic.relam
        join pg_catalog.pg_attribute as a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
        where x.indrelid = k.conrelid and x.indisvalid and am.amname in ('btree', 'hash')
          and x.indkey[0] = any (k.conkey)
          and (x.indpred is null
            or pg_catalog.pg_get_expr(x.indpred, x.indrelid)
              = '(' || pg_catalog.quote_ident(a.attname) || ' IS NOT NULL)'))
    order by 1, 2
    """
}
