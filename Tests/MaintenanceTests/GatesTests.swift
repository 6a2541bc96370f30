import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

/// What a job reported.
final class Reported: Sendable {
  private let list = Mutex<[JobEvent]>([])
  var events: [JobEvent] { list.withLock { $0 } }
  var notes: [String] { events.compactMap { if case .note(let text) = $0 { text } else { nil } } }
  var waits: [String] { events.compactMap { if case .waiting(_, let reason) = $0 { reason } else { nil } } }
  var warnings: [String] {
    events.compactMap { if case .warning(let text, _, _) = $0 { text } else { nil } }
  }
  var reporter: JobReporter { { event in self.list.withLock { $0.append(event) } } }
}

/// A body made of a closure.
struct ClosureBody: JobBody {
  let work: @Sendable (JobContext) async throws -> JobResult
  func run(_ context: JobContext) async throws -> JobResult { try await work(context) }
}

/// Runs `body` as a job's.
@discardableResult
func runJob(
  _ database: TestDatabase, user: String = "postgres", gates: Gates = Gates(), now: UTCTime = .now,
  budget: Duration = .seconds(120), reported: Reported = Reported(), _ body: some JobBody
) async throws -> JobResult {
  let records = JobRecords(
    table: JobRunTable(schema: user == "postgres" ? "tsdb" : "tsdb_\(user)"),
    caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))
  let settings = database.settings(user: user)
  try await Session(settings, applicationName: "install").run { try records.table.install(on: $0) }
  let job = JobDefinition(
    name: "sample", work: .check, schedule: .every(.seconds(60)), budget: budget)
  let end = try await JobRun(
    job: job, slot: nil, now: now, settings: settings, records: records, gates: gates,
    report: reported.reporter
  ).run(body)
  guard case .ran(let result) = end else { throw TestSupportError("it did not run: \(end)") }
  return result
}

@Suite struct GatesTests {
  @Test func `gates are open where nothing is behind`() {
    var facts = GateFacts(role: "r")
    facts.replicas = [.init(name: "a", lag: .seconds(30), bytes: 0), .init(name: "b", lag: nil, bytes: nil)]
    facts.archive = .waiting(16)
    #expect(facts.sight(GateLimits()) == Gates.Sight(closed: nil, unseen: []))
  }

  @Test(arguments: [
    (GateFacts(role: "r", replicas: [.init(name: "a", lag: .seconds(31), bytes: 0)]), "31 s behind"),
    (GateFacts(role: "r", replicas: [.init(name: "a", lag: nil, bytes: 300 << 20)]), "300 MiB of WAL behind"),
    (GateFacts(role: "r", archive: .waiting(17)), "17 WAL files"),
    (GateFacts(role: "r", vacuum: 4711), "process 4711"),
  ])
  func `a gate says why it is closed`(facts: GateFacts, text: String) {
    #expect(facts.sight(GateLimits()).closed?.contains(text) == true)
  }

  @Test func `what a role may not see counts as open and names the grant`() {
    let facts = GateFacts(role: "a \"b\"", hiddenReplicas: 2, archive: .unseen)
    let sight = facts.sight(GateLimits())
    #expect(sight.closed == nil)
    #expect(sight.unseen.count == 2)
    #expect(sight.unseen.allSatisfy { $0.hasSuffix("grant pg_monitor to \"a \"\"b\"\"\"") })
  }

