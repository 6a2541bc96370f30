import Postgres

/// With whose rights the rows of a table are read and changed.
///
/// What an owner has put on a table (triggers, checks, functions in predicates of indexes) runs with the rights of
/// whoever touches the rows. A superuser's session therefore works through a SECURITY DEFINER function of the owner:
/// as after SET ROLE, but nothing that is called from it can set the role back. REFRESH, VACUUM, ANALYZE
/// and the building of indexes do the same by themselves. Source: PostgreSQL manual, CREATE FUNCTION and SET ROLE.
struct OwnerRights: Sendable, Equatable {
  struct Owner: Sendable, Equatable {
    let oid: UInt32
    let name: String
  }

  /// nil where statements are run as they are: by a role that is no superuser, or on a superuser's table.
  let owner: Owner?

  static let session = OwnerRights(owner: nil)

  /// Whether whoever is connected could make anything of code that runs in the session. Also one that has set another role: it can be set back.
  static let isSuperuser = """
    exists (
      select from pg_catalog.pg_roles as s where s.rolname in (current_user, session_user) and s.rolsuper)
    """

  /// Of a relation.
  static func of(_ relation: UInt32, on connection: borrowing Connection) throws(PostgresError) -> OwnerRights
  {
    let result = try connection.query(
      """
      select o.oid::bigint, o.rolname from pg_catalog.pg_class as c
      join pg_catalog.pg_roles as o on o.oid = c.relowner
      where c.oid = $1::oid and not o.rolsuper and \(isSuperuser)
      """, ["\(relation)"])
    guard result.rowCount > 0, let oid = result.integer(0, 0) else { return .session }
    return OwnerRights(owner: Owner(oid: UInt32(oid), name: result.text(0, 1)))
  }

  /// Runs a statement that returns rows, with these rights.
  ///
  /// For an owner in a transaction that is rolled back, or ended by ``settle(on:)``.
  /// - Parameters:
  ///   - parameters: at most four, each with a cast in the statement.
  ///   - columns: of the result, as in a column definition list.
  func query(
    _ statement: String, _ parameters: [String?] = [], columns: String, on connection: borrowing Connection
  ) throws -> QueryResult {
    guard let owner else { return try connection.query(statement, parameters) }
    try require(owner, on: connection)
    let result: QueryResult
    do {
      result = try connection.query(
        """
        select * from \(Self.function(owner))($1::pg_catalog.text, $2::pg_catalog.text[]) as r (\(columns))
        """, [statement, Self.array(parameters)])
    } catch {
      throw Self.explained(error, owner)
    }
    try Self.takeBack(on: connection)
    return result
  }

  /// Runs one statement that only reads, outside of a transaction.
  func read(
    _ statement: String, columns: String, on connection: borrowing Connection
  ) throws -> QueryResult {
    guard owner != nil else { return try connection.query(statement) }
    try prepare(on: connection)
    try connection.execute("begin read only")
    defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
    return try query(statement, columns: columns, on: connection)
  }

  /// Makes what the transaction has put off happen with these rights as well, and not at its end with the session's.
  ///
  /// - Throws: ``MaintenanceError`` where that puts off more and more.
  func settle(on connection: borrowing Connection) throws {
    guard let owner else { return }
    // A cursor WITH HOLD would be read to its end by the commit.
    try connection.execute("close all")
    let mayDefer = try connection.query(
      "select exists (select from pg_catalog.pg_trigger as t where t.tgdeferrable and not t.tgisinternal)"
    ).isTrue(0, 0)
    guard mayDefer else { return }
    try fireDeferred(owner, on: connection)
    // Whatever is put off again comes of a row that is written, and a table with events pending cannot be truncated.
    let before = try Self.written(on: connection)
    try fireDeferred(owner, on: connection)
    guard try Self.written(on: connection) == before else {
      throw MaintenanceError(
        .failed, "deferred triggers of \"\(owner.name)\" put off more work each time they are run",
        hint: "let tsdb maintain connect as \(Quoting.identifier(owner.name)), not as a superuser")
    }
    try connection.execute("close all")
  }

  /// For the beginning of a transaction that writes: what ``settle(on:)`` counts is counted.
  func begin(on connection: borrowing Connection) throws {
    guard let owner else { return }
    try make(owner, on: connection)
    try connection.execute("begin; set local track_counts = on")
  }

