import Postgres

/// What was applied to a database: reading, and the statements that record.
///
/// Recording is given as SQL text, so that it travels in the same round trip as the commit of the
/// transaction that it belongs to.
public struct MigrationHistory: Sendable {
  public let schema: HistorySchema
  public let toolVersion: String

  public init(schema: HistorySchema, toolVersion: String) {
    self.schema = schema
    self.toolVersion = toolVersion
  }

  /// All entries in the order of application; none where the history does not exist.
  ///
  /// Takes no lock and writes nothing.
  /// - Throws: ``MigrationError`` when a newer tsdb wrote the history, ``PostgresError`` when the
  ///   role may not read it.
  public func read(on connection: borrowing Connection) throws -> [HistoryEntry] {
    guard try schema.exists(on: connection) else { return [] }
    if let version = try schema.installedVersion(on: connection), version > HistorySchema.version {
      throw MigrationError(
        .failed, "the history in schema \"\(schema.name)\" was written by a newer tsdb",
        detail: "It has version \(version); this build knows version \(HistorySchema.version).",
        hint: "use the newer tsdb")
    }
    let result = try connection.query(
      """
      select name, version, checksum, token_checksum, state, repeatable, array_to_string(requires, '/'),
        to_char(applied_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), applied_by, duration_ms,
        catalog_fingerprint, ordinal
      from \(schema.table("migrations"))
      order by ordinal
      """)
    return (0..<result.rowCount).map { row in
      HistoryEntry(
        name: result.text(row, 0), version: result[row, 1], checksum: result.text(row, 2),
        tokenChecksum: result.text(row, 3),
        state: HistoryEntry.State(rawValue: result.text(row, 4)) ?? .applied,
        isRepeatable: result.isTrue(row, 5),
        requirements: result.text(row, 6).split(separator: "/").map(String.init),
        appliedAt: result.text(row, 7), appliedBy: result.text(row, 8),
        durationMilliseconds: result.integer(row, 9) ?? 0, fingerprint: result[row, 10],
        ordinal: result.integer(row, 11) ?? 0)
    }
  }

  /// The objects that applied migrations created, as (migration, object) pairs.
  func createdObjects(
    on connection: borrowing Connection
  ) throws(PostgresError) -> [(migration: String, object: String)] {
    guard try schema.exists(on: connection) else { return [] }
    let result = try connection.query(
      "select m.name, o.object from \(schema.table("migrations")) m, unnest(m.creates) o (object)")
    return (0..<result.rowCount).map { (result.text($0, 0), result.text($0, 1)) }
  }
}

extension MigrationHistory {
  /// Everything that is written about one application of a file.
  struct Record {
    var name: String
    var version: String?
    var checksum: Checksum
    var tokenChecksum: Checksum
    var state: HistoryEntry.State = .applied
    var isRepeatable = false
    var isTransactional = true
    var requirements: [String] = []
    var creates: [String] = []
    var statementCount = 0
    var durationMilliseconds: Int64 = 0
    var fingerprintBefore: String?
    var fingerprint: String?
  }

  /// Inserts a row; a row of the same name is an error, the last guard against applying twice.
  func insertion(_ record: Record) -> String {
    """
    insert into \(schema.table("migrations")) (name, version, checksum, token_checksum, state, repeatable,
      transactional, requires, creates, statement_count, duration_ms, tool_version, fingerprint_before,
      catalog_fingerprint)
    values (\(values(of: record)));

    """
  }

  /// Replaces the row of a repeatable file, or the running row of a `transaction off` file.
  func replacement(_ record: Record) -> String {
    """
    update \(schema.table("migrations")) set (name, version, checksum, token_checksum, state, repeatable,
      transactional, requires, creates, statement_count, duration_ms, tool_version, fingerprint_before,
      catalog_fingerprint) = (\(values(of: record))),
      applied_at = clock_timestamp(), applied_by = session_user,
      ordinal = nextval('\(schema.table("migration_ordinal"))')
    where name = \(Quoting.literal(record.name));

    """
  }

  private func values(of record: Record) -> String {
    [
      Quoting.literal(record.name), Quoting.literal(record.version),
      Quoting.literal(record.checksum.description), Quoting.literal(record.tokenChecksum.description),
      Quoting.literal(record.state.rawValue), record.isRepeatable ? "true" : "false",
      record.isTransactional ? "true" : "false",
      Quoting.literal(Quoting.textArray(record.requirements)) + "::text[]",
      Quoting.literal(Quoting.textArray(record.creates)) + "::text[]",
      String(record.statementCount), String(record.durationMilliseconds), Quoting.literal(toolVersion),
      Quoting.literal(record.fingerprintBefore), Quoting.literal(record.fingerprint),
    ].joined(separator: ", ")
  }

  func deletion(_ name: String) -> String {
    """
    delete from \(schema.table("migrations")) where name = \(Quoting.literal(name));
    delete from \(schema.table("seeds")) where \(Quoting.literal(name)) = any (requires);

    """
  }

  /// What a log line is about.
  enum LogAction: String {
    case applied
    case reapplied
    case undone
    case accepted
    case seeded
  }

  func logging(_ action: LogAction, name: String, checksum: String?, reason: String? = nil) -> String {
    """
    insert into \(schema.table("migration_log")) (action, name, checksum, reason, tool_version) values
      (\(Quoting.literal(action.rawValue)), \(Quoting.literal(name)), \(Quoting.literal(checksum)), \
    \(Quoting.literal(reason)), \(Quoting.literal(toolVersion)));

    """
  }
}
