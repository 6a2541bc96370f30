import Maintenance
import Postgres
import TestSupport
import Testing

/// What a role may not see is unknown, with the statement that would let it, and never fine.
@Suite struct HealthRightsTests {
  @Test func `records of runs`() async throws {
    try await withDatabase { database in
      try await database.execute("create materialized view v as select 1 as a; create unique index on v (a)")
      try await record(
        database, "refresh-views", ago: 5, objects: #"[{"name": "public.v", "action": "refreshed"}]"#)
      let jobs = [job(.refreshViews(RelationSelection()))]
      for check in ["jobs", "stale-views"] {
        try await granted(database, check, jobs: jobs, grants: "tsdb")
      }
    }
  }

  @Test func `rows of a table with retention`() async throws {
    try await withDatabase { database in
      try await database.execute("create schema \"S\"; create table \"S\".\"T\" (at date)")
      try await record(database, "retention", ago: 5)
      let jobs = [job(.retention([RetentionRule(table: "S.T", column: "at", keep: .seconds(86_400))]))]
      try await granted(database, "retention-backlog", jobs: jobs, grants: "grant usage on schema \"S\" to")
    }
  }

  @Test func `rows of a DEFAULT partition`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        create table p (at date) partition by range (at); create table d partition of p default;
        create table p_1 partition of p for values from (minvalue) to (maxvalue)
        """)
      let jobs = [job(.partitions([PartitionRule(table: "public.p", ahead: 0)]))]
      // One partition without limits: for the present as well.
      let finding = try await health(database, "partitions", jobs: jobs)
      #expect(finding.summary == "table public.p has no partition for the present")
      try await withRole(on: database) { role in
        let hidden = try await health(database, "partitions", user: role, jobs: jobs)
        let problem = hidden.problems.first { $0.status == .unknown }
        #expect(problem?.remedy == "grant select on \"public\".\"d\" to \"\(role)\";")
        try await database.execute(try #require(problem?.remedy))
        let seen = try await health(database, "partitions", user: role, jobs: jobs)
        #expect(!seen.problems.contains { $0.status == .unknown })
      }
    }
  }

  @Test func `the last value of a sequence`() async throws {
    try await withDatabase { database in
      try await database.execute(
        "create table t (a int generated always as identity); select setval('t_a_seq', 2147483000)")
      try await withRole(on: database) { role in
        let hidden = try await health(database, "sequences", user: role)
        #expect(hidden.status == .unknown)
        #expect(hidden.performance.map(\.text) == ["sequence_used=U"])
        try await database.execute(try #require(hidden.problems.first?.remedy))
        #expect(try await health(database, "sequences", user: role).status == .critical)
      }
    }
  }

  @Test func `transactions of other roles`() async throws {
    try await withDatabase { database in
      let other = database.connect()
      try await other.run { _ = try $0.execute("begin; select 1") }
      try await granted(database, "long-transactions", grants: "grant pg_read_all_stats to")
      try await other.run { _ = try $0.execute("rollback") }
    }
  }

  @Test func `a procedural language`() async throws {
    try await withDatabase { database in
      try await database.execute("revoke usage on language plpgsql from public")
      try await granted(database, "plpgsql", grants: "grant usage on language plpgsql to")
    }
  }

  /// The check is fine for the owner of all, unknown for a plain role, and fine after its remedies.
  private func granted(
    _ database: TestDatabase, _ check: String, jobs: [JobDefinition] = [], grants: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    #expect(try await health(database, check, jobs: jobs).status == .ok, sourceLocation: sourceLocation)
    try await withRole(on: database) { role in
      let hidden = try await health(database, check, user: role, jobs: jobs)
      #expect(hidden.status == .unknown, "\(hidden)", sourceLocation: sourceLocation)
      let remedies = hidden.problems.compactMap(\.remedy)
      #expect(remedies.contains { $0.contains(grants) }, "\(remedies)", sourceLocation: sourceLocation)
      for remedy in remedies { try await database.execute(remedy) }
      let seen = try await health(database, check, user: role, jobs: jobs)
      #expect(seen.status == .ok, "\(seen)", sourceLocation: sourceLocation)
    }
  }
}
