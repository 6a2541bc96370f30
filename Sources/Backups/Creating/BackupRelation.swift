import Postgres

/// A table or sequence as the server describes it, for reading its data.
///
/// Names are bytes in the database's own encoding, as they go into the archive.
struct BackupRelation: Sendable, Equatable {
  enum Kind: String, Sendable {
    case table = "r"
    case partitionedTable = "p"
    case sequence = "S"
  }

  var oid: UInt32
  var kind: Kind
  var schema: [UInt8]
  var name: [UInt8]
  var owner: [UInt8]
  /// Schema and name, quoted where needed as `pg_dump` does it.
  var qualifiedName: [UInt8]
  /// Columns that COPY reads, in the table's order: neither dropped nor generated; nil when none is left.
  var columns: [UInt8]?
  /// Whether ranges of `ctid` can be read.
  var isHeap: Bool
  /// Of the main fork.
  var pages: Int64
  /// Heap and TOAST, in bytes.
  var size: Int64
  /// Member of an extension: dumped only as far as the extension asks for it.
  var isExtensionMember: Bool
  /// `WHERE …` that the extension wants for its configuration table; empty for all rows; nil when the
  /// relation is not a configuration table.
  var configurationCondition: [UInt8]?
  /// The partitioned table, quoted, that rows must be loaded through; see ``listQuery(serverVersion:)``.
  var loadRoot: [UInt8]?
  /// Not written to the WAL, and without content on a standby.
  var isUnlogged: Bool
  var schemaText: String
  var nameText: String

  /// Whether it has rows or a value of its own that a backup holds.
  var isDumped: Bool {
    kind != .partitionedTable && (!isExtensionMember || configurationCondition != nil)
  }
}

extension BackupRelation {
  /// Tables, partitioned tables and sequences outside the system schemas, temporary ones left out.
  ///
  /// A partition is loaded through its root when an ancestor is hash-partitioned by an enum: hash values
  /// of enums depend on oids that differ after a restore, as `pg_dump` knows.
  static let listQuery = """
    with enum_hash as (
      select c.oid from pg_catalog.pg_opclass c join pg_catalog.pg_am a on c.opcmethod = a.oid
      where c.opcname = 'enum_ops' and c.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace
        and a.amname = 'hash'),
    configuration as (
      select u.relation, coalesce(u.condition, '') as condition
      from pg_catalog.pg_extension e,
        lateral unnest(e.extconfig, e.extcondition) as u(relation, condition))
    select c.oid, c.relkind, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner),
      pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
      coalesce(m.amname = 'heap', false),
      case when c.relkind = 'r' then pg_catalog.pg_relation_size(c.oid)
        / pg_catalog.current_setting('block_size')::bigint else 0 end,
      case when c.relkind = 'r' then pg_catalog.pg_table_size(c.oid) else 0 end,
      exists (select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid
          and d.objsubid = 0 and d.deptype = 'e'),
      f.condition,
      case when c.relispartition and exists (
          select from pg_catalog.pg_partition_ancestors(c.oid) p
            join pg_catalog.pg_partitioned_table t on t.partrelid = p.relid
          where (select oid from enum_hash) = any (t.partclass))
        then (select pg_catalog.quote_ident(rn.nspname) || '.' || pg_catalog.quote_ident(r.relname)
          from pg_catalog.pg_class r join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
          where r.oid = pg_catalog.pg_partition_root(c.oid)) end,
      c.relpersistence = 'u'
    from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      left join pg_catalog.pg_am m on m.oid = c.relam
      left join configuration f on f.relation = c.oid
    where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 't'
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
    order by c.oid
    """

  /// The relations, by oid.
  ///
  /// The connection's client encoding must be the database's own.
  static func list(on connection: borrowing Connection) throws(PostgresError) -> [BackupRelation] {
    let result = try connection.query(listQuery)
    var relations: [BackupRelation] = []
    relations.reserveCapacity(result.rowCount)
    for row in 0..<result.rowCount {
      guard let kind = Kind(rawValue: result.text(row, 1)), let oid = UInt32(result.text(row, 0)) else {
        continue
      }
      relations.append(
        BackupRelation(
          oid: oid, kind: kind, schema: result.bytes(row, 2) ?? [], name: result.bytes(row, 3) ?? [],
          owner: result.bytes(row, 4) ?? [], qualifiedName: result.bytes(row, 5) ?? [],
          columns: result.bytes(row, 6), isHeap: result.isTrue(row, 7),
          pages: Int64(result.integer(row, 8) ?? 0), size: Int64(result.integer(row, 9) ?? 0),
          isExtensionMember: result.isTrue(row, 10), configurationCondition: result.bytes(row, 11),
          loadRoot: result.bytes(row, 12), isUnlogged: result.isTrue(row, 13),
          schemaText: ReadableName.text(result.bytes(row, 2) ?? []),
          nameText: ReadableName.text(result.bytes(row, 3) ?? [])))
    }
    return relations
  }
}
