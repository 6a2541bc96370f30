import Postgres

/// Looks for an address in all columns of all tables and materialized views, by what their types can hold.
struct EraseSearch: Sendable {
  struct Found: Sendable {
    var places: [Erase.Result.Place] = []
    var unsearched: [Erase.Result.Unsearched] = []
  }

  let address: ErasedAddress

  /// In bytes: a regular expression takes sixteen times a value's size of the server's memory.
  private static let largest = 16 << 20

  func run(on connection: borrowing Connection) throws(PostgresError) -> Found {
    var found = Found()
    for relation in try relations(on: connection) {
      if let reason = relation.reason {
        found.unsearched.append(Erase.Result.Unsearched(relation: relation.name, reason: reason))
      }
      if !relation.columns.isEmpty { try search(relation, on: connection, &found) }
    }
    let objects =
      try connection.query("select count(*) from pg_largeobject_metadata").integer(0, 0) ?? 0
    if objects > 0 {
      found.unsearched.append(
        Erase.Result.Unsearched(
          relation: "large objects",
          reason:
            "there \(objects == 1 ? "is 1" : "are \(objects)"), and only their users know what they hold"))
    }
    return found
  }

  private func search(
    _ relation: Relation, on connection: borrowing Connection, _ found: inout Found
  ) throws(PostgresError) {
    let conditions = relation.columns.flatMap { $0.conditions(of: relation) }
    let counts = conditions.map { "count(*) filter (where \($0.sql))" }.joined(separator: ", ")
    let row = try connection.query(
      """
      select \(counts) from \(relation.isView ? "" : "only ")\(relation.name)
      where $1::text is not null and $2::text is not null and $3::text is not null and $4::text is not null
      """, [address.pattern, address.jsonPattern, address.wholePattern, address.bytesPattern])
    for (index, condition) in conditions.enumerated() {
      let rows = row.integer(0, index) ?? 0
      guard rows > 0 else { continue }
      switch condition.meaning {
      case .holds(let isBytes):
        found.places.append(
          Erase.Result.Place(
            relation: relation.root, column: condition.column, rows: rows, isBytes: isBytes))
      case .unknown(let reason):
        found.unsearched.append(
          Erase.Result.Unsearched(relation: "\(relation.name).\(condition.column)", reason: reason))
      }
    }
  }

  private struct Relation {
    let name: String
    /// The partitioned table that it is a partition of, or itself.
    let root: String
    let isView: Bool
    /// Why it is not searched, or not all of it.
    let reason: String?
    let columns: [Column]
  }

  private enum Meaning {
    case holds(isBytes: Bool)
    case unknown(String)
  }

  private struct Condition {
    let column: String
    let sql: String
    let meaning: Meaning
  }

  /// A column, and what its type is made of: a domain's base, an array's elements, a composite's attributes.
  private struct Column {
    enum Bytes: Character {
      case none = "-"
      case itself = "b"
      case elements = "e"
      case inside = "i"
    }

    let name: String
    /// One value of a type for text, not a list or a record of them.
    let isPlainText: Bool
    let holdsText: Bool
    let holdsJSON: Bool
    let bytes: Bytes

    /// From four flags and the name.
    init(_ text: some StringProtocol) {
      let flags = Array(text.prefix(4))
      isPlainText = flags.first == "p"
      holdsText = flags.dropFirst(1).first == "t"
      holdsJSON = flags.dropFirst(2).first == "j"
      bytes = flags.dropFirst(3).first.flatMap(Bytes.init(rawValue:)) ?? .none
      name = String(text.dropFirst(4))
    }

    func conditions(of relation: Relation) -> [Condition] {
      var conditions: [Condition] = []
      if holdsText {
        conditions.append(Condition(column: name, sql: text(of: relation), meaning: .holds(isBytes: false)))
      }
      let limit = "more than \(EraseSearch.largest >> 20) MiB in a value"
      switch bytes {
      case .none: break
      case .itself:
        let isSmall = "octet_length(\(name)::bytea) <= \(EraseSearch.largest)"
        conditions += [
          Condition(
            column: name,
            sql: "case when \(isSmall) then encode(\(name)::bytea, 'escape') ~* $4 else false end",
            meaning: .holds(isBytes: true)),
          Condition(column: name, sql: "not (\(isSmall))", meaning: .unknown(limit)),
        ]
      case .elements:
        let values = "select from unnest(\(name)::bytea[]) as u (v) where"
        let isSmall = "octet_length(v) <= \(EraseSearch.largest)"
        conditions += [
          Condition(
            column: name,
            sql: "exists (\(values) case when \(isSmall) then encode(v, 'escape') ~* $4 else false end)",
            meaning: .holds(isBytes: true)),
          Condition(column: name, sql: "exists (\(values) not (\(isSmall)))", meaning: .unknown(limit)),
        ]
      case .inside:
        conditions.append(
          Condition(
            column: name, sql: "\(name)::text is not null", meaning: .unknown("its records hold bytes")))
      }
      return conditions
    }

