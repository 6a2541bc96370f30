import Maintenance
import Postgres
import TestSupport
import Testing
import Timekeeping

func job(_ work: JobWork, budget: Duration = .seconds(600)) -> JobDefinition {
  JobDefinition(name: work.kind, work: work, schedule: .every(.seconds(1800)), budget: budget)
}

/// One finding.
func health(
  _ database: TestDatabase, _ name: String, user: String = "postgres", jobs: [JobDefinition] = [],
  limits: HealthLimits = HealthLimits(), now: UTCTime = .now
) async throws -> HealthFinding {
  let report = try await health(database, user: user, jobs: jobs, limits: limits, now: now, only: [name])
  return try #require(report.findings.first)
}

func health(
  _ database: TestDatabase, user: String = "postgres", jobs: [JobDefinition] = [],
  limits: HealthLimits = HealthLimits(), now: UTCTime = .now, only: Set<String>? = nil
) async throws -> HealthReport {
  let context = HealthContext(now: now, jobs: jobs, limits: limits) { schedule in
    if case .every(let span) = schedule { span } else { .seconds(86_400) }
  }
  return try await HealthRun(
    settings: database.settings(user: user), context: context,
    names: only ?? Set(HealthChecks.descriptions.map(\.name))
  ).run()
}

/// Makes the table of runs where it is missing, and a run that ended `ago` seconds ago.
func record(
  _ database: TestDatabase, _ job: String, ago: Int, outcome: String = "ok", rows: Int = 1,
  backlog: Int? = nil,
  reason: String? = nil, objects: String = "[]"
) async throws {
  try await database.connect().run { try JobRunTable(schema: "tsdb").install(on: $0) }
  _ = try await database.rows(
    """
    insert into tsdb.job_runs (job, kind, started_at, ended_at, outcome, reason, row_count, backlog, objects,
      triggered_by, tool_version)
    values ($1, $1, now() - make_interval(secs => $2::int), case when $3 <> 'running' then now() - make_interval(secs => $2::int) end,
      $3, $4, $5::int, $6::int, $7::jsonb, 'hand', '0')
    """, [job, "\(ago)", outcome, reason, "\(rows)", backlog.map { "\($0)" }, objects])
}

/// A role that may log in and nothing else.
func withRole(on database: TestDatabase, _ body: (String) async throws -> Void) async throws {
  let role = "\(database.name)_plain"
  try await database.execute("create role \(role) login")
  do {
    try await body(role)
  } catch {
    try? await database.execute("drop owned by \(role); drop role \(role)")
    throw error
  }
  try await database.execute("drop owned by \(role); drop role \(role)")
}

func waitUntil(
  within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      Issue.record("it did not come about within \(limit)", sourceLocation: sourceLocation)
      return
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}
