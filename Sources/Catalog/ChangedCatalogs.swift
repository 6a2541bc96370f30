import Postgres

/// Which system catalogues the open transaction has written to.
///
/// The server counts the rows that a transaction inserts, updates and deletes in every table, system
/// catalogues and rolled-back subtransactions included. The counts of a session's earlier transactions
/// may still be among them until they have been flushed, so they can be too high, never too low.
/// Source: PostgreSQL manual, "The Cumulative Statistics System".
struct ChangedCatalogs {
  struct Counts: Equatable {
    var inserted = 0
    var updated = 0
    var deleted = 0
  }

  /// How much has to be read.
  enum Extent: Equatable {
    case nothing
    case everything(reason: String)
    /// The rows that these catalogues have from this transaction.
    case rows([String: Counts])
  }

  /// Whether the session counts at all.
  var isCounting = true
  /// Whether the transaction has an id; one without has written nothing.
  var hasTransactionID = true
  /// See ``memberQuery``.
  var members = ""
  /// Those of ``PreparedQuery`` that the session has.
  var preparedStatements: Set<String> = []
  /// Without the catalogues that have no counts.
  var counts: [String: Counts] = [:]

  /// Decides how much has to be read.
  func extent(members known: String) -> Extent {
    if !isCounting { return .everything(reason: "track_counts is off") }
    if !hasTransactionID { return .nothing }
    if members != known { return .everything(reason: "members of an extension have changed") }
    var rows: [String: Counts] = [:]
    for (catalog, counts) in counts {
      guard let rule = Self.rules[catalog] else { return .everything(reason: "\(catalog) has changed") }
      if counts.deleted > 0, !rule.contains(.deletions) {
        return .everything(reason: "rows of \(catalog) were deleted")
      }
      if counts.updated > 0, !rule.contains(.updates) {
        return .everything(reason: "rows of \(catalog) were updated")
      }
      if counts.inserted + counts.updated + counts.deleted > 0 { rows[catalog] = counts }
    }
    return rows.isEmpty ? .nothing : .rows(rows)
  }

  /// What a catalogue's new rows tell, when insertions can be followed row by row.
  private struct Rule: OptionSet {
    let rawValue: Int
    /// Updated rows can be followed as well.
    static let updates = Rule(rawValue: 1)
    /// Deletions come with an update that can be followed.
    static let deletions = Rule(rawValue: 2)
  }

  /// The catalogues that ``ChangedGroups`` follows; a change of any other is a full read.
  private static let rules: [String: Rule] = [
    "pg_class": .updates, "pg_attribute": .updates,
    // A default that comes or goes sets atthasdef in pg_attribute.
    "pg_attrdef": [.updates, .deletions],
    "pg_constraint": .updates, "pg_index": .updates, "pg_trigger": .updates, "pg_rewrite": .updates,
    "pg_policy": .updates, "pg_sequence": .updates, "pg_partitioned_table": .updates,
    "pg_statistic_ext": .updates, "pg_description": .updates, "pg_proc": .updates,
    "pg_aggregate": .updates, "pg_type": .updates, "pg_namespace": .updates,
    // Labels are quoted by other objects, so only a new one leaves those alone.
    "pg_enum": [], "pg_inherits": [], "pg_range": [],
  ]

  /// All catalogues whose rows make up definitions.
  ///
  /// Roles are among them because policies name them; a new role changes nothing.
  private static let catalogs =
    rules.keys.sorted() + [
      "pg_am", "pg_amop", "pg_amproc", "pg_cast", "pg_collation", "pg_conversion", "pg_default_acl",
      "pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_foreign_table",
      "pg_language", "pg_opclass", "pg_operator", "pg_opfamily", "pg_publication", "pg_publication_rel",
      "pg_ts_config", "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_authid",
    ]

  /// Number and sums of the objects that belong to extensions.
  private static let memberQuery = """
    select pg_catalog.concat_ws('/', pg_catalog.count(*),
      pg_catalog.sum(objid::pg_catalog.int8), pg_catalog.sum(objid::pg_catalog.int8::pg_catalog.numeric operator(pg_catalog.^) 2))
    from pg_catalog.pg_depend
    where refclassid operator(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
      and deptype operator(pg_catalog.=) 'e'
    """

  static func members(on connection: borrowing Connection) throws(PostgresError) -> String {
    try connection.execute(memberQuery).text(0, 0)
  }

  static func read(on connection: borrowing Connection) throws(PostgresError) -> ChangedCatalogs {
    var names = catalogs
    if connection.serverVersion >= 150_000 { names.append("pg_publication_namespace") }
    let list = names.map { "('pg_catalog.\($0)'::pg_catalog.regclass)" }.joined(separator: ", ")
    // Counts are flushed when the session next waits outside of a transaction, so that the next
    // transaction starts from zero.
    let flush =
      connection.serverVersion >= 150_000 ? "pg_catalog.pg_stat_force_next_flush()::pg_catalog.text" : "null"
    let result = try connection.execute(
      """
      select (select pg_catalog.string_agg(name, ' ') from pg_catalog.pg_prepared_statements),
        pg_catalog.current_setting('track_counts'),
        pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, (\(memberQuery)), \(flush)
      union all
      select (select relname from pg_catalog.pg_class where oid operator(pg_catalog.=) catalog), inserted::pg_catalog.text,
        updated::pg_catalog.text, deleted::pg_catalog.text, null
      from (select catalog, pg_catalog.pg_stat_get_xact_tuples_inserted(catalog) as inserted,
          pg_catalog.pg_stat_get_xact_tuples_updated(catalog) as updated,
          pg_catalog.pg_stat_get_xact_tuples_deleted(catalog) as deleted
        from (values \(list)) as c (catalog)) as counted
      where inserted operator(pg_catalog.+) updated operator(pg_catalog.+) deleted operator(pg_catalog.>) 0
      """)
    var changed = ChangedCatalogs()
    changed.preparedStatements = Set(result.text(0, 0).split(separator: " ").map(String.init))
    changed.isCounting = result[0, 1] == "on"
    changed.hasTransactionID = result[0, 2] != nil
    changed.members = result.text(0, 3)
    for row in 1..<max(1, result.rowCount) {
      let counts = Counts(
        inserted: result.integer(row, 1) ?? 0, updated: result.integer(row, 2) ?? 0,
        deleted: result.integer(row, 3) ?? 0)
      let name = result.text(row, 0)
      if name == "pg_authid", counts.updated + counts.deleted == 0 { continue }
      changed.counts[name] = counts
    }
    return changed
  }
}
