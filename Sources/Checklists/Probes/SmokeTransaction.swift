import Postgres
import Timekeeping

/// What a probe that writes found wrong.
struct SmokeFailure: Error, Equatable {
  let observed: String
  var remedy: String?

  init(_ observed: String, remedy: String? = nil) {
    self.observed = observed
    self.remedy = remedy
  }
}

/// Why a probe could not look.
struct SmokeObstacle: Error, Equatable {
  let observed: String
  var remedy: String?
}

/// Statements of a probe in one transaction that is rolled back; nothing but identity counters is left moved.
///
/// Other sessions wait for a probe's row only where they write the same key, which none does: its rows have names of
/// their own. A wait of the probe for others ends after ``lockTimeout``, and the probe tries again.
struct SmokeTransaction: Sendable {
  static let lockTimeout = Duration.seconds(2)
  static let attempts = 3

  let context: ProbeContext
  /// One snapshot for all statements, so that a count changes by the probe's own rows only.
  var isFrozen = false
  /// Of one statement.
  var statementTimeout = Duration.seconds(60)

  init(_ context: ProbeContext, isFrozen: Bool = false) {
    self.context = context
    self.isFrozen = isFrozen
  }

  /// The answer: proved with what `body` returns, failed or unknown with what it throws.
  func answer(asked: String, _ body: @Sendable (borrowing Connection) throws -> String) async -> ProbeAnswer {
    await answer(asked: asked) { ProbeAnswer(.proved, asked: asked, observed: try body($0)) }
  }

  /// The answer that `body` gives, or one for what it throws.
  func answer(
    asked: String, _ body: @Sendable (borrowing Connection) throws -> ProbeAnswer
  ) async -> ProbeAnswer {
    for attempt in 1...Self.attempts {
      do {
        return try await run(body)
      } catch let error as PostgresError where error.isRetryableConflict || error.isLockTimeout {
        guard attempt < Self.attempts, !Task.isCancelled else {
          return await Self.answer(error, asked, context)
        }
        try? await Task.sleep(for: .milliseconds(200 * attempt))
      } catch {
        return await Self.answer(error, asked, context)
      }
    }
    return ProbeAnswer(.unknown, asked: asked, observed: "it was not asked")
  }

  private func run<Result: Sendable>(
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    try await context.session.run { connection in
      guard !connection.isInTransaction else {
        throw SmokeObstacle(observed: "the session has a transaction of its own open")
      }
      guard !Task.isCancelled else { throw CancellationError() }
      try connection.execute(begin)
      let result: Result
      do {
        guard try !connection.query("select pg_catalog.pg_is_in_recovery()").isTrue(0, 0) else {
          throw SmokeObstacle(
            observed: "the server is a standby and takes no writes", remedy: "ask the primary")
        }
        try Self.requireTrust(connection)
        result = try body(connection)
        // What a commit would check: a constraint or a trigger that is deferred may refuse all of it.
        try connection.execute("set constraints all immediate")
      } catch {
        _ = try? connection.execute("rollback")
        throw error
      }
      try connection.execute("rollback")
      return result
    }
  }

