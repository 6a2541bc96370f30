import Foundation
import TestSupport
import Testing

@Suite struct SchedulePgCronTests {
  @Test(.enabled(if: hasPgCron, "postgresql-NN-cron is not installed for this server"))
  func `pg_cron's jobs are installed, compared and removed`() async throws {
    let options = PostgresCluster.Options(configuration: [
      "shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'",
    ])
    try await PostgresCluster.with(options) { cluster in
      let database = TestDatabase(named: "postgres", on: cluster)
      let project = try TestProject(
        database,
        [
          "tsdb.yaml": """
          maintain:
            jobs:
              vacuum: { schedule: "20 3 * * 0" }
              odd: { kind: analyze, every: 7min }
              clean: { kind: retention, schedule: "@daily", rules: [{ table: public.t, column: at, keep: 7d }] }

          """
        ])
      try await project.tsdb("schedule install --pg-cron --name app").expect(1, "pg_cron", "create extension")
      try await database.execute(
        "create extension pg_cron; create table public.t (at timestamptz); create index t_at on public.t (at)"
      )
      let dry = try await project.tsdb("schedule install --pg-cron --name app --dry-run")
      dry.expect(0)
      #expect(dry.standardOutput.contains("+tsdb app clean public.t"), "\(dry)")
      #expect(try await database.value("select count(*) from cron.job") == "0")

      let made = try await project.tsdb("schedule install --pg-cron --name app --json")
      let document = try made.json()
      #expect(Set(document["taken"] as? [String] ?? []).isSuperset(of: ["vacuum", "clean"]))
      let left = (document["left"] as? [[String: String]] ?? []).compactMap { $0["job"] }
      #expect(Set(left).isSuperset(of: ["odd", "backup", "check"]))
      let names = try await database.rows("select jobname from cron.job order by 1")
      #expect(names.contains(["tsdb app purge"]) && names.contains(["tsdb app vacuum public.t"]))

      #expect(try await project.tsdb("schedule diff --pg-cron --name app").exitStatus == 0)
      try await database.execute(
        "update cron.job set schedule = '1 1 * * *' where jobname = 'tsdb app purge'")
      let diff = try await project.tsdb("schedule diff --pg-cron --name app")
      #expect(diff.exitStatus == 2 && diff.standardOutput.contains("-  1 1 * * *\n+  17 4 * * *"), "\(diff)")
      let shown = try await project.tsdb("schedule show")
      #expect(shown.standardOutput.contains("app: pg_cron, pg_cron of postgres in postgres"))

      try await project.tsdb("schedule remove --pg-cron --name app").expect(64, "--yes")
      try await project.tsdb("schedule remove --pg-cron --name app --yes").expect(0)
      #expect(try await database.value("select count(*) from cron.job") == "0")

      // Only the database that pg_cron works in.
      try await database.execute("create database other")
      let other = try await project.tsdb(
        "schedule install --pg-cron --name app", environment: ["DATABASE_URL": cluster.url(database: "other")]
      )
      other.expect(1, "\"postgres\" only")
    }
  }

  @Test func `a server that is away is said, and may be back`() async throws {
    let project = try TestProject(nil)
    let result = try await project.tsdb(
      "schedule install --pg-cron --name app",
      environment: ["DATABASE_URL": "postgresql://u:sEcReT@127.0.0.1:9/x"])
    result.expect(75, "cannot connect")
    #expect(!"\(result)".contains("sEcReT"))
  }

  private static var hasPgCron: Bool {
    guard let binaries = try? PostgresCluster.defaultBinaries() else { return false }
    return FileManager.default.fileExists(atPath: binaries + "/../lib/pg_cron.so")
  }
}
