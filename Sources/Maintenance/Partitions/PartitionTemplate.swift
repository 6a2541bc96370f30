import Postgres
import Timekeeping

/// What a new partition takes over from the table, and from the newest partition what a table cannot have itself.
struct PartitionTemplate: Sendable, Equatable {
  struct Index: Sendable, Equatable {
    /// Of the table's.
    var name: String
    var isUnique: Bool
    /// What follows the table's name in CREATE INDEX; nil for a constraint's.
    var definition: String?
    /// The constraint's definition; nil for a plain index.
    var constraint: String?
    /// Whether rows are identified by it in logical replication.
    var isReplicaIdentity = false
  }

  struct Trigger: Sendable, Equatable {
    var name: String
    /// As `pg_trigger.tgenabled`: `O` or `A`.
    var state: String
  }

  var indexes: [Index] = []
  /// Complete but for the partition: `grant select on table %s to "role"`, split at the place of the name.
  var grants: [(String, String)] = []
  /// Without generated ones, in the order of the table.
  var columns: [String] = []
  /// nil where the session's own role has it.
  var owner: String?
  /// As `pg_class.relreplident`.
  var replicaIdentity = "d"
  var accessMethod: String?
  var tablespace: String?
  /// As `name=value`.
  var storageParameters: [String] = []
  var sibling: PartitionFacts.Partition?
  /// Of the default partition: they must not take a row's move for a deletion.
  var deleteTriggers: [Trigger] = []

  static func == (a: PartitionTemplate, b: PartitionTemplate) -> Bool {
    a.indexes == b.indexes && a.columns == b.columns && a.owner == b.owner
      && a.grants.elementsEqual(b.grants, by: ==)
      && a.storageParameters == b.storageParameters && a.deleteTriggers == b.deleteTriggers
  }

  /// Statements that make the table of a partition with all but its rows; nothing of them touches the parent's rows.
  func statements(_ creation: PartitionPlan.Creation, _ facts: PartitionFacts) -> [String] {
    let table = Quoting.identifier(facts.table.schema, creation.name)
    var create =
      "create table \(table) (like \(facts.table.quoted) including defaults including constraints"
      + " including generated including storage including compression)"
    if let accessMethod { create += " using \(Quoting.identifier(accessMethod))" }
    if !storageParameters.isEmpty {
      create += " with (\(storageParameters.map(Self.parameter).joined(separator: ", ")))"
    }
    if let tablespace { create += " tablespace \(Quoting.identifier(tablespace))" }
    var statements = [create]
    for index in indexes {
      let name = Quoting.identifier(name(of: index, creation, facts))
      if let constraint = index.constraint {
        statements.append("alter table \(table) add constraint \(name) \(constraint)")
      } else if let definition = index.definition {
        statements.append("create \(index.isUnique ? "unique " : "")index \(name) on \(table) \(definition)")
      }
    }
    if let comment = comment(creation, facts) {
      statements.append("comment on table \(table) is \(Quoting.literal(comment))")
    }
    switch replicaIdentity {
    case "f": statements.append("alter table \(table) replica identity full")
    case "n": statements.append("alter table \(table) replica identity nothing")
    case "i":
      if let index = indexes.first(where: \.isReplicaIdentity) {
        let name = Quoting.identifier(name(of: index, creation, facts))
        statements.append("alter table \(table) replica identity using index \(name)")
      }
    default: break
    }
    statements += grants.map { $0.0 + table + $0.1 }
    if let owner { statements.append("alter table \(table) owner to \(Quoting.identifier(owner))") }
    return statements
  }

  private func name(
    of index: Index, _ creation: PartitionPlan.Creation, _ facts: PartitionFacts
  ) -> String {
    PartitionNaming.part(index.name, of: facts.table.name, for: creation.name)
  }

  private static func parameter(_ text: String) -> String {
    let parts = text.split(separator: "=", maxSplits: 1)
    guard parts.count == 2 else { return text }
    return "\(parts[0]) = \(Quoting.literal(String(parts[1])))"
  }

  /// The newest partition's comment with this period's bounds in the place of its own; nil where it names none.
  func comment(_ creation: PartitionPlan.Creation, _ facts: PartitionFacts) -> String? {
    guard let sibling, let text = sibling.comment, let start = sibling.start, let end = sibling.end,
      PartitionMark(text) == nil
    else { return nil }
    func forms(_ time: UTCTime) -> [String] {
      let literals = [facts.keyType, .date].map { String($0.literal(time).dropFirst().dropLast()) }
      return literals
    }
    for (index, old) in zip(forms(start), forms(end)).enumerated() {
      guard text.contains(old.0), text.contains(old.1) else { continue }
      let (new, placeholder) = (forms(creation.period.start)[index], "\u{1}")
      return Self.replacing(
        old.1, with: forms(creation.period.end)[index], in: Self.replacing(old.0, with: placeholder, in: text)
      ).split(separator: placeholder, omittingEmptySubsequences: false).joined(separator: new)
    }
    return nil
  }

  private static func replacing(_ old: String, with new: String, in text: String) -> String {
    text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
  }
}