    private func text(of relation: Relation) -> String {
      let text = "\(name)::text"
      let mention = "\(text) ~* $\(holdsJSON ? 2 : 1)"
      guard isPlainText, ErasedTable.addressColumns.contains(name) else { return mention }
      let whole = ErasedTable.isAddress(text, "$3")
      if EraseRun.erasedColumns.contains("\(relation.root).\(name)") { return whole }
      // A list of addresses, where another table has one.
      return "(\(whole) or \(text) ~ '[[:space:],;<]' and \(mention))"
    }
  }

  private func relations(on connection: borrowing Connection) throws(PostgresError) -> [Relation] {
    try connection.query(Self.relations).rows().map { row in
      let reason: String? =
        if row[3] == "t" {
          "its rows are on another server"
        } else if row[4] == "t" {
          "this role may not read it"
        } else {
          nil
        }
      return Relation(
        name: row[0] ?? "", root: row[1] ?? "", isView: row[2] == "t", reason: reason,
        columns: (row[5] ?? "").split(separator: "\u{1}").map { Column($0) })
    }
  }

  /// One row for a relation with columns that can hold an address.
  ///
  /// Types of which no value's text holds one are left out: numbers, booleans, times, enumerations, network and
  /// geometric types, bit strings and identifiers.
  private static let relations = """
    with recursive columns as (
      select c.oid as relation, c.relkind, a.attnum, a.attname, a.atttypid,
        has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select') as is_readable
      from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where (c.relkind in ('r', 'f') or c.relkind = 'm' and c.relispopulated) and c.relpersistence <> 't'
        and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    ), parts (root, type) as (
      select distinct atttypid, atttypid from columns
      union
      select p.root, x.type
      from parts as p
      join pg_type as t on t.oid = p.type
      cross join lateral (
        select t.typbasetype where t.typtype = 'd'
        union all select t.typelem where t.typtype = 'b' and t.typcategory = 'A'
        union all select a.atttypid from pg_attribute as a
          where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all select r.rngsubtype from pg_range as r where t.oid in (r.rngtypid, r.rngmultitypid)
      ) as x (type)
    ), types as (
      select p.root,
        bool_and(t.typtype in ('b', 'd') and t.typcategory <> 'A' and t.typname not in ('json', 'jsonb')) as is_plain,
        bool_or(t.typtype = 'b' and t.typcategory not in ('A', 'B', 'D', 'G', 'I', 'N', 'T', 'V', 'Z')
          and t.typname not in ('bytea', 'uuid', 'pg_lsn', 'xid', 'xid8', 'cid', 'tid', 'macaddr', 'macaddr8',
            'pg_snapshot', 'txid_snapshot', 'char')) as holds_text,
        bool_or(t.typname in ('json', 'jsonb')) as holds_json,
        bool_or(t.oid = 'bytea'::regtype) as holds_bytes,
        bool_and(t.typtype = 'd' or t.oid = 'bytea'::regtype) as is_bytes,
        bool_and(t.typtype = 'd' or t.typcategory = 'A' or t.oid = 'bytea'::regtype) as is_bytes_array
      from parts as p
      join pg_type as t on t.oid = p.type
      group by p.root
    )
    select c.relation::regclass::text,
      coalesce((select p.oid::regclass::text from pg_partition_ancestors(c.relation) as r
        join pg_class as p on p.oid = r.relid where not p.relispartition), c.relation::regclass::text),
      c.relkind = 'm', c.relkind = 'f', not bool_and(c.is_readable),
      string_agg(case when t.is_plain then 'p' else '-' end || case when t.holds_text then 't' else '-' end
        || case when t.holds_json then 'j' else '-' end
        || case when not t.holds_bytes then '-' when t.is_bytes then 'b' when t.is_bytes_array then 'e' else 'i' end
        || quote_ident(c.attname), chr(1) order by c.attnum) filter (where c.is_readable and c.relkind <> 'f')
    from columns as c
    join types as t on t.root = c.atttypid
    where t.holds_text or t.holds_bytes
    group by c.relation, c.relkind
    order by 1
    """
}
