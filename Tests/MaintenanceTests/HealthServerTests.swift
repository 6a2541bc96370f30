import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

/// What concerns the whole server or database: transactions, slots, counters, ages.
@Suite struct HealthServerTests {
  @Test func `a transaction that is open for long is told, idle or not`() async throws {
    try await withDatabase { database in
      let other = database.connect()
      try await other.run { _ = try $0.execute("begin; select 1") }
      var limits = HealthLimits()
      let known = HealthChecks.descriptions.flatMap(\.thresholds)
      try limits.set(.warning, "idle-transaction-age=0", among: known)
      try limits.set(.critical, "transaction-age=1s", among: known)
      #expect(try await health(database, "long-transactions").status == .ok)
      try await Task.sleep(for: .milliseconds(2200))
      let finding = try await health(database, "long-transactions", limits: limits)
      #expect(finding.status == .critical)
      #expect(finding.summary.contains("of role \"postgres\" is in a transaction for 2 s"))
      try await database.execute(try #require(finding.problems.first?.remedy))
      try await waitUntil { try await health(database, "long-transactions", limits: limits).status == .ok }
    }
  }

  @Test func `prepared transactions and slots that nobody uses are told with what ends them`() async throws {
    let options = PostgresCluster.Options(configuration: [
      "max_prepared_transactions = 5", "wal_level = logical",
    ])
    try await PostgresCluster.with(options) { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute("create table t (a int)")
        try await database.execute(
          "checkpoint"
        )
        try await database.execute(
          "select pg_create_physical_replication_slot('one', true); select pg_create_logical_replication_slot('two', 'pgoutput')"
        )
        // Behind the slots: a logical one waits for the end of every transaction.
        try await database.execute("begin; insert into t values (1); prepare transaction 'it''s'")
        var limits = HealthLimits()
        let known = HealthChecks.descriptions.flatMap(\.thresholds)
        try limits.set(.critical, "prepared-transaction-age=0", among: known)
        try limits.set(.critical, "slot-wal=1MB", among: known)
        try await Task.sleep(for: .milliseconds(1200))
        let prepared = try await health(database, "long-transactions", limits: limits)
        #expect(prepared.status == .critical)
        try await database.execute(try #require(prepared.problems.first?.remedy))
        #expect(try await health(database, "long-transactions", limits: limits).status == .ok)
        let idle = try await health(database, "replication-slots", limits: limits)
        #expect(idle.status == .warning)
        #expect(
          idle.problems.map(\.summary) == [
            "replication slot one is used by nobody", "replication slot two is used by nobody",
          ])
        try await database.execute("insert into t select generate_series(1, 100000)")
        #expect(try await health(database, "replication-slots", limits: limits).status == .critical)
        for name in ["one", "two"] {
          try await database.execute("select pg_drop_replication_slot('\(name)')")
        }
        #expect(try await health(database, "replication-slots", limits: limits).status == .ok)
      }
    }
  }

  @Test func `PL pgSQL that cannot be loaded is critical`() async throws {
    try await withDatabase { database in
      #expect(try await health(database, "plpgsql").status == .ok)
      try await database.execute(
        "update pg_proc set probin = '$libdir/plpgsql_is_gone' where proname = 'plpgsql_inline_handler'")
      let gone = try await health(database, "plpgsql")
      #expect(gone.status == .critical)
      #expect(gone.summary.contains("PL/pgSQL cannot be loaded: could not access file"))
      try await database.execute("drop extension plpgsql")
      let missing = try await health(database, "plpgsql")
      #expect(missing.status == .critical)
      try await database.execute(try #require(missing.problems.first?.remedy))
      #expect(try await health(database, "plpgsql").status == .ok)
    }
  }

  @Test func `counters that were lost are told, and are there again after the remedy`() async throws {
    try await withDatabase { database in
      try await database.execute("create table t (a int)")
      // A session's counts reach the server at its end at the latest, and must not come after the reset.
      let writer = database.connect()
      try await writer.run { _ = try $0.execute("insert into t select generate_series(1, 100)") }
      await writer.close()
      try await waitUntil {
        try await database.value("select n_tup_ins from pg_stat_user_tables where relname = 't'") == "100"
      }
      try await database.execute("analyze t")
      #expect(try await health(database, "statistics").status == .ok)
      try await database.execute("select pg_stat_reset()")
      try await waitUntil { try await health(database, "statistics").status == .warning }
      try await database.execute(
        try #require(try await health(database, "statistics").problems.first?.remedy))
      try await waitUntil { try await health(database, "statistics").status == .ok }
    }
  }

  @Test func `an age over its limit is told with the oldest relation`() async throws {
    try await withDatabase { database in
      #expect(try await health(database, "wraparound").status == .ok)
      try await database.execute("create table t (a int); select pg_current_xact_id()")
      var limits = HealthLimits()
      try limits.set(.warning, "xid-age=0", among: HealthChecks.descriptions.flatMap(\.thresholds))
      let finding = try await health(database, "wraparound", limits: limits)
      #expect(finding.status == .warning)
      #expect(
        finding.problems.contains { $0.remedy?.hasPrefix("vacuum (freeze) pg_catalog.") == true },
        "\(finding)")
    }
  }

  @Test func `a check that fails is unknown, and the others go on`() async throws {
    try await withDatabase { database in
      try await withRole(on: database) { role in
        try await database.execute("revoke select on pg_catalog.pg_replication_slots from public")
        let report = try await health(database, user: role)
        let finding = report.findings.first { $0.check == "replication-slots" }
        #expect(finding?.status == .unknown)
        #expect(finding?.problems.first?.detail == "SQLSTATE 42501")
        #expect(
          report.findings.filter { $0.status != .ok }.map(\.check)
            // Nor may it see the transactions of the session that the test has open.
            == ["long-transactions", "replication-slots"])
        #expect(report.status == .unknown)
      }
    }
  }
}
