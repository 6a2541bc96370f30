import Postgres

/// What server answered.
enum ServerCheck: HealthCheck {
  static let description = HealthCheckDescription(
    "server", looksAt: "that the server answers; its version, since when it runs, whether it is a standby")

  struct Facts: Sendable, Equatable {
    let version: String
    let uptime: Int64
    let isInRecovery: Bool
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    let result = try connection.query(
      """
      select current_setting('server_version'),
        floor(extract(epoch from clock_timestamp() - pg_postmaster_start_time()))::bigint, pg_is_in_recovery()
      """)
    return Facts(
      version: result.text(0, 0), uptime: Int64(result.text(0, 1)) ?? 0, isInRecovery: result.isTrue(0, 2))
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    HealthFinding(
      name, .ok,
      "PostgreSQL \(facts.version), up for \(HealthText.span(facts.uptime))"
        + (facts.isInRecovery ? ", a standby" : ""),
      performance: [PerformanceData("uptime", Double(facts.uptime), unit: .seconds)])
  }
}