extension PartitionTemplate {
  init(_ facts: PartitionFacts, on connection: borrowing Connection) throws {
    let oid = "\(facts.table.oid)"
    sibling = facts.partitions.filter { $0.kind == "r" && $0.start != nil && $0.end != nil }
      .max { ($0.start ?? UTCTime(secondsSince1970: 0)) < ($1.start ?? UTCTime(secondsSince1970: 0)) }
    let table = try connection.query(Self.tableQuery, [oid, sibling.map { "\($0.relation.oid)" }])
    owner = table[0, 0]
    replicaIdentity = table.text(0, 1)
    tablespace = table[0, 2]
    accessMethod = table[0, 3]
    storageParameters = table[0, 4].map { $0.split(separator: "\n").map(String.init) } ?? []
    columns = try connection.query(Self.columnsQuery, [oid]).rows().compactMap { $0[0] }
    let found = try connection.query(Self.indexesQuery, [oid])
    for row in 0..<found.rowCount {
      let (prefix, text) = (found.text(row, 3), found.text(row, 4))
      let definition = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
      guard definition != nil || found[row, 2] != nil else {
        throw MaintenanceError(
          .failed, "the definition of the index \"\(found.text(row, 0))\" is not understood")
      }
      indexes.append(
        Index(
          name: found.text(row, 0), isUnique: found.isTrue(row, 1), definition: definition,
          constraint: found[row, 2], isReplicaIdentity: found.isTrue(row, 5)))
    }
    // Policies of the table do not hold for its partitions: whoever could read one directly would see all rows.
    if !table.isTrue(0, 5) {
      grants = try connection.query(Self.grantsQuery, [oid]).rows().map { ($0[0] ?? "", $0[1] ?? "") }
    }
    guard let fallback = facts.defaultPartition else { return }
    deleteTriggers = try connection.query(Self.triggersQuery, ["\(fallback.oid)"]).rows().map {
      Trigger(name: $0[0] ?? "", state: $0[1] ?? "")
    }
  }

  private static let tableQuery = """
    select nullif(pg_catalog.pg_get_userbyid(c.relowner), current_user), c.relreplident,
      (select s.spcname from pg_catalog.pg_tablespace as s where s.oid = nullif(c.reltablespace, 0)),
      (select m.amname from pg_catalog.pg_am as m where m.oid = coalesce(nullif(c.relam, 0), s.relam)
        and m.amname <> pg_catalog.current_setting('default_table_access_method')),
      (select pg_catalog.string_agg(o.option, E'\\n') from (
          select pg_catalog.unnest(s.reloptions)
          union all select 'toast.' || pg_catalog.unnest(t.reloptions)) as o (option)),
      c.relrowsecurity
    from pg_catalog.pg_class as c
    left join pg_catalog.pg_class as s on s.oid = $2::oid
    left join pg_catalog.pg_class as t on t.oid = nullif(s.reltoastrelid, 0)
    where c.oid = $1::oid
    """

  private static let columnsQuery = """
    select a.attname from pg_catalog.pg_attribute as a
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    order by a.attnum
    """

  /// Constraints first, each as the table has it; pg_get_indexdef writes the names as quote_ident does.
  private static let indexesQuery = """
    select c.relname, i.indisunique,
      case when k.oid is not null then pg_catalog.pg_get_constraintdef(k.oid) end,
      pg_catalog.format('CREATE %sINDEX %I ON ONLY %I.%I ', case when i.indisunique then 'UNIQUE ' else '' end,
        c.relname, n.nspname, t.relname),
      pg_catalog.pg_get_indexdef(i.indexrelid), i.indisreplident
    from pg_catalog.pg_index as i
    join pg_catalog.pg_class as c on c.oid = i.indexrelid
    join pg_catalog.pg_class as t on t.oid = i.indrelid
    join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
    left join pg_catalog.pg_constraint as k
      on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
    where i.indrelid = $1::oid
    order by k.oid is null, i.indisprimary desc, c.oid
    """

  private static let grantsQuery = """
    select pg_catalog.format('grant %s%s on table ', g.privilege_type, ' (' || pg_catalog.quote_ident(g.column) || ')'),
      pg_catalog.format(' to %s%s',
        case when g.grantee = 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end,
        case when g.is_grantable then ' with grant option' else '' end)
    from (
      select x.*, null::name as column, c.relowner
      from pg_catalog.pg_class as c cross join lateral pg_catalog.aclexplode(c.relacl) as x where c.oid = $1::oid
      union all
      select x.*, a.attname, c.relowner
      from pg_catalog.pg_attribute as a
      join pg_catalog.pg_class as c on c.oid = a.attrelid
      cross join lateral pg_catalog.aclexplode(a.attacl) as x
      where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
    ) as g
    where g.grantee <> g.relowner
    order by 1, 2
    """

  /// Row-level and statement-level ones on DELETE (bit 3), without those of constraints.
  private static let triggersQuery = """
    select t.tgname, t.tgenabled from pg_catalog.pg_trigger as t
    where t.tgrelid = $1::oid and not t.tgisinternal and t.tgenabled in ('O', 'A') and (t.tgtype & 8) <> 0
    order by t.tgname
    """
}
