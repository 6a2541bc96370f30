import Maintenance
import Migrations
import Timekeeping

/// The jobs that a project configures, and the time zone of their schedules.
public struct JobCalendar: Sendable {
  public let jobs: [JobDefinition]
  public let zone: TimeZoneRules

  /// - Throws: ``MaintenanceError`` for a time zone that the system does not know.
  public init(_ configuration: ProjectConfiguration) throws {
    jobs = configuration.maintenance.jobs
    do throws(TimeZoneError) {
      zone = try TimeZoneRules(named: configuration.maintenance.timeZone)
    } catch {
      throw MaintenanceError(
        .invalidInput, error.message, detail: "It is named by maintain.time_zone.", hint: error.hint)
    }
  }

  /// - Throws: ``MaintenanceError`` with the nearest name.
  public func job(_ name: String) throws -> JobDefinition {
    if let job = jobs.first(where: { $0.name == name }) { return job }
    let names = jobs.map(\.name)
    throw MaintenanceError(
      .invalidInput, "there is no job \"\(name)\"", detail: "Nothing was run.",
      hint: EditDistance.nearest(to: name, in: names).map { "did you mean \"\($0)\"?" }
        ?? "the jobs are: \(names.joined(separator: ", "))")
  }

  /// What is due, in the order to run it.
  public func decision(_ histories: [String: JobHistory], at now: UTCTime) throws -> [DueJob] {
    try DueDecision(histories: histories, now: now, zone: zone).jobs(jobs)
  }
}
