import Postgres

/// A database that can be reached and used, by the role that asks and by those of the application.
public struct DatabaseReachableProbe: Probe {
  public static let name = "database.reachable"
  public static let summary =
    "a new connection gets in, and the database can hold the application: version, encoding, role, no standby; and the application's roles get in and may do their work, as settings, limits and privileges say"
  public static let isProvedByEmptyDatabase = true
  public static let defects = [
    database("takes no writes", "set default_transaction_read_only = on"),
    database("has a search path that does not reach the application", "set search_path = nowhere"),
    // Longer than what the probe's own first statement needs, as it is under it too.
    database("ends every statement at once", "set statement_timeout = '90ms'"),
    database("ends every idle session at once", "set idle_session_timeout = '50ms'"),
    database("takes no connection", "connection limit 0"),
    ProbeDefect(
      "the role that asks may only read here",
      sql: """
        do $$ begin
          execute pg_catalog.format('alter role current_user in database %I set default_transaction_read_only = on',
            pg_catalog.current_database());
        end $$
        """),
    ProbeDefect("a server that is not there", settings: ConnectionProbes.nowhere),
    ProbeDefect("a database that does not exist", settings: ["dbname": "tsdb_selftest_does_not_exist"]),
    ProbeDefect("an application's role that does not exist", arguments: ["role": "tsdb_selftest_nobody"]),
    // Every server has it.
    ProbeDefect("an application's role that may not log in", arguments: ["role": "pg_monitor"]),
  ]

  private static func database(_ what: String, _ change: String) -> ProbeDefect {
    ProbeDefect(
      "a database that \(what)",
      sql: """
        do $$ begin
          execute pg_catalog.format('alter database %I ', pg_catalog.current_database())
            || \(Quoting.literal(change));
        end $$
        """)
  }

  /// The oldest server that the five files run on: replacing a trigger in place needs 14.
  static let oldestServer = 140_000

  let role: String?

  public init(arguments: [String: String]) throws(ChecklistError) {
    role = try ProbeArguments(arguments, of: Self.name, known: ["role"])["role"]
  }

  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    let question = ProbeQuestion(
      "connect anew; server version, encoding, recovery, right to write and to create, Spanish text search; settings "
        + "and limits of the database; a new session of "
        + (role == nil ? "each role that may insert into the application's tables" : "the application's role")
        + ", by its settings, limits and privileges (passwords and pg_hba.conf are not tried)")
    let session = ConnectionProbes.fresh(context)
    do {
      try await session.connect()
    } catch {
      return question.failed(ProbeQuestion.reason(error as? PostgresError ?? Self.lost))
    }
    // Before anything else: what the question sets for itself hides it.
    let given = try? await session.run { connection in
      try connection.query("select name from pg_catalog.pg_settings where source = 'client'").rows()
        .compactMap(\.[0])
    }
    let role = role
    let answer = await question.answer(session) { connection in
      try Self.look(connection, role, given ?? [], question)
    }
    await session.close()
    return answer
  }

  private static let lost = PostgresError(origin: .connecting, message: "")

  private static func look(
    _ connection: borrowing Connection, _ role: String?, _ given: [String], _ question: ProbeQuestion
  ) throws -> ProbeAnswer {
    let facts = try connection.query(
      """
      select current_setting('server_version'), getdatabaseencoding(), pg_is_in_recovery(),
        current_setting('default_transaction_read_only') = 'on',
        exists (select from pg_ts_config where cfgname = 'spanish' and cfgnamespace = 'pg_catalog'::regnamespace),
        exists (select from pg_namespace where nspname = 'public' and has_schema_privilege(oid, 'create')),
        exists (
          select from pg_class where relname = 'support_troubleshooting_sessions'
            and relnamespace = (select oid from pg_namespace where nspname = 'public')),
        format('grant create on schema public to %I', current_user), session_user
      """)
    var faults: [RoleFault] = []
    if connection.serverVersion < oldestServer { faults.append(.init("the server is older than 14")) }
    if facts.text(0, 1) != "UTF8" { faults.append(.init("the encoding is \(facts.text(0, 1)), not UTF8")) }
    if facts.isTrue(0, 2) { faults.append(.init("the server is a standby")) }
    if !facts.isTrue(0, 4) { faults.append(.init("the text search configuration \"spanish\" is missing")) }
    let mayCreate = facts.isTrue(0, 5)
    let isInstalled = facts.isTrue(0, 6)
    if !mayCreate, !isInstalled {
      faults.append(.init("the role may not create in schema public", remedy: facts.text(0, 7)))
    }
    let sight = RoleSight(isInstalled: isInstalled, givenSettings: given)
    faults += try sight.faultsOfDatabase(isRoleNamed: role != nil, on: connection)
    // Said of the database, or of nothing else.
    if facts.isTrue(0, 3), !faults.contains(where: { $0.text.contains("default_transaction_read_only") }) {
      faults.append(.init("transactions of the role that asks may only read"))
    }
    let roles = try role.map { [$0] } ?? (isInstalled ? sight.writers(on: connection) : [])
    for name in roles {
      faults += try sight.faults(of: name, isNamed: role != nil, on: connection)
    }
    guard faults.isEmpty else {
      let remedies = faults.compactMap(\.remedy)
      return question.failed(
        "asked as \(RoleSight.shown(facts.text(0, 8))): " + faults.map(\.text).joined(separator: "; "),
        remedy: remedies.isEmpty ? nil : remedies.joined(separator: "; "))
    }
    let others =
      switch (roles.isEmpty, isInstalled) {
      case (false, _):
        "; \(ProbeText.names(roles.map(RoleSight.shown))): "
          + (roles.count == 1 ? "gets in and works on its tables" : "each gets in and works on its tables")
      case (true, true): "; no other role that logs in may insert into its tables"
      case (true, false): ""
      }
    return question.proved(
      "PostgreSQL \(facts.text(0, 0)), UTF8, takes writes, Spanish text search; asked as "
        + "\(RoleSight.shown(facts.text(0, 8))), which "
        + (mayCreate ? "may create in public" : "finds the application's tables") + others)
  }
}
