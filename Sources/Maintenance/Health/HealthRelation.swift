import Postgres

/// A relation as rules name it: `schema.name`, unquoted.
struct HealthRelation: Sendable, Equatable {
  let schema: String
  let name: String

  /// The schema ends at the first dot; without one it is `public`.
  init(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    schema = parts.count == 2 ? parts[0] : "public"
    name = parts.last ?? ""
  }

  /// For SQL.
  var quoted: String { Quoting.identifier(schema, name) }
}

/// Whether the role may read a table.
enum TableSight: Sendable, Equatable {
  case missing
  /// With the statements that would let it.
  case hidden(grants: String)
  case readable

  /// Asks the catalogue, which every role may read.
  static func look(
    _ relation: HealthRelation, for context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> TableSight {
    let result = try connection.query(
      """
      select has_schema_privilege(n.oid, 'usage'), has_table_privilege(c.oid, 'select')
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')
      """, [relation.schema, relation.name])
    guard result.rowCount > 0 else { return .missing }
    var grants: [String] = []
    if !result.isTrue(0, 0) {
      grants.append("grant usage on schema \(Quoting.identifier(relation.schema)) to \(context.grantee);")
    }
    if !result.isTrue(0, 1) {
      grants.append("grant select on \(relation.quoted) to \(context.grantee);")
    }
    return grants.isEmpty ? .readable : .hidden(grants: grants.joined(separator: " "))
  }

  /// Of a table of the history.
  ///
  /// - Throws: also where it belongs to a role that is not to be trusted.
  static func look(
    history table: String, for context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> TableSight {
    try RecordsOwner.require(schema: context.schema, table: table, on: connection)
    return try look(HealthRelation("\(context.schema).\(table)"), for: context, on: connection)
  }
}

/// What came of reading one object's facts.
enum HealthReading<Facts: Sendable & Equatable>: Sendable, Equatable {
  case read(Facts)
  case missing
  case hidden(grants: String)
  /// The server's message and SQLSTATE.
  case failed(String, sqlState: String)

  /// Reads in a savepoint, so that a failure does not end the transaction for the other objects.
  init(
    on connection: borrowing Connection, _ body: (borrowing Connection) throws(PostgresError) -> HealthReading
  ) throws(PostgresError) {
    try connection.execute("savepoint health")
    do throws(PostgresError) {
      self = try body(connection)
      try connection.execute("release savepoint health")
    } catch {
      guard error.origin == .server else { throw error }
      try connection.execute("rollback to savepoint health")
      self = .failed(error.message, sqlState: error.sqlState)
    }
  }

  /// The problem where there are no facts; `subject` names the object.
  func problem(_ subject: String) -> HealthProblem? {
    switch self {
    case .read: nil
    case .missing:
      HealthProblem(
        .warning, "\(subject) does not exist", remedy: "correct its name in tsdb.yaml, or take it out")
    case .hidden(let grants):
      HealthProblem(.unknown, "\(subject) may not be read by this role", remedy: grants)
    case .failed(let message, let sqlState):
      HealthProblem(.unknown, "\(subject) could not be looked at: \(message)", detail: "SQLSTATE \(sqlState)")
    }
  }
}
