import Postgres

/// The journal of one `transaction off` file.
struct StatementJournal: Sendable {
  enum State: String, Sendable {
    /// The intent was written; whether the statement took effect is for the catalogue to say.
    case started
    case done
  }

  struct Entry: Sendable, Equatable {
    let checksum: String
    let state: State
  }

  let schema: HistorySchema
  let migration: String

  /// What is recorded, by statement number from 0.
  func read(on connection: borrowing Connection) throws(PostgresError) -> [Int: Entry] {
    let result = try connection.query(
      "select ordinal, checksum, state from \(schema.table("statements")) where migration = $1", [migration])
    var entries: [Int: Entry] = [:]
    for row in 0..<result.rowCount {
      guard let ordinal = result.integer(row, 0) else { continue }
      entries[ordinal] = Entry(
        checksum: result.text(row, 1), state: State(rawValue: result.text(row, 2)) ?? .started)
    }
    return entries
  }

  /// Writes an intent or an outcome, as the role that connected: the file may have set another, which stays set.
  func recording(_ state: State, ordinal: Int, line: Int, checksum: String) -> String {
    let finished = state == .done ? "clock_timestamp()" : "null"
    return """
      set local session authorization default; set local role none;
      insert into \(schema.table("statements")) (migration, ordinal, line, checksum, state, finished_at)
      values (\(Quoting.literal(migration)), \(ordinal), \(line), \(Quoting.literal(checksum)), \
      '\(state.rawValue)', \(finished))
      on conflict (migration, ordinal) do update set state = excluded.state, finished_at = excluded.finished_at;

      """
  }

  /// Clears the journal of an applied file, which is running again.
  var startingOver: String {
    """
    update \(schema.table("migrations")) set state = 'running' where name = \(Quoting.literal(migration));
    delete from \(schema.table("statements")) where migration = \(Quoting.literal(migration));

    """
  }

  /// Takes an intent back: the statement failed and left nothing.
  func withdrawing(ordinal: Int) -> String {
    """
    set local session authorization default; set local role none;
    delete from \(schema.table("statements"))
    where migration = \(Quoting.literal(migration)) and ordinal = \(ordinal);

    """
  }

  /// Takes the running row back if no statement is recorded any more: the file is absent again, or a
  /// repeatable one, which has the fingerprint of its last run, is applied as it was.
  var removalIfEmpty: String {
    let isEmpty = """
      m.name = \(Quoting.literal(migration)) and m.state = 'running'
        and not exists (select from \(schema.table("statements")) s where s.migration = m.name)
      """
    return """
      set local session authorization default; set local role none;
      delete from \(schema.table("migrations")) m where \(isEmpty) and m.catalog_fingerprint is null;
      update \(schema.table("migrations")) m set state = 'applied' where \(isEmpty);

      """
  }
}
