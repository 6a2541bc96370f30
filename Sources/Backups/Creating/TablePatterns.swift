import Postgres

/// `pg_dump`'s patterns of tables as conditions in SQL, for what `pg_dump` does not tell of itself: which
/// extensions' configuration tables a selection takes in.
///
/// Source: PostgreSQL's `string_utils.c`, `patternToSQLRegex`.
enum TablePatterns {
  /// A pattern as regular expressions.
  struct Expressions: Equatable {
    /// nil where the pattern names no schema, and means tables that are visible without one.
    var schema: String?
    var name: String
  }

  static func expressions(_ pattern: String) -> Expressions {
    var parts = [""]
    var isQuoted = false
    var scalars = Array(pattern.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      let last = parts.count - 1
      switch scalar {
      case "\"":
        if isQuoted, scalars.first == "\"" {
          parts[last] += "\""
          scalars.removeFirst()
        } else {
          isQuoted.toggle()
        }
      case "*" where !isQuoted: parts[last] += ".*"
      case "?" where !isQuoted: parts[last] += "."
      case "." where !isQuoted: parts.append("")
      case "$": parts[last] += "\\$"
      case _ where isQuoted && "|*+?()[]{}.^\\".unicodeScalars.contains(scalar):
        parts[last] += "\\\(scalar)"
      default: parts[last] += isQuoted ? String(scalar) : String(scalar).lowercased()
      }
    }
    let schema = parts.count > 1 ? "^(\(parts[parts.count - 2]))$" : nil
    return Expressions(schema: schema, name: "^(\(parts[parts.count - 1]))$")
  }

  /// A condition on `pg_class` as `c` and `pg_namespace` as `n`: matched by one of `patterns`.
  static func condition(_ patterns: [String]) -> String {
    patterns.map { pattern in
      let expressions = expressions(pattern)
      let schema =
        expressions.schema.map { "n.nspname operator(pg_catalog.~) \(Quoting.literal($0))" }
        ?? "pg_catalog.pg_table_is_visible(c.oid)"
      return "(c.relname operator(pg_catalog.~) \(Quoting.literal(expressions.name)) and \(schema))"
    }.joined(separator: " or ")
  }

  /// The tables and sequences that the options select, by oid.
  ///
  /// Leaves the session without a search path, as it was.
  static func selected(
    by options: BackupOptions, encoding: String, on connection: borrowing Connection
  ) throws(PostgresError) -> Set<UInt32> {
    let isWanted = options.tables.isEmpty ? "true" : condition(options.tables)
    let isExcluded = options.excludedTables.isEmpty ? "false" : condition(options.excludedTables)
    try connection.setClientEncoding(encoding == "SQL_ASCII" ? encoding : "UTF8")
    // Names without a schema are looked up as pg_dump does it.
    try connection.execute("reset search_path")
    let result = try connection.query(
      """
      select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'S') and (\(isWanted)) and not (\(isExcluded))
      """)
    try connection.execute("set search_path = ''")
    try connection.setClientEncoding(encoding)
    return Set((0..<result.rowCount).compactMap { UInt32(result.text($0, 0)) })
  }
}