  /// A superuser's session runs nobody else's code: the owner of a table decides what its triggers, checks and
  /// rules do, and who may create in "public" decides what a function's name means there.
  ///
  /// SET ROLE would be no protection, as such code can set it back. Source: CVE-2018-1058; PostgreSQL manual,
  /// SET ROLE.
  private static func requireTrust(_ connection: borrowing Connection) throws {
    let owners = try connection.query(
      """
      select pg_catalog.quote_ident(o.rolname) from (
        select relowner from pg_catalog.pg_class
        where relnamespace = pg_catalog.to_regnamespace('public') and relkind in ('r', 'p', 'v', 'm', 'f')
        union
        select proowner from pg_catalog.pg_proc where pronamespace = pg_catalog.to_regnamespace('public')
        union
        select p.proowner from pg_catalog.pg_trigger as t
        join pg_catalog.pg_class as c on c.oid = t.tgrelid join pg_catalog.pg_proc as p on p.oid = t.tgfoid
        where c.relnamespace = pg_catalog.to_regnamespace('public') and not t.tgisinternal
      ) as w (owner)
      join pg_catalog.pg_roles as o on o.oid = w.owner
      where not o.rolsuper and exists (
        select from pg_catalog.pg_roles as s where s.rolname in (current_user, session_user) and s.rolsuper)
      order by 1
      """)
    guard owners.rowCount > 0 else { return }
    let names = owners.rows().compactMap { $0[0] }
    throw SmokeObstacle(
      observed: "a superuser does not run what belongs to others: tables or functions in public are of "
        + names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : ""),
      remedy: "connect as \(names[0]), the owner, or as the application's role")
  }

  private var begin: String {
    """
    begin isolation level \(isFrozen ? "repeatable read" : "read committed");
    set local search_path = pg_catalog, public;
    set local lock_timeout = \(Self.lockTimeout.wholeMilliseconds);
    set local statement_timeout = \(statementTimeout.wholeMilliseconds);
    set local client_min_messages = warning;
    set local idle_in_transaction_session_timeout = 60000
    """
  }
}

extension SmokeTransaction {
  /// The answer for an error; asks the role's name for a GRANT.
  static func answer(_ error: any Error, _ asked: String, _ context: ProbeContext) async -> ProbeAnswer {
    switch error {
    case let failure as SmokeFailure:
      return ProbeAnswer(
        .failed, asked: asked, observed: readable(failure.observed), remedy: failure.remedy)
    case let obstacle as SmokeObstacle:
      return ProbeAnswer(.unknown, asked: asked, observed: obstacle.observed, remedy: obstacle.remedy)
    case let error as PostgresError: return await answer(error, asked, context)
    case is CancellationError: return ProbeAnswer(.unknown, asked: asked, observed: "interrupted")
    default: return ProbeAnswer(.unknown, asked: asked, observed: "it could not be asked")
    }
  }

  private static func answer(
    _ error: PostgresError, _ asked: String, _ context: ProbeContext
  ) async -> ProbeAnswer {
    let observed = described(error)
    if error.isInsufficientPrivilege {
      let role = try? await context.session.run { connection in
        try connection.query("select pg_catalog.quote_ident(current_user)").text(0, 0)
      }
      let name = role ?? "the role"
      return ProbeAnswer(
        .unknown, asked: asked, observed: observed,
        remedy: "grant usage on schema public to \(name); "
          + "grant select, insert, update, delete on all tables in schema public to \(name); "
          + "grant execute on all functions in schema public to \(name)")
    }
    if error.isReadOnlyTransaction {
      return ProbeAnswer(
        .unknown, asked: asked, observed: observed,
        remedy: "the probe writes and rolls back: it needs default_transaction_read_only = off")
    }
    if isObstacle(error) {
      return ProbeAnswer(
        .unknown, asked: asked, observed: observed,
        remedy: error.isLockTimeout || error.isRetryableConflict
          ? "try again when the other work has ended" : nil)
    }
    return ProbeAnswer(.failed, asked: asked, observed: observed)
  }

  /// The server, or somebody else's work, was in the way: it says nothing of the application's schema.
  static func isObstacle(_ error: PostgresError) -> Bool {
    error.origin != .server || error.isServerUnavailable || error.isLockTimeout || error.isRetryableConflict
      || error.isCancellation || error.isInsufficientPrivilege || error.isReadOnlyTransaction
      // Out of memory, disk, or locks; limits of the server.
      || error.sqlState.hasPrefix("53") || error.sqlState.hasPrefix("54") || error.sqlState.hasPrefix("58")
  }

  /// SQLSTATE and message, without what may hold a customer's data: detail, context and addresses.
  static func described(_ error: PostgresError) -> String {
    readable(error.sqlState.isEmpty ? error.message : "\(error.sqlState): \(error.message)")
  }

  /// One line of at most 400 characters, with every word that has an @ in it left out.
  static func readable(_ text: String) -> String {
    let words = text.split(whereSeparator: { $0 == " " || $0.isNewline }).map { $0.contains("@") ? "…" : $0 }
    return String(words.joined(separator: " ").prefix(400))
  }
}
