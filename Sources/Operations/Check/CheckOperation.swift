import LocalServer
import Maintenance
import Migrations
import Postgres
import Timekeeping

/// Looks at a database by all checks; writes nothing.
public struct CheckOperation: Sendable {
  /// Of all checks, in the order of their findings.
  public static let descriptions: [HealthCheckDescription] =
    HealthChecks.descriptions + [
      BackupsCheck.description, MigrationChecks.pending, MigrationChecks.drift,
    ]

  private let names: Set<String>
  private let limits: HealthLimits

  /// All checks, with their own thresholds.
  static let all = CheckOperation(names: Set(descriptions.map(\.name)), limits: HealthLimits())

  private init(names: Set<String>, limits: HealthLimits) {
    self.names = names
    self.limits = limits
  }

  /// - Parameters:
  ///   - only: names of checks; empty for all.
  ///   - skip: names of checks that are left out.
  ///   - warnings: `NAME=VALUE` for thresholds.
  /// - Throws: `MaintenanceError` of kind `invalidInput` for a name or a value that cannot be used.
  public init(
    only: [String] = [], skip: [String] = [], warnings: [String] = [], criticals: [String] = []
  ) throws {
    let known = Self.descriptions.map(\.name)
    for name in only + skip where !known.contains(name) {
      let nearest = EditDistance.nearest(to: name, in: known)
      throw MaintenanceError(
        .invalidInput, "there is no check \"\(name)\"",
        hint: nearest.map { "did you mean \"\($0)\"?" } ?? "\"tsdb check --list\" shows them")
    }
    names = Set(only.isEmpty ? known : only).subtracting(skip)
    guard !names.isEmpty else {
      throw MaintenanceError(.invalidInput, "no check is left to run", hint: "leave out --skip or --only")
    }
    let thresholds = Self.descriptions.flatMap(\.thresholds)
    var limits = HealthLimits()
    for text in warnings { try limits.set(.warning, text, among: thresholds) }
    for text in criticals { try limits.set(.critical, text, among: thresholds) }
    self.limits = limits
  }

  /// Never throws: what cannot be looked at is a finding.
  public func run(
    project: Project, settings: Postgres.ConnectionSettings, now: UTCTime = .now
  ) async -> HealthReport {
    let maintenance = project.configuration.maintenance
    let zone: TimeZoneRules
    do {
      zone = try maintenance.zone()
    } catch {
      return Self.unreachable(error, now: now)
    }
    let context = HealthContext(
      now: now, jobs: maintenance.jobs, schema: project.configuration.historySchema, limits: limits,
      scheduling: project.schedulingRemedy(settings),
      period: { Self.period(of: $0, now: now, zone: zone) })
    var settings = settings
    // A plugin is given ten seconds or sixty; libpq would wait for each address of each host.
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    do {
      let report = try await HealthRun(settings: settings, context: context, names: names).run()
      return report.adding(await others(project, settings, database: report.database ?? "", now: now))
    } catch {
      return Self.unreachable(error, now: now)
    }
  }

  /// The checks that know more than the server.
  private func others(
    _ project: Project, _ settings: Postgres.ConnectionSettings, database: String, now: UTCTime
  ) async -> [HealthFinding] {
    var findings: [HealthFinding] = []
    if names.contains(BackupsCheck.description.name) {
      let facts = await BackupsCheck.Facts.read(project: project, settings: settings, database: database)
      findings.append(BackupsCheck.verdict(facts, now: now, limits: limits))
    }
    return findings + (await MigrationChecks.run(names, project: project, settings: settings))
  }

  /// What is said where no server answered: nothing else is known then.
  public static func unreachable(_ error: any Error, now: UTCTime = .now) -> HealthReport {
    HealthReport(findings: [connectionFinding(error)], database: nil, serverVersion: nil, time: now)
  }

  static func connectionFinding(_ error: any Error) -> HealthFinding {
    if let error = error as? LocalServerError {
      return HealthFinding(
        "connection", .critical, error.message, detail: error.detail, remedy: error.hint)
    }
    if let error = error as? TimeZoneError {
      return HealthFinding("configuration", .unknown, error.message, remedy: error.hint)
    }
    guard let error = error as? PostgresError else {
      return HealthFinding("connection", .unknown, error is CancellationError ? "interrupted" : "\(error)")
    }
    let explained = MigrationError.connecting(error)
    // The application cannot get in either, where the server is away, full or without the database. Where only our
    // own role or URL is refused, nothing is known of it.
    let isDown = error.isServerUnavailable || error.sqlState == "3D000"
    return HealthFinding(
      "connection", isDown ? .critical : .unknown, explained.summary,
      detail: error.sqlState.isEmpty ? nil : "SQLSTATE \(error.sqlState)", remedy: explained.hint)
  }

  /// The time between the newest slot and the one before it.
  static func period(of schedule: JobSchedule, now: UTCTime, zone: TimeZoneRules) -> Duration {
    if case .every(let span) = schedule { return span }
    guard let last = schedule.latestSlot(atOrBefore: now, zone: zone),
      let before = schedule.latestSlot(atOrBefore: last + -1, zone: zone)
    else { return .seconds(86_400) }
    return .seconds(last - before)
  }
}
