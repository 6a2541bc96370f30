import Maintenance
import Postgres
import Timekeeping

/// What was installed, would be, or differs.
public struct ScheduleResult: Sendable, Encodable {
  public struct Change: Sendable, Encodable {
    /// A path, or whose crontab, or pg_cron's.
    public let place: String
    /// `created`, `updated`, `removed`, `unchanged`, `absent`.
    public let action: String
    /// As `diff -u` shows it; empty where nothing differs.
    public let diff: String
  }

  public let name: String
  public let target: ScheduleTarget
  public internal(set) var changes: [Change]
  public let isDryRun: Bool
  /// What a person still has to type.
  public internal(set) var commands: [String] = []
  public internal(set) var warnings: [String] = []
  /// Of pg_cron: jobs of `tsdb.yaml` that it does now, and are to be disabled there.
  public internal(set) var taken: [String] = []
  /// Of pg_cron: jobs that it cannot do.
  public internal(set) var left: [PgCronPlan.Left] = []
  /// The next calls, in UTC.
  public internal(set) var calls: [String] = []

  /// Whether what is installed is not what would be.
  public var isDifferent: Bool { changes.contains { !$0.diff.isEmpty } }
}

/// Installs, compares and removes an entry.
public struct ScheduleChange: Sendable {
  public enum Action: Sendable, Equatable {
    case install
    case remove
  }

  public let action: Action
  /// Changes nothing.
  public let isDryRun: Bool

  public init(_ action: Action, isDryRun: Bool) {
    self.action = action
    self.isDryRun = isDryRun
  }

  /// - Throws: `MaintenanceError`; what was changed before it is said in its detail.
  public func run(_ request: ScheduleRequest, now: UTCTime = .now) async throws -> ScheduleResult {
    if request.target == .pgCron { return try await PgCronChange(self, request).run() }
    let files = try request.files(isInstalling: action == .install)
    var result = ScheduleResult(
      name: try request.name, target: request.target,
      changes: files.map { .init(place: $0.name, action: $0.action, diff: $0.diff) }, isDryRun: isDryRun)
    if action == .install {
      result.warnings = request.warnings()
      result.calls = try request.call().times.next(after: now, count: 5).map(\.description)
    }
    if isDryRun { return result }
    let isSystemd = request.target == .systemd || request.target == .systemdUser
    let manager = SystemdManager(
      isUser: request.target == .systemdUser, environment: request.environment)
    let timer = "tsdb-\(result.name).timer"
    let isInPlace = isSystemd && request.options.directory == nil
    // A timer that is stopped after its file is gone is not found any more.
    if isInPlace, action == .remove, files.contains(where: { $0.current != nil }) {
      result.commands = manager.run(manager.commands(disabling: timer))
    }
    for file in files { try file.apply() }
    if isInPlace, files.contains(where: \.isChanged) || action == .install {
      result.commands += manager.run(
        action == .install ? manager.commands(enabling: timer) : manager.reload)
    }
    return result
  }
}

extension CallTimes {
  /// The first calls later than `time`.
  public func next(after time: UTCTime, count: Int) -> [UTCTime] {
    var moment = UTCTime(secondsSince1970: (time.secondsSince1970 / 60 + 1) * 60)
    var found: [UTCTime] = []
    while found.count < count {
      if moment.clock.minute % every == offset { found.append(moment) }
      moment = moment + 60
    }
    return found
  }
}
