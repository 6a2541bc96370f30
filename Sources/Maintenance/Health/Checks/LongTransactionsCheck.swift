import Postgres

/// Transactions that hold back VACUUM and keep locks.
enum LongTransactionsCheck: HealthCheck {
  static let running = HealthThreshold(
    "transaction-age", "since a transaction began", .seconds, warning: 3600, critical: 6 * 3600)
  static let idle = HealthThreshold(
    "idle-transaction-age", "since an open transaction last did anything", .seconds, warning: 600,
    critical: 3600)
  static let prepared = HealthThreshold(
    "prepared-transaction-age", "since a transaction was prepared", .seconds, warning: 3600, critical: 86_400)
  static let description = HealthCheckDescription(
    "long-transactions",
    looksAt: "transactions of this database that are open for long, idle in it, or prepared",
    rights: "membership in pg_read_all_stats, to see other roles' transactions",
    thresholds: [running, idle, prepared])

  struct Transaction: Sendable, Equatable {
    let processID: Int
    let role: String
    let application: String
    let isIdle: Bool
    /// Seconds since it began.
    let age: Int64
    /// Seconds since the session's state changed.
    let idleFor: Int64
  }

  struct Prepared: Sendable, Equatable {
    /// As a literal.
    let name: String
    let owner: String
    let age: Int64
  }

  struct Facts: Sendable, Equatable {
    var open: [Transaction] = []
    var prepared: [Prepared] = []
    /// Roles whose sessions show nothing to this one, with how many there are.
    var hidden: [String] = []
    var hiddenSessions: Int64 = 0
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    let open = try connection.query(
      """
      select a.pid, a.usename, a.application_name, a.state like 'idle in transaction%',
        floor(extract(epoch from clock_timestamp() - a.xact_start))::bigint,
        floor(extract(epoch from clock_timestamp() - a.state_change))::bigint
      from pg_stat_activity as a
      where a.datname = current_database() and a.pid <> pg_backend_pid() and a.xact_start is not null
        and a.backend_type = 'client backend'
      order by a.xact_start
      """)
    let hidden = try connection.query(
      """
      select a.usename, count(*) from pg_stat_activity as a
      where a.datname = current_database() and a.usesysid is not null and a.backend_type is null
      group by 1 order by 1
      """)
    let prepared = try connection.query(
      """
      select quote_literal(gid), owner, floor(extract(epoch from clock_timestamp() - prepared))::bigint
      from pg_prepared_xacts where database = current_database() order by prepared
      """)
    func number(_ text: String) -> Int64 { Int64(text) ?? 0 }
    return Facts(
      open: (0..<open.rowCount).map {
        Transaction(
          processID: open.integer($0, 0) ?? 0, role: open.text($0, 1), application: open.text($0, 2),
          isIdle: open.isTrue($0, 3), age: number(open.text($0, 4)), idleFor: number(open.text($0, 5)))
      },
      prepared: (0..<prepared.rowCount).map {
        Prepared(name: prepared.text($0, 0), owner: prepared.text($0, 1), age: number(prepared.text($0, 2)))
      },
      hidden: (0..<hidden.rowCount).map { hidden.text($0, 0) },
      hiddenSessions: (0..<hidden.rowCount).reduce(0) { $0 + number(hidden.text($1, 1)) })
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    let (running, idle, prepared) = (context.limit(running), context.limit(idle), context.limit(prepared))
    var problems: [HealthProblem] = []
    for transaction in facts.open {
      let byAge = running.status(of: Double(transaction.age))
      let byIdleness = transaction.isIdle ? idle.status(of: Double(transaction.idleFor)) : .ok
      let status = HealthStatus.worst([byAge, byIdleness])
      guard status != .ok else { continue }
      let what =
        byIdleness == status
        ? "idle in transaction for \(HealthText.span(transaction.idleFor))"
        : "in a transaction for \(HealthText.span(transaction.age))"
      problems.append(
        HealthProblem(
          status,
          "session \(transaction.processID) of role \(Quoting.identifier(transaction.role)) is \(what)",
          detail: "VACUUM cannot remove what died since"
            + (transaction.application.isEmpty
              ? "." : "; the application is \"\(transaction.application)\"."),
          remedy: "select pg_terminate_backend(\(transaction.processID));"))
    }
    for transaction in facts.prepared where prepared.status(of: Double(transaction.age)) != .ok {
      problems.append(
        HealthProblem(
          prepared.status(of: Double(transaction.age)),
          "transaction \(transaction.name) was prepared \(HealthText.span(transaction.age)) ago",
          detail: "It keeps its locks over restarts; it is of role \(Quoting.identifier(transaction.owner)).",
          remedy: "rollback prepared \(transaction.name);"))
    }
    if facts.hiddenSessions > 0 {
      problems.append(
        HealthProblem(
          .unknown,
          "\(HealthText.count(facts.hiddenSessions, "session", "sessions")) of other roles may not be looked at by this role",
          detail: "They are of \(facts.hidden.map { Quoting.identifier($0) }.joined(separator: ", ")).",
          remedy: "grant pg_read_all_stats to \(context.grantee);"))
    }
    let isWhole = facts.hiddenSessions == 0
    return HealthFinding(
      name, problems: problems, several: "long transactions", fine: "no long transactions",
      performance: [
        running.performance(isWhole ? Double(facts.open.map(\.age).max() ?? 0) : nil),
        idle.performance(isWhole ? Double(facts.open.filter(\.isIdle).map(\.idleFor).max() ?? 0) : nil),
        prepared.performance(Double(facts.prepared.map(\.age).max() ?? 0)),
      ])
  }
}
