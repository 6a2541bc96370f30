import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// A table of records is not used where whoever owns it could make something of those who write to it.
@Suite struct RecordsOwnerTests {
  private let table = JobRunTable(schema: "tsdb")

  private var records: JobRecords {
    JobRecords(
      table: table, caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))
  }

  private func install(_ database: TestDatabase, as user: String) async throws {
    let (table, session) = (table, Session(database.settings(user: user), applicationName: "test"))
    try await session.run { try table.install(on: $0) }
    await session.close()
  }

  @Test(arguments: ["schema", "table"])
  func `a stranger's is refused, and its trigger is not called`(_ what: String) async throws {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await install(database, as: "postgres")
        try await database.execute(
          """
          create function public.grab() returns trigger language plpgsql as
            $f$ begin execute 'alter role \(role) superuser'; return new; end $f$;
          create trigger grab before insert on tsdb.job_runs for each row execute function public.grab();
          alter \(what) tsdb\(what == "table" ? ".job_runs" : "") owner to \(role);
          """)
        let error = await #expect(throws: MaintenanceError.self) {
          try await install(database, as: "postgres")
        }
        #expect(error?.message.contains("belongs to \(role)") == true, "\(String(describing: error))")
        #expect(error?.hint?.contains("alter \(what)") == true)
        let records = records
        let refusal = await #expect(throws: PostgresError.self) {
          try await database.connect().run { _ = try records.histories(of: ["a"], on: $0) }
        }
        #expect(refusal?.sqlState == "55000")
        await #expect(throws: MaintenanceError.self) {
          try await JobRun(
            job: JobDefinition(name: "sample", work: .check, schedule: .every(.seconds(60))), slot: nil,
            now: .now, settings: database.settings, records: records, gates: Gates(), report: { _ in }
          ).run(RefreshViewsJob(RelationSelection()))
        }
        #expect(try await database.value("select rolsuper from pg_roles where rolname = '\(role)'") == "f")
        #expect(try await database.value("select count(*) from tsdb.job_runs") == "0")
        let report = try await HealthRun(
          settings: database.settings,
          context: HealthContext(
            now: .now, jobs: [], schema: "tsdb", limits: HealthLimits(), period: { _ in .seconds(60) }),
          names: ["jobs"]
        ).run()
        #expect(report.findings.first?.status == .unknown)
        #expect(report.findings.first?.summary.contains("belongs to \(role)") == true)
        try await database.execute("alter schema tsdb owner to postgres")
      }
    }
  }

  @Test
  func
    `that of the database's owner, of a superuser, of the role itself and of one it is a member of are used`()
    async throws
  {
    try await withDatabase { database in
      try await withRole(database) { role in
        try await database.execute("create role \(role)_x login; grant \(role) to \(role)_x")
        // A superuser's, by a role that was granted what it needs.
        try await install(database, as: "postgres")
        try await database.execute(
          "grant usage on schema tsdb to \(role)_x; grant select, insert, update on tsdb.job_runs to \(role)_x"
        )
        try await install(database, as: role + "_x")
        // Of a role that it is a member of.
        try await database.execute(
          "alter table tsdb.job_runs owner to \(role); alter schema tsdb owner to \(role)")
        try await install(database, as: role + "_x")
        try await install(database, as: role)
        // Of the database's owner, by others and by a superuser.
        try await database.execute(
          "alter database \(database.name) owner to \(role); revoke \(role) from \(role)_x")
        try await install(database, as: role + "_x")
        try await install(database, as: "postgres")
        try await database.execute(
          "alter database \(database.name) owner to postgres; drop owned by \(role)_x; drop role \(role)_x")
      }
    }
  }
}
