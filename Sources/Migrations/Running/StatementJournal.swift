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

  /// Writes an intent or an outcome.
  func recording(_ state: State, ordinal: Int, line: Int, checksum: String) -> String {
    let finished = state == .done ? "clock_timestamp()" : "null"
    return """
      insert into \(schema.table("statements")) (migration, ordinal, line, checksum, state, finished_at)
      values (\(Quoting.literal(migration)), \(ordinal), \(line), \(Quoting.literal(checksum)), \
      '\(state.rawValue)', \(finished))
      on conflict (migration, ordinal) do update set state = excluded.state, finished_at = excluded.finished_at;

      """
  }

  /// Takes an intent back: the statement failed and left nothing.
  func withdrawing(ordinal: Int) -> String {
    """
    delete from \(schema.table("statements"))
    where migration = \(Quoting.literal(migration)) and ordinal = \(ordinal);

    """
  }

  /// Removes the running row if no statement is recorded any more: the file is absent again.
  var removalIfEmpty: String {
    """
    delete from \(schema.table("migrations")) m
    where m.name = \(Quoting.literal(migration)) and m.state = 'running'
      and not exists (select from \(schema.table("statements")) s where s.migration = m.name);

    """
  }
}
