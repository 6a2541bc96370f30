import Archive
import Postgres

/// The connection that holds every lock and the snapshot for the whole run.
struct SnapshotLeader: Sendable {
  let session: Session
  let options: BackupOptions

  /// What the other connections need, and what stands in the manifest.
  struct Snapshot: Sendable {
    /// As exported.
    var id: String
    var lsn: String
    var time: String
    /// Of the database, by PostgreSQL's name.
    var encoding: String
    var serverVersion: Int
    var processID: Int
    var relations: [BackupRelation]
  }

  /// What makes every session give the same text for the same rows.
  ///
  /// Source: PostgreSQL's pg_dump, `setup_connection`. A table with row security is refused rather
  /// than read in part.
  static func settings(encoding: String, serverVersion: Int) -> String {
    var statements = [
      "set client_encoding = \(Quoting.literal(encoding))", "set datestyle = iso",
      "set intervalstyle = postgres", "set extra_float_digits = 3", "set bytea_output = hex",
      "set xmloption = content", "set synchronize_seqscans = off", "set row_security = off",
      "set statement_timeout = 0", "set idle_in_transaction_session_timeout = 0",
      "set search_path = ''", "set quote_all_identifiers = off", "set timezone = 'UTC'",
      "set default_transaction_isolation = 'read committed'",
      // A plan of a range scan is not worth compiling, nor worth workers that others need.
      "set jit = off", "set max_parallel_workers_per_gather = 0",
    ]
    if serverVersion >= 140_000 { statements.append("set idle_session_timeout = 0") }
    if serverVersion >= 170_000 { statements.append("set transaction_timeout = 0") }
    return statements.joined(separator: "; ")
  }

  /// Begins the transaction, locks, and exports the snapshot.
  ///
  /// - Parameter selection: gives the oids that are to be backed up; nil for all.
  func open(selection: Set<UInt32>?) async throws -> Snapshot {
    let options = options
    for attempt in 1... {
      do {
        return try await session.run { connection in
          try Self.open(connection, options: options, selection: selection)
        }
      } catch let error as PostgresError where error.isUndefinedTable && attempt < 5 {
        // Dropped between the listing and the lock.
        try await session.run { connection in _ = try connection.execute("rollback") }
      }
    }
    throw BackupError(.tryAgain, "tables were dropped while they were being locked, five times over")
  }

  private static func open(
    _ connection: borrowing Connection, options: BackupOptions, selection: Set<UInt32>?
  ) throws -> Snapshot {
    let encoding = connection.parameterStatus("server_encoding") ?? "UTF8"
    let version = connection.serverVersion
    try connection.setClientEncoding(encoding)
    try connection.execute(settings(encoding: encoding, serverVersion: version))
    try connection.execute("set lock_timeout = '\(options.lockTimeout.milliseconds)ms'")
    let before = try list(options, encoding: encoding, on: connection)
    try connection.execute("begin isolation level repeatable read read only")
    // No snapshot is taken by LOCK TABLE; see the design.
    try lock(wanted(before, selection), on: connection)
    let facts = try snapshot(on: connection)
    let relations = try list(options, encoding: encoding, on: connection)
    try lockRest(of: wanted(relations, selection), on: connection)
    try connection.execute("set lock_timeout = 0")
    return Snapshot(
      id: facts.id, lsn: facts.lsn, time: facts.time, encoding: encoding, serverVersion: version,
      processID: facts.processID,
      relations: try texts(of: relations, encoding: encoding, on: connection))
  }

  private static func snapshot(
    on connection: borrowing Connection
  ) throws -> (id: String, lsn: String, time: String, processID: Int) {
    let result = try connection.query(
      """
      select pg_catalog.pg_export_snapshot(),
        case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
          else pg_catalog.pg_current_wal_insert_lsn() end,
        pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        pg_catalog.pg_backend_pid()
      """)
    return (result.text(0, 0), result.text(0, 1), result.text(0, 2), result.integer(0, 3) ?? 0)
  }

  /// All relations; extensions' configuration only as far as the options select it.
  private static func list(
    _ options: BackupOptions, encoding: String, on connection: borrowing Connection
  ) throws -> [BackupRelation] {
    let relations = try BackupRelation.list(on: connection)
    guard !options.isWholeDatabase, relations.contains(where: { $0.configurationCondition != nil }) else {
      return relations
    }
    let selected = try TablePatterns.selected(by: options, encoding: encoding, on: connection)
    return relations.map { relation in
      var relation = relation
      if !selected.contains(relation.oid) { relation.configurationCondition = nil }
      return relation
    }
  }

