import Postgres
import Timekeeping

/// One look at a database by all checks that ask the server.
public struct HealthRun: Sendable {
  public let settings: ConnectionSettings
  public let context: HealthContext
  /// The names of the checks that run.
  public let names: Set<String>
  /// No check is begun after it.
  public let limit: Duration

  public init(
    settings: ConnectionSettings, context: HealthContext, names: Set<String>, limit: Duration = .seconds(30)
  ) {
    self.settings = settings
    self.context = context
    self.names = names
    self.limit = limit
  }

  /// Runs the checks one after another on one connection; one that fails is `unknown`, and the others go on.
  ///
  /// Each reads in a read-only transaction with `statement_timeout` 5 s and `lock_timeout` 200 ms, and gives way to
  /// whoever waits behind it; after three times it is `unknown`.
  /// - Throws: `PostgresError` when no connection can be had.
  public func run() async throws -> HealthReport {
    let session = Session(settings, applicationName: "tsdb check")
    do {
      let report = try await ReadWatch.with(settings) { try await run(on: session, $0) }
      await session.close()
      return report
    } catch {
      await session.close()
      throw error
    }
  }

  private func run(on session: Session, _ watch: ReadWatch) async throws -> HealthReport {
    let given = context
    let context = try await session.run { connection in try Self.identify(given, on: connection) }
    let deadline = ContinuousClock.now + limit
    var findings: [HealthFinding] = []
    for check in HealthChecks.all where names.contains(check.description.name) {
      try Task.checkCancellation()
      guard ContinuousClock.now < deadline else {
        findings.append(
          HealthFinding(
            check.description.name, .unknown,
            "not looked at: the checks before took longer than \(limit.spanText)"))
        continue
      }
      findings.append(await Self.run(check, context, on: session, watch))
    }
    return HealthReport(
      findings: findings, database: context.database, serverVersion: context.serverVersion, time: context.now)
  }

  static func identify(
    _ context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> HealthContext {
    let result = try connection.query(
      "select current_user, pg_catalog.current_database(), pg_catalog.pg_is_in_recovery()")
    var context = context
    context.role = result.text(0, 0)
    context.database = result.text(0, 1)
    context.isInRecovery = result.isTrue(0, 2)
    context.serverVersion = connection.serverVersion
    return context
  }

  private static func run(
    _ check: any HealthCheck.Type, _ context: HealthContext, on session: Session, _ watch: ReadWatch
  ) async -> HealthFinding {
    do {
      let reading = try await watch.read(on: session) { connection in
        // In one transaction, so that it also holds behind a pooler, and nothing stays set.
        try connection.execute(begin)
        defer { if !connection.isBroken { _ = try? connection.execute("rollback") } }
        return try check.run(context, on: connection)
      }
      switch reading {
      case .done(let finding): return finding
      case .yielded(let waiter):
        return HealthFinding(
          check.description.name, .unknown,
          "could not look: gave way to session \(waiter), which waited behind it",
          remedy: "look again when nobody changes tables")
      }
    } catch {
      return failure(check.description, error, context)
    }
  }

  /// Compiling a query of a large catalogue takes longer than the query.
  static let begin = """
    begin isolation level read committed read only;
    set local statement_timeout = '5s'; set local lock_timeout = '200ms';
    set local idle_in_transaction_session_timeout = '30s'; set local search_path = pg_catalog;
    set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';
    set local jit = off;
    """

  /// Not to have seen is never fine.
  static func failure(
    _ check: HealthCheckDescription, _ error: any Error, _ context: HealthContext
  ) -> HealthFinding {
    guard let error = error as? PostgresError else {
      return HealthFinding(check.name, .unknown, "could not look: \(error)")
    }
    let remedy: String? =
      switch error.sqlState {
      case "42501": "let the role \(context.grantee) see it; needed: \(check.rights)"
      case "57014": "look when the server is less busy, or leave it out: tsdb check --skip \(check.name)"
      case "55P03": "look again when the lock is gone"
      default: error.hint
      }
    return HealthFinding(
      check.name, .unknown, "could not look: \(error.message)",
      detail: error.sqlState.isEmpty ? error.detail : "SQLSTATE \(error.sqlState)", remedy: remedy)
  }
}
