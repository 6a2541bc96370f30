import Postgres

/// Reads catalogue rows under settings of its own.
struct CatalogReader: Sendable {
  var excludedSchemas: [String] = []

  /// All rows, in no particular order.
  func readEverything(on connection: borrowing Connection) throws(PostgresError) -> [CatalogRow] {
    let query = CatalogQuery(
      scope: .everything, excludedSchemas: excludedSchemas, serverVersion: connection.serverVersion)
    var rows: [CatalogRow] = []
    try Self.run(query.text, on: connection) { result in rows = Self.rows(result) }
    return rows
  }

  /// The rows of `groups`, in no particular order.
  func read(
    _ groups: Set<CatalogGroup>, preparedStatements: Set<String>, on connection: borrowing Connection
  ) throws(PostgresError) -> [CatalogRow] {
    let kinds = Set(groups.map(\.kind)).sorted { $0.rawValue < $1.rawValue }
    let query = CatalogQuery(
      scope: .groups(kinds), excludedSchemas: excludedSchemas, serverVersion: connection.serverVersion)
    let parameters = kinds.map { kind in
      "'{" + groups.lazy.filter { $0.kind == kind }.map { String($0.id) }.joined(separator: ",") + "}'"
    }
    let statement = PreparedQuery(types: kinds.map { _ in "oid[]" }, query: query.text)
    var rows: [CatalogRow] = []
    try Self.run(statement.text(parameters, known: preparedStatements), on: connection) { result in
      rows = Self.rows(result)
    }
    return rows
  }

  /// Runs one query under settings that make its text the same in every session, and gives its
  /// result to `body`; the session's settings stay as they were.
  ///
  /// In a transaction block a savepoint restores them; elsewhere the statements of one message are a
  /// transaction by themselves, and settings local to it end with it.
  static func run(
    _ query: String, on connection: borrowing Connection, _ body: (borrowing QueryResult) -> Void
  ) throws(PostgresError) {
    let isNested = connection.isInTransaction
    let before = isNested ? "savepoint tsdb_catalog; " : ""
    let after = isNested ? "; " + endNested : ""
    do {
      try connection.executeEach(before + settings + query + after) { _, result in
        if result.columnCount > 1 { body(result) }
      }
    } catch {
      if isNested, !connection.isBroken { _ = try? connection.execute(endNested) }
      throw error
    }
  }

  private static let endNested = "rollback to savepoint tsdb_catalog; release savepoint tsdb_catalog"

  /// What the text of `pg_get_*` and of constants in it depends on.
  ///
  /// A path of `pg_catalog` alone makes the server qualify every other name; `pg_temp` is named so
  /// that it comes last and hides nothing.
  private static let settings: String = {
    let values = [
      ("search_path", "pg_catalog, pg_temp"), ("quote_all_identifiers", "off"),
      ("standard_conforming_strings", "on"), ("datestyle", "ISO, YMD"), ("intervalstyle", "postgres"),
      ("timezone", "UTC"), ("extra_float_digits", "1"), ("bytea_output", "hex"), ("lc_monetary", "C"),
      // Compiling takes longer than the largest of these queries.
      ("jit", "off"), ("plan_cache_mode", "force_generic_plan"),
    ]
    let calls = values.map { "pg_catalog.set_config('\($0)', '\($1)', true)" }
    return "select " + calls.joined(separator: " || ") + "; "
  }()

  private static func rows(_ result: borrowing QueryResult) -> [CatalogRow] {
    var rows: [CatalogRow] = []
    rows.reserveCapacity(result.rowCount)
    for row in 0..<result.rowCount {
      guard let group = CatalogGroup.Kind(rawValue: result.text(row, 0)),
        let kind = CatalogKind(rawValue: result.text(row, 5))
      else { preconditionFailure("the catalogue query names an unknown kind \(result.text(row, 5))") }
      rows.append(
        CatalogRow(
          group: CatalogGroup(kind: group, id: UInt32(result.text(row, 1)) ?? 0),
          key: CatalogKey(
            catalog: UInt32(result.text(row, 2)) ?? 0, object: UInt32(result.text(row, 3)) ?? 0,
            column: Int32(result.text(row, 4)) ?? 0),
          kind: kind, identity: result.text(row, 6), definition: result[row, 7],
          owner: result[row, 8], privileges: result[row, 9], comment: result[row, 10]))
    }
    return rows
  }
}
