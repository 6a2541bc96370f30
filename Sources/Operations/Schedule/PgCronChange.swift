import Maintenance
import Migrations
import Postgres
import Timekeeping

/// Installs, compares and removes the jobs of an entry in pg_cron, in one transaction.
struct PgCronChange: Sendable {
  let change: ScheduleChange
  let request: ScheduleRequest

  init(_ change: ScheduleChange, _ request: ScheduleRequest) {
    self.change = change
    self.request = request
  }

  func run() async throws -> ScheduleResult {
    guard case .configured(let settings, _) = request.choice else {
      throw MaintenanceError(
        .invalidInput, "no database is configured whose pg_cron could be used",
        hint: "name it by DATABASE_URL or database.url_file")
    }
    let session = Session(settings, applicationName: "tsdb schedule")
    let (change, name) = (change, try request.name)
    let (jobs, zone) = try request.project.maintenanceJobs()
    do {
      let result = try await session.run { connection in
        // Objects of others in the role's own path must not be called with its rights.
        try connection.execute("begin; set local search_path = pg_catalog")
        let result = try Self.run(change, name, jobs, zone, connection)
        try connection.execute(change.isDryRun ? "rollback" : "commit")
        return result
      }
      await session.close()
      return result
    } catch {
      await session.close()
      guard let error = error as? PostgresError else { throw error }
      if error.origin == .connecting || error.origin == .client { throw MigrationError.connecting(error) }
      throw MaintenanceError(
        .failed, "pg_cron refused: \(error.message)", detail: "Nothing was changed.", hint: error.hint,
        sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
    }
  }

  private static func run(
    _ change: ScheduleChange, _ name: String, _ jobs: [JobDefinition], _ zone: TimeZoneRules,
    _ connection: borrowing Connection
  ) throws -> ScheduleResult {
    let facts = try PgCronFacts.read(prefix: PgCronPlan.prefix(name), on: connection)
    try facts.requireUsable()
    var plan: PgCronPlan?
    if change.action == .install {
      plan = try PgCronPlan(
        name: name, jobs: jobs, zone: zone, facts: facts,
        relations: try PgCronPlan.Relations.read(for: jobs, on: connection))
      if plan?.wanted.isEmpty != false {
        throw MaintenanceError(
          .failed, "there is no job that pg_cron could do",
          detail: plan?.left.map { "\($0.job): \($0.reason)." }.joined(separator: " "),
          hint: "use --cron or --systemd")
      }
    }
    let wanted = plan?.wanted ?? []
    let place = "pg_cron of \(facts.role) in \(facts.database)"
    let (old, new) = (facts.jobs.map(\.text).joined(), wanted.map(\.text).joined())
    let diff = UnifiedDiff.text(
      old, new, oldName: facts.jobs.isEmpty ? "/dev/null" : place,
      newName: wanted.isEmpty ? "/dev/null" : place)
    let action =
      old == new
      ? (wanted.isEmpty ? "absent" : "unchanged")
      : wanted.isEmpty ? "removed" : facts.jobs.isEmpty ? "created" : "updated"
    if !change.isDryRun { try PgCronJob.replace(facts.jobs, with: wanted, on: connection) }
    var result = ScheduleResult(
      name: name, target: .pgCron, changes: [.init(place: place, action: action, diff: diff)],
      isDryRun: change.isDryRun)
    result.taken = plan?.taken ?? []
    result.left = plan?.left ?? []
    result.warnings = plan?.notes ?? []
    if change.action == .install, facts.timezone == nil, !facts.seesSettings {
      result.warnings.append(
        "the settings of pg_cron cannot be seen: grant pg_read_all_settings to \(Quoting.identifier(facts.role))"
      )
    }
    return result
  }
}
