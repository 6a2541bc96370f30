import Postgres
import Timekeeping

/// What is known of a partitioned table before anything is decided.
public struct PartitionFacts: Sendable, Equatable {
  /// The type of the column that rows are routed by.
  public enum KeyType: String, Sendable {
    case timestamptz
    case timestamp
    case date

    /// The moment as a literal that means the same in any time zone and date style; without a zone it is UTC.
    func literal(_ time: UTCTime) -> String {
      let text = time.description.dropLast()
      let (day, clock) = (text.prefix { $0 != "T" }, text.drop { $0 != "T" }.dropFirst())
      switch self {
      case .timestamptz: return "'\(day) \(clock)+00'"
      case .timestamp: return "'\(day) \(clock)'"
      case .date: return "'\(day)'"
      }
    }
  }

  public struct Partition: Sendable, Equatable {
    public var relation: CataloguedRelation
    /// nil for no limit.
    public var start: UTCTime?
    public var end: UTCTime?
    /// A detach that was interrupted between its two transactions.
    public var isDetachPending = false
    /// As `pg_class.relkind`.
    public var kind = "r"
    public var comment: String?
    public var bytes: Int64 = 0
    /// What a DROP without CASCADE would trip over.
    public var dependents: [String] = []
  }

  /// A table that an earlier run took off and did not drop.
  struct Retired: Sendable, Equatable {
    var relation: CataloguedRelation
    var end: UTCTime
    var bytes: Int64
  }

  public var table: CataloguedRelation
  public var column: String
  public var keyType: KeyType
  /// Without the default partition.
  public var partitions: [Partition]
  public var defaultPartition: CataloguedRelation?
  /// With which the rows of the default partition are read and moved.
  var rights = OwnerRights.session
  var retired: [Retired] = []
  /// Foreign keys of other tables that refer to rows of this one.
  var isReferenced = false
  /// Tables that this one's foreign keys refer to, for people.
  var references: [String] = []
  /// Names in the table's schema that are in use, among those asked for.
  var namesInUse: Set<String> = []
}

extension PartitionFacts {
  /// Reads the facts in a transaction that changes nothing.
  ///
  /// - Throws: ``MaintenanceError`` for a table that this kind of job is not for.
  init(_ rule: PartitionRule, now: UTCTime, on connection: borrowing Connection) throws {
    self = try connection.inTransaction { connection in
      // Bounds are written in the session's time zone and date style.
      try connection.execute(
        """
        set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local search_path = pg_catalog
        """)
      var facts = try Self.table(rule, on: connection)
      try facts.readPartitions(on: connection)
      try facts.readRetired(on: connection)
      try facts.readNames(rule, now: now, on: connection)
      if let fallback = facts.defaultPartition {
        facts.rights = try OwnerRights.of(fallback.oid, on: connection)
      }
      return facts
    }
  }

  private static func table(
    _ rule: PartitionRule, on connection: borrowing Connection
  ) throws -> PartitionFacts {
    guard let parts = CataloguedRelation.parts(of: rule.table) else {
      throw MaintenanceError(
        .invalidInput, "\"\(rule.table)\" is not the name of a table",
        hint: "write schema.name, such as public.events")
    }
    let result = try connection.query(tableQuery, [Quoting.identifier(parts.schema, parts.name)])
    guard result.rowCount == 1, let oid = result[0, 0].flatMap({ UInt32($0) }) else {
      throw MaintenanceError(
        .invalidInput, "the table \"\(rule.table)\" does not exist",
        hint: "run tsdb migrate up where a migration makes it, or correct the name in tsdb.yaml",
        sqlState: "42P01")
    }
    let relation = CataloguedRelation(oid: oid, schema: parts.schema, name: parts.name)
    func refuse(_ reason: String, hint: String? = nil) -> MaintenanceError {
      MaintenanceError(.invalidInput, "\"\(rule.table)\" \(reason)", hint: hint)
    }
    guard result[0, 1] == "p" else { throw refuse("is not a partitioned table") }
    guard result[0, 2] == "r" else { throw refuse("is not partitioned by range") }
    guard result.integer(0, 3) == 1 else { throw refuse("is partitioned by more than one column") }
    guard let column = result[0, 4] else { throw refuse("is partitioned by an expression, not by a column") }
    guard let type = result[0, 5].flatMap(KeyType.init(rawValue:)) else {
      throw refuse("is partitioned by \"\(column)\", which is not of type timestamptz, timestamp or date")
    }
    guard result.isTrue(0, 6) else {
      throw MaintenanceError(
        .failed,
        "\"\(rule.table)\" belongs to \"\(result.text(0, 7))\", and only its owner can change its partitions",
        hint: "grant \(Quoting.identifier(result.text(0, 7))) to \(Quoting.identifier(result.text(0, 8)))",
        sqlState: "42501")
    }
    let defaultPartition = result[0, 9].flatMap { UInt32($0) }.map {
      CataloguedRelation(oid: $0, schema: result.text(0, 10), name: result.text(0, 11))
    }
    return PartitionFacts(
      table: relation, column: column, keyType: type, partitions: [], defaultPartition: defaultPartition,
      isReferenced: result.isTrue(0, 12),
      references: result[0, 13].map { $0.split(separator: "\n").map(String.init) } ?? [])
  }

