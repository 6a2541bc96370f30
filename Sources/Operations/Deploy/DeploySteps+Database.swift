import Deployments
import Maintenance
import Migrations
import Postgres

extension DeployRun {
  mutating func migrate() async throws -> End {
    let result = try await MigrateUp().run(access)
    let state = await DeployState.read(record, access)
    record.headAfter = state.head ?? record.headAfter
    let notes = result.cosmeticEdits.map { "\"\($0)\" was edited in comments or layout only" }
    guard !result.applied.isEmpty || !result.appliedElsewhere.isEmpty else {
      return .done(
        state.applied.isEmpty
          ? "everything is up to date: \(result.upToDate) applied"
          : "applied before the interruption: \(state.applied.joined(separator: ", "))", notes)
    }
    let names = result.applied.map(\.name) + result.appliedElsewhere
    let milliseconds = result.applied.reduce(0) { $0 + $1.milliseconds }
    return .done("applied in \(milliseconds) ms: \(names.joined(separator: ", "))", notes)
  }

  func seed() async throws -> End {
    guard DeployPreflight.hasSeeds(access.project) else { return .skipped("there are no seed files") }
    let result = try await Seed().run(access)
    if result.files.isEmpty { return .skipped("there are no seed files") }
    let seeded = result.files.filter { $0.outcome == "seeded" }
    let rows = seeded.reduce(0) { $0 + $1.rows }
    return .done(
      seeded.isEmpty
        ? "\(DeploymentRecord.seededNothing): \(result.files.map(\.name).joined(separator: ", "))"
        : "\(seeded.map(\.name).joined(separator: ", ")): \(counted(rows, "row"))")
  }

  /// Refreshes by the jobs that do so in maintenance, so that the runs are recorded.
  func refresh() async throws -> End {
    let views = try await asked { connection in
      try connection.query(
        """
        select pg_catalog.count(*) from pg_catalog.pg_class as c
          join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where c.relkind = 'm' and n.nspname !~ '^pg_' and c.relpersistence <> 't'
        """
      ).integer(0, 0) ?? 0
    }
    guard views > 0 else { return .skipped("there are no materialized views") }
    let jobs = access.project.configuration.maintenance.jobs.filter { job in
      if case .refreshViews = job.work { true } else { false }
    }.map(\.name)
    guard !jobs.isEmpty else { return .skipped("tsdb.yaml has no job that refreshes materialized views") }
    var result = try await refreshed(jobs)
    // A scheduler may be at it.
    for _ in 0..<10 where !result.hasFailures && result.runs.contains(where: { $0.outcome == .skipped }) {
      try await Task.sleep(for: .seconds(1))
      result = try await refreshed(jobs)
    }
    let bad = result.runs.filter { $0.outcome == .failed || $0.outcome == .skipped }
    if let first = bad.first {
      return .failed(
        "the job \(first.job) \(first.outcome == .failed ? "failed" : "did not run"): \(first.reason ?? "no reason given")",
        bad.flatMap { $0.objects.compactMap { object in object.detail.map { "\(object.name): \($0)" } } },
        hint: first.hint ?? "tsdb maintain run \(first.job)",
        kind: first.outcome == .skipped ? .tryAgain : .failed)
    }
    let objects = result.runs.flatMap(\.objects).map(\.name)
    return .done("\(counted(objects.count, "materialized view")): \(objects.joined(separator: ", "))")
  }

  private func refreshed(_ jobs: [String]) async throws -> MaintainRun.Result {
    try await MaintainRun(names: jobs, environment: deploy.environment).run(access) { [report] event in
      report(.maintenance(event))
    }
  }

  func verify() async throws -> End {
    let result = try await MigrateVerify().run(access)
    guard result.hasFindings else {
      let passed = result.migrations.count { $0.script == "passed" }
      return .done(
        "\(counted(passed, "verify script")) passed, the catalogue is what the migrations left",
        result.migrations.filter { $0.script == "no-script" }.map { "\"\($0.name)\" has no verify script" })
    }
    var findings: [String] = []
    for migration in result.migrations {
      if migration.script == "failed" {
        findings.append(
          "\(migration.name): \(migration.message ?? "its verify script failed")"
            + (migration.location.map { " (at \($0))" } ?? ""))
      } else if migration.script == "not-applied" || migration.state == "missing"
        || migration.state == "edited"
      {
        findings.append("\(migration.name): \(migration.state)")
      }
    }
    findings += result.drift.map { "\($0.kind) \($0.object) is \($0.change)" }
    return .failed(
      findings.first.map { findings.count == 1 ? $0 : "\($0), and \(findings.count - 1) more" }
        ?? "not verified",
      findings, hint: "see tsdb migrate verify")
  }

  /// Asks the database on a connection of its own.
  func asked<Answer: Sendable>(
    _ body: @escaping @Sendable (borrowing Connection) throws -> Answer
  ) async throws -> Answer {
    let session = Session(access.settings, applicationName: "tsdb deploy")
    do {
      let answer = try await session.run(body)
      await session.close()
      return answer
    } catch {
      await session.close()
      throw error
    }
  }
}
