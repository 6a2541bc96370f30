import Maintenance
import Postgres
import Timekeeping

/// What each job last did, and when it is due next. Writes nothing.
public struct MaintainStatus: Sendable {
  public init() {}

  public struct Job: Sendable, Encodable {
    public let job: String
    public let kind: String
    public let schedule: String
    /// `due`, `waiting`, `not-due` or `disabled`.
    public let state: String
    public let reason: String
    /// All times are UTC, ISO 8601.
    public let next: String?
    public let lastSuccess: String?
    public let lastRun: String?
    public let lastOutcome: JobOutcome?
    public let lastReason: String?
    public let lastTrigger: String?
    public let skipsInARow: Int
    public let backlog: Int64?
    public let medianMilliseconds: Int64?
  }

  public struct Result: Sendable, Encodable {
    public let timeZone: String
    public let jobs: [Job]
  }

  public func run(_ access: DatabaseAccess, at now: UTCTime = .now) async throws -> Result {
    let calendar = try JobCalendar(access.project.configuration)
    let records = JobRecords(
      table: JobRunTable(schema: access.project.configuration.historySchema),
      caller: JobCaller(trigger: "hand", host: "", processID: 0, toolVersion: Version.current))
    let names = calendar.jobs.map(\.name)
    let session = Session(access.settings, applicationName: "tsdb maintain")
    let histories: [String: JobHistory]
    do {
      histories = try await session.run { try records.histories(of: names, on: $0) }
    } catch let error as PostgresError {
      throw MaintenanceError.running(error)
    }
    await session.close()
    return Result(
      timeZone: access.project.configuration.maintenance.timeZone,
      jobs: try calendar.decision(histories, at: now).map { Self.job($0, histories[$0.job.name]) })
  }

  private static func job(_ due: DueJob, _ history: JobHistory?) -> Job {
    let (state, next): (String, UTCTime?) =
      switch due.state {
      case .due: ("due", nil)
      case .waiting: ("waiting", nil)
      case .notDue(let next): ("not-due", next)
      case .disabled: ("disabled", nil)
      }
    return Job(
      job: due.job.name, kind: due.job.work.kind, schedule: due.job.schedule.text, state: state,
      reason: due.reason, next: next?.description,
      lastSuccess: history?.lastSuccess.map { ($0.ended ?? $0.started).description },
      lastRun: history?.lastRun?.started.description, lastOutcome: history?.lastRun?.outcome,
      lastReason: history?.lastRun?.reason, lastTrigger: history?.lastRun?.trigger,
      skipsInARow: history?.skipsInARow ?? 0, backlog: history?.lastRun?.backlog,
      medianMilliseconds: history?.medianMilliseconds)
  }
}