  /// For the beginning of a transaction that reads and is rolled back.
  func prepare(on connection: borrowing Connection) throws {
    guard let owner else { return }
    try make(owner, on: connection)
  }

  // MARK: -

  private func fireDeferred(_ owner: Owner, on connection: borrowing Connection) throws {
    try require(owner, on: connection)
    do {
      let result = try connection.query(
        "select * from \(Self.function(owner))($1::pg_catalog.text, null::pg_catalog.text[]) as r (a int)",
        ["set constraints all immediate"])
      _ = result.rowCount
    } catch {
      throw Self.explained(error, owner)
    }
    try Self.takeBack(on: connection)
  }

  /// Settings that decide what the next statement's names and literals mean, in the rest of the transaction.
  private static func takeBack(on connection: borrowing Connection) throws(PostgresError) {
    try connection.execute(
      "set local search_path = pg_catalog, pg_temp; set local standard_conforming_strings = on")
  }

  private static func explained(_ error: PostgresError, _ owner: Owner) -> PostgresError {
    guard error.isInsufficientPrivilege else { return error }
    return PostgresError(
      origin: error.origin, sqlState: error.sqlState, message: error.message, detail: error.detail,
      hint: error.hint
        ?? "it ran with the rights of the table's owner \(Quoting.identifier(owner.name)), not with the superuser's"
    )
  }

  private static func array(_ parameters: [String?]) -> String {
    let elements = parameters.map { parameter in
      guard let parameter else { return "null" }
      let escaped = parameter.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
      return "\"\(String(escaped))\""
    }
    return "{\(elements.joined(separator: ","))}"
  }

  private static func function(_ owner: Owner) -> String { "pg_temp.tsdb_as_\(owner.oid)" }

  private static let source = """

    begin
      if given is null then
        execute statement;
      else
        return query execute statement using given[1], given[2], given[3], given[4];
      end if;
    end
    """

  private static let isIntact = """
    select exists (
      select from pg_catalog.pg_proc as p join pg_catalog.pg_language as l on l.oid = p.prolang
      where p.oid = pg_catalog.to_regprocedure($1) and p.prosecdef and p.proowner = $2::oid and p.prosrc = $3
        and p.proconfig is null and p.prokind = 'f' and l.lanname = 'plpgsql')
    """

  private static func isIntact(_ owner: Owner, on connection: borrowing Connection) throws(PostgresError)
    -> Bool
  {
    try connection.query(isIntact, ["\(function(owner))(text, text[])", "\(owner.oid)", source]).isTrue(0, 0)
  }

  /// It belongs to the owner, who could have made another of it since.
  private func require(_ owner: Owner, on connection: borrowing Connection) throws {
    guard try Self.isIntact(owner, on: connection) else {
      throw MaintenanceError(
        .failed, "\"\(owner.name)\" has changed the function by which a superuser works with its rights",
        detail: "Code of the role ran in the session and did so.",
        hint: "look at the triggers and functions of \(Quoting.identifier(owner.name))")
    }
  }

  /// Outside of a transaction, for one that only reads cannot make it.
  private func make(_ owner: Owner, on connection: borrowing Connection) throws(PostgresError) {
    if try Self.isIntact(owner, on: connection) { return }
    let signature = "\(Self.function(owner))(pg_catalog.text, pg_catalog.text[])"
    try connection.execute(
      """
      drop function if exists \(signature);
      create function \(Self.function(owner))(statement pg_catalog.text, given pg_catalog.text[])
      returns setof record language plpgsql security definer as \(Quoting.literal(Self.source));
      alter function \(signature) owner to \(Quoting.identifier(owner.name))
      """)
  }

  /// The rows that the transaction has written, by table.
  private static func written(on connection: borrowing Connection) throws(PostgresError) -> String? {
    let result = try connection.query(
      """
      select pg_catalog.string_agg(pg_catalog.concat_ws(' ', w.relid, w.n_tup_ins, w.n_tup_upd, w.n_tup_del), ',' order by w.relid)
      from pg_catalog.pg_stat_xact_all_tables as w where w.n_tup_ins + w.n_tup_upd + w.n_tup_del > 0
      """)
    return result[0, 0]
  }
}
