import Maintenance
import Timekeeping

/// What `maintain` in `tsdb.yaml` says.
public struct MaintenanceConfiguration: Sendable, Equatable {
  /// Of the jobs' schedules; a name of the IANA database.
  public var timeZone = "UTC"
  /// How long the records of runs are kept.
  public var history = Duration.seconds(90 * 86_400)
  public var gates = GateLimits()
  /// Of `tsdb maintain` and what it starts, from 0 to 19: the application's processes on the same machine go first.
  public var niceness = 10
  /// A textfile for Prometheus' node exporter; relative to the project's directory.
  public var metrics: String?
  /// A file of JSON lines; relative to the project's directory.
  public var log: String?
  /// A file that holds the URL to ping, which is a secret; `TSDB_PING_URL` wins. Relative to the project's directory.
  public var pingURLFile: String?
  /// In the order in which they run: those of the file as it has them, then the defaults that it does not name.
  public var jobs = MaintenanceConfiguration.defaultJobs

  public init() {}

  /// - Throws: `TimeZoneError` where the system has no such zone.
  public func zone() throws(TimeZoneError) -> TimeZoneRules { try TimeZoneRules(named: timeZone) }

  /// The jobs that are there without any configuration, at times that do not meet.
  public static let defaultJobs: [JobDefinition] = [
    job("refresh-views", .refreshViews(RelationSelection()), "0 * * * *"),
    job("backup", .backup(BackupRule()), "30 1 * * *", budget: .seconds(4 * 3600)),
    job("analyze", .analyze(RelationSelection()), "10 3 * * *"),
    job("vacuum", .vacuum(RelationSelection(), analyze: true), "25 3 * * 0", budget: .seconds(7200)),
    job("indexes", .indexes(IndexRule()), "30 4 * * 0", budget: .seconds(7200)),
    job("check", .check, "40 * * * *", budget: .seconds(300)),
  ].compactMap { $0 }

  private static func job(
    _ name: String, _ work: JobWork, _ schedule: String, budget: Duration = .seconds(1800)
  ) -> JobDefinition? {
    (try? CronExpression(schedule)).map {
      JobDefinition(name: name, work: work, schedule: .cron($0), budget: budget)
    }
  }
}
