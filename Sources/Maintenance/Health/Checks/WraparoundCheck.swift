import Postgres

/// How far transaction ids and multixacts are from the end of their numbers, where the server stops taking writes.
enum WraparoundCheck: HealthCheck {
  static let xid = HealthThreshold(
    "xid-age",
    "transactions since the oldest unfrozen one; warning 100 million over autovacuum_freeze_max_age, critical at vacuum_failsafe_age",
    warning: nil, critical: nil)
  static let multixact = HealthThreshold(
    "multixact-age",
    "the same of multixacts; autovacuum_multixact_freeze_max_age and vacuum_multixact_failsafe_age",
    warning: nil, critical: nil)
  static let description = HealthCheckDescription(
    "wraparound",
    looksAt: "age of every database's and this one's relations' oldest transaction id and multixact",
    thresholds: [xid, multixact])

  struct Age: Sendable, Equatable {
    let database: String
    let xid: Int64
    let multixact: Int64
  }

  struct Facts: Sendable, Equatable {
    var databases: [Age]
    /// Of this database, quoted and qualified, with its age.
    var oldestRelation: String?
    var oldestMultixactRelation: String?
    var freezeMaxAge: Int64
    var multixactFreezeMaxAge: Int64
    var failsafeAge: Int64
    var multixactFailsafeAge: Int64
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts {
    let databases = try connection.query(
      "select datname, age(datfrozenxid), mxid_age(datminmxid) from pg_database order by 2 desc, 1")
    let rest = try connection.query(
      """
      select
        (select format('%I.%I', n.nspname, c.relname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
          where c.relfrozenxid <> '0' order by age(c.relfrozenxid) desc, c.oid limit 1),
        (select format('%I.%I', n.nspname, c.relname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
          where c.relminmxid <> '0' order by mxid_age(c.relminmxid) desc, c.oid limit 1),
        current_setting('autovacuum_freeze_max_age'), current_setting('autovacuum_multixact_freeze_max_age'),
        current_setting('vacuum_failsafe_age'), current_setting('vacuum_multixact_failsafe_age')
      """)
    func number(_ column: Int) -> Int64 { Int64(rest.text(0, column)) ?? 0 }
    return Facts(
      databases: (0..<databases.rowCount).map {
        Age(
          database: databases.text($0, 0), xid: Int64(databases.text($0, 1)) ?? 0,
          multixact: Int64(databases.text($0, 2)) ?? 0)
      },
      oldestRelation: rest[0, 0], oldestMultixactRelation: rest[0, 1], freezeMaxAge: number(2),
      multixactFreezeMaxAge: number(3), failsafeAge: number(4), multixactFailsafeAge: number(5))
  }

  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding {
    let xid = limit(xid, facts.freezeMaxAge, facts.failsafeAge, context)
    let multixact = limit(multixact, facts.multixactFreezeMaxAge, facts.multixactFailsafeAge, context)
    var problems: [HealthProblem] = []
    for age in facts.databases {
      let here = age.database == context.database
      let name = Quoting.identifier(age.database)
      for (limit, value, noun, relation) in [
        (xid, age.xid, "transactions", facts.oldestRelation),
        (multixact, age.multixact, "multixacts", facts.oldestMultixactRelation),
      ] where limit.status(of: Double(value)) != .ok {
        problems.append(
          HealthProblem(
            limit.status(of: Double(value)), "database \(name) is \(value) \(noun) old",
            detail: "The server stops writes near 2147483648."
              + (here ? relation.map { " The oldest relation is \($0)." } ?? "" : ""),
            remedy: here
              ? relation.map { "vacuum (freeze) \($0);" } ?? "vacuum (freeze);"
              : "vacuum (freeze); in database \(name); where it refuses connections, allow them first"))
      }
    }
    let oldest = facts.databases.map(\.xid).max() ?? 0
    return HealthFinding(
      name, problems: problems, several: "databases near wraparound",
      fine: "the oldest transaction id is \(oldest) old",
      performance: [
        xid.performance(Double(oldest)),
        multixact.performance(facts.databases.map { Double($0.multixact) }.max()),
      ])
  }

  /// Autovacuum acts at `freezeMaxAge`: a database far above is one that it does not get done. VACUUM drops all
  /// courtesy at `failsafeAge`.
  private static func limit(
    _ threshold: HealthThreshold, _ freezeMaxAge: Int64, _ failsafeAge: Int64, _ context: HealthContext
  ) -> HealthThreshold {
    var limit = threshold
    // Setting a failsafe age too high must not hide the end: three quarters of 2^31.
    let critical = min(max(failsafeAge, 1), 1_600_000_000)
    limit.critical = Double(critical)
    limit.warning = Double(min(freezeMaxAge + 100_000_000, critical - 1))
    return context.limit(limit)
  }
}
