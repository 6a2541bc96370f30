import Postgres
import SQLSyntax

/// What the catalogue says about an index that a statement creates.
struct IndexState: Sendable, Equatable {
  /// Qualified and quoted.
  let identity: String
  let isValid: Bool
  /// The process that is building it now, if one is.
  let builder: Int?

  /// The index named by `statement` on its table; nil where there is none.
  static func find(_ statement: IndexCreation, on connection: borrowing Connection) throws(PostgresError)
    -> IndexState?
  {
    guard let name = statement.index?.name else { return nil }
    // An index always lives in the schema of its table.
    let result = try connection.query(
      """
      select format('%I.%I', n.nspname, c.relname),
        -- An index made ON ONLY a partitioned table is invalid until its parts are attached.
        c.relkind = 'I' or (i.indisvalid and i.indisready),
        (select p.pid from pg_catalog.pg_stat_progress_create_index p
          where p.index_relid = c.oid and p.datid = (select oid from pg_catalog.pg_database
            where datname = current_database()) limit 1)
      from pg_catalog.pg_class c
        join pg_catalog.pg_index i on i.indexrelid = c.oid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relname = $1
        and c.relnamespace = (select relnamespace from pg_catalog.pg_class where oid = to_regclass($2))
      """, [name, statement.table.quoted])
    guard result.rowCount > 0 else { return nil }
    return IndexState(
      identity: result.text(0, 0), isValid: result.isTrue(0, 1), builder: result.integer(0, 2))
  }

  /// The names of all indexes that a failed build left invalid; usually none.
  static func invalidNames(on connection: borrowing Connection) throws(PostgresError) -> Set<String> {
    let result = try connection.query(
      """
      select c.relname
      from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
      where not (i.indisvalid and i.indisready) and c.relkind = 'i'
      """)
    return Set((0..<result.rowCount).map { result.text($0, 0) })
  }

  /// The error for an invalid index that is not ours to drop.
  func refusal(location: SourceLocation, excerpt: String) -> MigrationError {
    MigrationError(
      .failed, "index \(identity) exists but is invalid: an earlier build of it failed",
      detail: "IF NOT EXISTS would have been content with it, and no query would ever use it.",
      hint: "run: drop index concurrently \(identity); then run the same command again",
      location: location, excerpt: excerpt)
  }
}

extension ObjectReference {
  /// Quoted for SQL, qualified where the file qualifies it.
  var quoted: String {
    schema.map { Quoting.identifier($0, name) } ?? Quoting.identifier(name)
  }
}
