import Maintenance
import Postgres
import Synchronization
import TestSupport
import Testing
import Timekeeping

/// Runs one body as a job of a database.
struct BodyRun {
  let database: TestDatabase
  var user = "postgres"
  var budget = Duration.seconds(120)
  var gates = Gates()
  let events = Events()

  final class Events: Sendable {
    let all = Mutex<[JobEvent]>([])
    func contains(_ test: (JobEvent) -> Bool) -> Bool { all.withLock { $0.contains(where: test) } }
  }

  private let records = JobRecords(
    table: JobRunTable(schema: "tsdb"),
    caller: JobCaller(trigger: "hand", host: "test", processID: 1, toolVersion: "0"))

  init(_ database: TestDatabase, user: String = "postgres", budget: Duration = .seconds(120)) {
    self.database = database
    self.user = user
    self.budget = budget
  }

  func callAsFunction(_ body: some JobBody) async throws -> JobResult {
    let (table, user, events) = (records.table, user, events)
    try await database.connect().run {
      try table.install(on: $0)
      if user != "postgres" {
        try $0.execute(
          "grant usage on schema tsdb to \(user); grant select, insert, update on tsdb.job_runs to \(user)")
      }
    }
    var job = JobDefinition(name: "sample", work: .check, schedule: .every(.seconds(60)), budget: budget)
    job.lockTimeout = .milliseconds(200)
    let end = try await JobRun(
      job: job, slot: nil, now: .now, settings: database.settings(user: user), records: records,
      gates: gates, report: { event in events.all.withLock { $0.append(event) } }
    ).run(body)
    guard case .ran(let result) = end else {
      Issue.record("it did not run: \(end)")
      return JobResult(.skipped)
    }
    return result
  }
}

/// A role for the length of `body`; roles belong to the whole server.
func withRole<Result: Sendable>(
  _ database: TestDatabase, _ body: (String) async throws -> Result
) async throws -> Result {
  let role = "role_" + database.name
  try await database.execute("create role \(role) login")
  do {
    let result = try await body(role)
    try await database.execute("drop owned by \(role); drop role \(role)")
    return result
  } catch {
    try? await database.execute("drop owned by \(role); drop role \(role)")
    throw error
  }
}

/// Waits until a query says true.
func wait(_ database: TestDatabase, for condition: String) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while try await database.value("select " + condition) != "t" {
    guard .now < deadline else {
      Issue.record("it never came to be: \(condition)")
      return
    }
    try await Task.sleep(for: .milliseconds(10))
  }
}