  private mutating func readPartitions(on connection: borrowing Connection) throws {
    let result = try connection.query(Self.partitionsQuery, ["\(table.oid)"])
    for row in 0..<result.rowCount {
      let relation = CataloguedRelation(
        oid: UInt32(result.text(row, 0)) ?? 0, schema: result.text(row, 1), name: result.text(row, 2))
      guard relation.oid != defaultPartition?.oid else { continue }
      partitions.append(
        Partition(
          relation: relation, start: Self.time(result[row, 3]), end: Self.time(result[row, 4]),
          isDetachPending: result.isTrue(row, 5), kind: result.text(row, 6), comment: result[row, 7],
          bytes: Int64(result.integer(row, 8) ?? 0),
          dependents: result[row, 9].map { $0.split(separator: "\n").map(String.init) } ?? []))
    }
  }

  /// Seconds from a text of the server, which may hold a fraction, or be infinite.
  private static func time(_ text: String?) -> UTCTime? {
    guard let text, let seconds = Double(text), abs(seconds) < 1e15 else { return nil }
    return UTCTime(secondsSince1970: Int64(seconds))
  }

  private mutating func readRetired(on connection: borrowing Connection) throws {
    let result = try connection.query(Self.retiredQuery, [PartitionMark.beginning])
    for row in 0..<result.rowCount {
      guard let mark = PartitionMark(result[row, 3]), mark.parent == table.quoted else { continue }
      let relation = CataloguedRelation(
        oid: UInt32(result.text(row, 0)) ?? 0, schema: result.text(row, 1), name: result.text(row, 2))
      retired.append(Retired(relation: relation, end: mark.end, bytes: Int64(result.integer(row, 4) ?? 0)))
    }
  }

  private mutating func readNames(
    _ rule: PartitionRule, now: UTCTime, on connection: borrowing Connection
  ) throws {
    let names = PartitionPeriod.periods(rule.interval, from: now, ahead: rule.ahead).map {
      PartitionNaming.partition(of: table.name, $0.suffix(rule.interval))
    }
    let result = try connection.query(
      """
      select c.relname from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = any ($2::text[])
      """, [table.schema, Quoting.textArray(names)])
    namesInUse = Set(result.rows().compactMap { $0[0] })
  }
}

extension PartitionFacts {
  private static let tableQuery = """
    select c.oid, c.relkind, p.partstrat, p.partnatts, a.attname, t.typname,
      pg_catalog.pg_has_role(c.relowner, 'USAGE'), pg_catalog.pg_get_userbyid(c.relowner), current_user,
      d.oid, dn.nspname, d.relname,
      exists (select from pg_catalog.pg_constraint as k where k.confrelid = c.oid and k.conparentid = 0),
      (select pg_catalog.string_agg(distinct k.confrelid::pg_catalog.regclass::text, E'\\n')
        from pg_catalog.pg_constraint as k where k.conrelid = c.oid and k.contype = 'f')
    from pg_catalog.pg_class as c
    left join pg_catalog.pg_partitioned_table as p on p.partrelid = c.oid
    left join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = p.partattrs[0] and a.attnum > 0
    left join pg_catalog.pg_type as t on t.oid = a.atttypid and t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
    left join pg_catalog.pg_class as d on d.oid = nullif(p.partdefid, 0)
    left join pg_catalog.pg_namespace as dn on dn.oid = d.relnamespace
    where c.oid = pg_catalog.to_regclass($1)
    """

  private static let partitionsQuery = """
    select c.oid, n.nspname, c.relname,
      extract(epoch from (pg_catalog.regexp_match(b.bound, 'FROM \\(''([^'']*)''\\)'))[1]::timestamptz),
      ceil(extract(epoch from (pg_catalog.regexp_match(b.bound, 'TO \\(''([^'']*)''\\)'))[1]::timestamptz)),
      i.inhdetachpending, c.relkind, pg_catalog.obj_description(c.oid, 'pg_class'),
      pg_catalog.pg_total_relation_size(c.oid),
      (select pg_catalog.string_agg(distinct pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), E'\\n')
        from pg_catalog.pg_depend as d
        left join pg_catalog.pg_constraint as k
          on d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and k.oid = d.objid
        where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = c.oid and d.deptype = 'n'
          and (d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
            or (k.contype = 'f' and k.conparentid = 0 and k.conrelid <> c.oid)))
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as c on c.oid = i.inhrelid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    cross join lateral (select pg_catalog.pg_get_expr(c.relpartbound, c.oid)) as b (bound)
    where i.inhparent = $1::oid
    order by c.relname
    """

  private static let retiredQuery = """
    select c.oid, n.nspname, c.relname, d.description, pg_catalog.pg_total_relation_size(c.oid)
    from pg_catalog.pg_description as d
    join pg_catalog.pg_class as c on c.oid = d.objoid
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid = 0
      and pg_catalog.starts_with(d.description, $1) and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname
    """
}

extension Connection {
  /// Runs `body` in a transaction, which is rolled back where it throws.
  borrowing func inTransaction<Result>(_ body: (borrowing Connection) throws -> Result) throws -> Result {
    try execute("begin")
    do {
      let result = try body(self)
      try execute("commit")
      return result
    } catch {
      if isInTransaction { _ = try? execute("rollback") }
      throw error
    }
  }
}