  @Test func `a replica that stands still closes the gate, is waited for, and opens it again`() async throws {
    try await PostgresCluster.with(
      PostgresCluster.Options(configuration: ["wal_level = replica", "max_wal_senders = 4"])
    ) { primary in
      let standby = try await primary.createStandby()
      do {
        try await withDatabase(on: primary) { database in
          try await database.execute(
            "create role plain login; grant create on database \(database.name) to plain")
          try await primary.waitForReplay(on: standby)
          _ = try await standby.value("select pg_wal_replay_pause()")
          try await database.execute("create table public.t as select generate_series(1, 50000) as a")
          var limits = GateLimits()
          limits.replicaBytes = 1 << 20
          limits.patience = .milliseconds(900)
          try await waitUntil {
            try await database.value(
              "select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) > 1048576 from pg_stat_replication")
              == "t"
          }
          let reported = Reported()
          let gates = Gates(limits: limits)
          let result = try await runJob(
            database, gates: gates, reported: reported,
            ClosureBody { context in
              let isOpen = try await context.gates.wait(context, object: "t", relation: nil)
              return JobResult(isOpen ? .ok : .partial)
            })
          #expect(result.outcome == .partial)
          #expect(result.waits == 1)
          #expect(reported.waits.count == 1)

          // A role that sees nothing is told once, and does not wait.
          let other = Reported()
          let unseeing = try await runJob(
            database, user: "plain", gates: gates, reported: other,
            ClosureBody { context in
              for relation in [UInt32(1), 2] {
                guard try await context.gates.wait(context, object: "t", relation: relation) else {
                  return JobResult(.partial)
                }
              }
              return JobResult(.ok)
            })
          #expect(unseeing.outcome == .ok)
          #expect(other.notes.count { $0.contains("grant pg_monitor to \"plain\"") } == 1)

          limits.patience = .seconds(60)
          let patient = Gates(limits: limits)
          async let ending = runJob(
            database, gates: patient,
            ClosureBody { context in
              let isOpen = try await context.gates.wait(context, object: "t", relation: nil)
              return JobResult(isOpen ? .ok : .partial)
            })
          try await Task.sleep(for: .milliseconds(300))
          _ = try await standby.value("select pg_wal_replay_resume()")
          let end = try await ending
          #expect(end.outcome == .ok)
        }
        await standby.destroy()
      } catch {
        await standby.destroy()
        throw error
      }
    }
  }

  @Test func `WAL that cannot be archived closes the gate, also for a role that may not list it`()
    async throws
  {
    try await PostgresCluster.with(
      PostgresCluster.Options(configuration: ["archive_mode = on", "archive_command = 'true'"])
    ) { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute(
          "create role plain login; grant create on database \(database.name) to plain")
        _ = try await database.value("select pg_switch_wal()")
        try await waitUntil {
          try await database.value("select last_archived_wal is not null from pg_stat_archiver") == "t"
        }
        #expect(try await sight(database, user: "postgres").closed == nil)
        #expect(try await sight(database, user: "plain").closed == nil)
        try cluster.append(["archive_command = 'false'"])
        try await cluster.reload()
        for number in 1...4 {
          try await database.execute("create table public.t\(number) (); select pg_switch_wal()")
        }
        for user in ["postgres", "plain"] {
          let sight = try await sight(database, user: user)
          #expect(sight.closed?.contains("wait to be archived") == true, "\(user)")
          #expect(sight.unseen.isEmpty)
        }
        _ = try await database.value("select pg_stat_reset_shared('archiver')")
        let unseen = try await sight(database, user: "plain")
        #expect(unseen.closed == nil)
        #expect(unseen.unseen.count == 1)
      }
    }
  }

  @Test func `autovacuum on a partition or its TOAST table closes the gate for every role`() async throws {
    try await PostgresCluster.with(
      PostgresCluster.Options(configuration: ["autovacuum_naptime = 1", "autovacuum_vacuum_cost_delay = 100"])
    ) { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute(
          """
          create role plain login;
          create table public.t (a int, b text) partition by range (a);
          create table public.p partition of public.t for values from (0) to (1000000)
            with (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
              autovacuum_vacuum_cost_limit = 1);
          create table public.other (a int);
          insert into public.t select i, repeat('x', 500) from generate_series(1, 50000) as i;
          delete from public.t where a % 2 = 0;
          """)
        let table = try await oid(database, "public.t")
        let other = try await oid(database, "public.other")
        try await waitUntil(.seconds(60)) {
          try await sight(database, user: "plain", relation: table).closed != nil
        }
        #expect(
          try await sight(database, user: "plain", relation: table).closed?.contains("same table") == true)
        #expect(try await sight(database, user: "plain", relation: other).closed == nil)
      }
    }
  }

  private func oid(_ database: TestDatabase, _ name: String) async throws -> UInt32? {
    try await database.value("select $1::regclass::oid", [name]).flatMap { UInt32($0) }
  }

  private func sight(_ database: TestDatabase, user: String, relation: UInt32? = nil) async throws
    -> Gates.Sight
  {
    var limits = GateLimits()
    limits.archiveBacklog = 1
    let wanted = limits
    return try await database.connect(user: user).run {
      try GateFacts.read(relation: relation, on: $0).sight(wanted)
    }
  }
}

/// Waits for something that others bring about.
func waitUntil(_ limit: Duration = .seconds(30), _ isDone: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + limit
  while try await !isDone() {
    guard ContinuousClock.now < end else { throw TestSupportError("it did not happen") }
    try await Task.sleep(for: .milliseconds(20))
  }
}