  /// Whether every relation has the name still under which it was read.
  ///
  /// A lock on a table does not keep its schema from being renamed, and then its name may be another
  /// table's.
  /// - Throws: ``BackupError`` of kind `tryAgain` when one has not.
  static func checkNames(_ relations: [BackupRelation], on connection: borrowing Connection) throws {
    for batch in relations.chunked(by: 1000) {
      // Names under the snapshot, looked up as they are now.
      let result = try connection.query(
        """
        select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid = any ('{\(batch.map { String($0.oid) }.joined(separator: ","))}'::pg_catalog.oid[])
          and pg_catalog.to_regclass(pg_catalog.quote_ident(n.nspname) || '.'
            || pg_catalog.quote_ident(c.relname))::pg_catalog.oid is distinct from c.oid
        limit 1
        """)
      guard result.rowCount == 0 else {
        throw BackupError(
          .tryAgain, "\(ReadableName.text(result.bytes(0, 0) ?? [])) got another name during the backup",
          detail: "It, or its schema, was renamed, so rows of another table could have been read.",
          hint: "run the same command again when the change is through")
      }
    }
  }

  /// What is locked. A selection comes from `pg_dump`, which names no member of an extension.
  private static func wanted(_ relations: [BackupRelation], _ selection: Set<UInt32>?) -> [BackupRelation] {
    relations.filter { relation in
      guard relation.kind != .sequence else { return false }
      return relation.isExtensionMember
        ? relation.configurationCondition != nil : selection?.contains(relation.oid) ?? true
    }
  }

  private static func lock(
    _ relations: [BackupRelation], on connection: borrowing Connection
  ) throws {
    for batch in relations.chunked(by: 100) {
      let names = batch.map { Array("ONLY ".utf8) + $0.qualifiedName }.joined(separator: Array(", ".utf8))
      try connection.execute(
        Array("lock table ".utf8) + Array(names) + Array(" in access share mode".utf8))
    }
  }

  /// Locks what was not there before the snapshot, or had another name.
  ///
  /// A table whose name went to another one while its lock was waited for is not locked. Since these locks
  /// come after the snapshot, a TRUNCATE or a rewrite could have come in between; it shows in the file.
  /// - Throws: ``BackupError`` of kind `tryAgain` when it did.
  private static func lockRest(
    of relations: [BackupRelation], on connection: borrowing Connection
  ) throws {
    let held = try connection.query(
      """
      select relation from pg_catalog.pg_locks
      where pid = pg_catalog.pg_backend_pid() and locktype = 'relation' and mode = 'AccessShareLock'
        and granted
      """)
    let locked = Set((0..<held.rowCount).compactMap { UInt32(held.text($0, 0)) })
    let rest = relations.filter { !locked.contains($0.oid) }
    guard !rest.isEmpty else { return }
    try lock(rest, on: connection)
    // The one is read under the snapshot, the other is what is now.
    let changed = try connection.query(
      """
      select count(*) from pg_catalog.pg_class c
      where c.oid = any ('{\(rest.map { String($0.oid) }.joined(separator: ","))}'::pg_catalog.oid[])
        and c.relkind = 'r' and c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid)
      """)
    guard changed.integer(0, 0) == 0 else {
      throw BackupError(
        .tryAgain, "tables were emptied or rewritten while they were being locked",
        hint: "run the same command again when the change is through")
    }
  }

  /// The names as UTF-8, where the database has another encoding.
  ///
  /// A SQL_ASCII database does not know its encoding, and the server converts nothing there.
  private static func texts(
    of relations: [BackupRelation], encoding: String, on connection: borrowing Connection
  ) throws -> [BackupRelation] {
    guard encoding != "UTF8", encoding != "SQL_ASCII" else { return relations }
    try connection.setClientEncoding("UTF8")
    let result = try connection.query(
      """
      select c.oid, n.nspname, c.relname
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'S')
      """)
    var names: [UInt32: (String, String)] = [:]
    for row in 0..<result.rowCount {
      names[UInt32(result.text(row, 0)) ?? 0] = (result.text(row, 1), result.text(row, 2))
    }
    try connection.setClientEncoding(encoding)
    return relations.map { relation in
      var relation = relation
      if let (schema, name) = names[relation.oid] {
        (relation.schemaText, relation.nameText) = (schema, name)
      }
      return relation
    }
  }
}

extension Duration {
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}

extension Array {
  /// The elements in order, `size` at a time.
  func chunked(by size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
