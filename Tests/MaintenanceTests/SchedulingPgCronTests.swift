import Foundation
import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

@Suite(.serialized) struct SchedulingPgCronTests {
  @Test(arguments: [
    (60, "* * * * *"), (300, "*/5 * * * *"), (3600, "0 * * * *"), (21_600, "0 */6 * * *"),
    (86_400, "0 0 * * *"),
    (604_800, "0 0 * * 4"), (420, nil), (90, nil), (5400, nil), (172_800, nil), (18_000, nil), (30, nil),
  ])
  func `spans are five fields only where those mean the same`(seconds: Int64, fields: String?) throws {
    #expect(PgCronPlan.fields(.every(.seconds(seconds))) == fields)
    // The same moments as tsdb's own schedule has.
    guard let fields else { return }
    let now = UTCTime(secondsSince1970: 1_800_000_123)
    #expect(
      JobSchedule.cron(try CronExpression(fields)).nextSlots(after: now, count: 20, zone: .utc)
        == JobSchedule.every(.seconds(seconds)).nextSlots(after: now, count: 20, zone: .utc))
  }

  @Test func `a zone that pg_cron does not keep is refused`() throws {
    var facts = PgCronFacts(database: "app", role: "app", version: "1.4-1")
    let madrid = try TimeZoneRules(named: "Europe/Madrid")
    let jobs = [
      JobDefinition(name: "v", work: .analyze(RelationSelection()), schedule: .every(.seconds(3600)))
    ]
    let relations = PgCronPlan.Relations(
      tables: [VacuumFacts(oid: 1, schema: "public", name: "t", label: "public.t")], serverVersion: 150_000)
    func plan(_ zone: TimeZoneRules) throws -> PgCronPlan {
      try PgCronPlan(name: "app", jobs: jobs, zone: zone, facts: facts, relations: relations)
    }
    let error = #expect(throws: MaintenanceError.self) { try plan(madrid) }
    #expect(error?.detail?.contains("1.5") == true)
    #expect(try plan(.utc).wanted.count == 2)
    facts.timezone = "Europe/Madrid"
    #expect(try plan(madrid).wanted.count == 2)
    #expect(throws: MaintenanceError.self) { try plan(.utc) }
  }

  @Test func `jobs that take more than a statement stay with tsdb maintain`() throws {
    let works: [JobWork] = [
      .partitions([]), .indexes(IndexRule()), .backup(BackupRule()), .check, .command(["true"]),
      .sql(path: "x.sql"),
      .retention([RetentionRule(table: "public.none", column: "at", keep: .seconds(1))]),
    ]
    let jobs = works.map { JobDefinition(name: $0.kind, work: $0, schedule: .every(.seconds(3600))) }
    let plan = try PgCronPlan(
      name: "app", jobs: jobs, zone: .utc, facts: PgCronFacts(database: "d", role: "r", version: "1.4-1"),
      relations: PgCronPlan.Relations(serverVersion: 150_000))
    #expect(plan.wanted.isEmpty && plan.taken.isEmpty)
    #expect(plan.left.map(\.job) == works.map(\.kind))
  }

  @Test(arguments: [nil, Duration.seconds(86_400)])
  func `rows that may go only while a backup is verified are not given to pg_cron`(needsBackup: Duration?)
    throws
  {
    var rule = RetentionRule(table: "public.t", column: "at", keep: .seconds(1))
    rule.needsBackup = needsBackup
    let table = PgCronPlan.ExpiringTable(rule: rule, name: "public.t", isPartitioned: false, hasIndex: true)
    let relations = PgCronPlan.Relations(expiring: [table], serverVersion: 150_000)
    let job = JobDefinition(name: "old", work: .retention([rule]), schedule: .every(.seconds(3600)))
    let plan = try PgCronPlan(
      name: "app", jobs: [job], zone: .utc, facts: PgCronFacts(database: "d", role: "r", version: "1.4-1"),
      relations: relations)
    #expect(plan.taken == (needsBackup == nil ? ["old"] : []))
    #expect(plan.left.map(\.job) == (needsBackup == nil ? [] : ["old"]))
    #expect(plan.wanted.contains { $0.command.contains("delete from public.t") } == (needsBackup == nil))
  }

  @Test func `a long name is cut so that it stays the only one`() throws {
    let tables = ["a", "b"].map {
      VacuumFacts(oid: 1, schema: "s", name: "t", label: "public." + String(repeating: "é", count: 50) + $0)
    }
    let plan = try PgCronPlan(
      name: "app",
      jobs: [JobDefinition(name: "v", work: .analyze(RelationSelection()), schedule: .every(.seconds(60)))],
      zone: .utc, facts: PgCronFacts(database: "d", role: "r", version: "1.4-1"),
      relations: PgCronPlan.Relations(tables: tables, serverVersion: 150_000))
    #expect(Set(plan.wanted.map(\.name)).count == 3)
    #expect(plan.wanted.allSatisfy { $0.name.utf8.count <= 63 && $0.name.hasPrefix("tsdb app ") })
  }

  @Test(
    .enabled(if: hasPgCron, "postgresql-NN-cron is not installed for this server"), .timeLimit(.minutes(4)))
  func `jobs are made, fire, are changed and are taken away`() async throws {
    let options = PostgresCluster.Options(configuration: [
      "shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'",
      "cron.use_background_workers = on", "max_worker_processes = 20",
    ])
    try await PostgresCluster.with(options) { cluster in
      let session = cluster.connect()
      let jobs = try Self.jobs()
      try await session.run { connection in
        let before = try PgCronFacts.read(prefix: PgCronPlan.prefix("app"), on: connection)
        #expect(throws: MaintenanceError.self) { try before.requireUsable() }
        try connection.execute(Self.schema)
      }
      let plan = try await Self.install(jobs, session)
      #expect(plan.taken == ["refresh-views", "vacuum", "retention"])
      #expect(plan.left.map(\.job) == ["backup"])
      #expect(
        plan.wanted.map(\.name) == [
          "tsdb app purge", "tsdb app refresh-views public.mv", "tsdb app retention public.logs",
          "tsdb app vacuum public.logs", "tsdb app vacuum public.mv",
        ])
      // Again: the same jobs, with the same ids.
      func ids() async throws -> [[String?]] {
        try await session.run {
          try $0.query("select jobid, jobname, schedule from cron.job order by 2").rows()
        }
      }
      let made = try await ids()
      _ = try await Self.install(jobs, session)
      #expect(try await ids() == made)

      // Each fires within a minute and a bit, and does its work.
      var done: [String?] = []
      for _ in 0..<100 {
        done = try await session.run {
          try $0.query(
            """
            select distinct j.jobname from cron.job_run_details d join cron.job j using (jobid)
            where d.status = 'succeeded' order by 1
            """
          ).rows().map { $0[0] }
        }
        if done.count >= 4 { break }
        try await Task.sleep(for: .seconds(1))
      }
      let details = try await session.run {
        try $0.query("select command, status, return_message from cron.job_run_details").rows()
      }
      #expect(done.count == 4, "\(details)")
      let left = try await session.run { try $0.query("select count(*), min(n) from public.logs").rows() }
      #expect(left == [["1", "2"]])

      // Only what is ours is taken away; a job that was switched off comes back with install.
      try await session.run {
        _ = try $0.query("select cron.schedule('mine', '0 0 1 1 *', 'select 1')")
        try $0.execute(
          "select cron.alter_job(jobid, active := false) from cron.job where jobname = 'tsdb app purge'")
      }
      let changed = try await session.run { try PgCronFacts.read(prefix: "tsdb app ", on: $0).jobs }
      #expect(changed.contains { $0.name == "tsdb app purge" && !$0.isActive })
      _ = try await Self.install(jobs, session)
      #expect(try await session.run { try PgCronFacts.read(prefix: "tsdb app ", on: $0).jobs } == plan.wanted)
      try await session.run { connection in
        let facts = try PgCronFacts.read(prefix: "tsdb app ", on: connection)
        try PgCronJob.replace(facts.jobs, with: [], on: connection)
      }
      let names = try await session.run { try $0.query("select jobname from cron.job").rows() }
      #expect(names == [["mine"]])
      await session.close()
    }
  }

  @Test(.enabled(if: hasPgCron, "postgresql-NN-cron is not installed for this server"))
  func `an ordinary role has its own jobs, and needs one grant`() async throws {
    let options = PostgresCluster.Options(configuration: [
      "shared_preload_libraries = 'pg_cron'", "cron.database_name = 'postgres'",
      "cron.timezone = 'Europe/Madrid'",
    ])
    try await PostgresCluster.with(options) { cluster in
      let owner = cluster.connect()
      try await owner.run {
        try $0.execute(Self.schema + "create role app login; alter table public.logs owner to app")
      }
      let session = cluster.connect(user: "app")
      let refused = try await session.run { try PgCronFacts.read(prefix: "tsdb app ", on: $0) }
      let error = #expect(throws: MaintenanceError.self) { try refused.requireUsable() }
      #expect(error?.hint == "grant usage on schema cron to \"app\"")
      try await owner.run {
        try $0.execute("grant usage on schema cron to app")
        _ = try $0.query("select cron.schedule('tsdb app purge', '0 0 1 1 *', 'select 1')")
      }
      // The zone of 1.4 is no zone at all, whatever SHOW says.
      let facts = try await session.run { try PgCronFacts.read(prefix: "tsdb app ", on: $0) }
      #expect(facts.timezone == nil || facts.version != "1.4-1")
      let plan = try await Self.install(try Self.jobs(), session)
      #expect(plan.wanted.map(\.name).contains("tsdb app vacuum public.logs"))
      #expect(!plan.wanted.map(\.name).contains("tsdb app refresh-views public.mv"))
      // Both roles have a job of one name now, and neither was changed by the other.
      let rows = try await owner.run {
        try $0.query("select username, command from cron.job where jobname = 'tsdb app purge' order by 1")
          .rows()
      }
      #expect(rows.map { $0[0] } == ["app", "postgres"])
      #expect(rows.last?[1] == "select 1")
      // A superuser sees the other role's and says so.
      let seen = try await owner.run { try PgCronFacts.read(prefix: "tsdb app ", on: $0) }
      #expect(seen.foreignJobs.contains("tsdb app vacuum public.logs"))
      await session.close()
      await owner.close()
    }
  }

  private static let schema = """
    create extension pg_cron;
    create table public.logs (n int primary key, at timestamptz not null);
    create index logs_at_idx on public.logs (at);
    insert into public.logs values (1, now() - interval '2 days'), (2, now());
    create materialized view public.mv as select n from public.logs;
    create unique index mv_key on public.mv (n);
    """

  private static func jobs() throws -> [JobDefinition] {
    let public_ = RelationSelection(include: ["public.*"])
    let every = JobSchedule.cron(try CronExpression("* * * * *"))
    return [
      JobDefinition(name: "refresh-views", work: .refreshViews(public_), schedule: every),
      JobDefinition(name: "vacuum", work: .vacuum(public_, analyze: true), schedule: every),
      JobDefinition(
        name: "retention",
        work: .retention([RetentionRule(table: "public.logs", column: "at", keep: .seconds(86_400))]),
        schedule: every),
      JobDefinition(name: "backup", work: .backup(BackupRule()), schedule: every),
    ]
  }

  private static func install(_ jobs: [JobDefinition], _ session: Session) async throws -> PgCronPlan {
    try await session.run { connection in
      let facts = try PgCronFacts.read(prefix: PgCronPlan.prefix("app"), on: connection)
      let plan = try PgCronPlan(
        name: "app", jobs: jobs, zone: .utc, facts: facts,
        relations: try PgCronPlan.Relations.read(for: jobs, on: connection))
      try PgCronJob.replace(facts.jobs, with: plan.wanted, on: connection)
      return plan
    }
  }

  private static var hasPgCron: Bool {
    guard let binaries = try? PostgresCluster.defaultBinaries() else { return false }
    return FileManager.default.fileExists(atPath: binaries + "/../lib/pg_cron.so")
  }
}
