import Maintenance
import Postgres
import Timekeeping

/// What `tsdb maintain` would do: which jobs, why, on which objects and with which locks. Writes nothing.
public struct MaintainPlan: Sendable {
  /// Empty for all.
  public let names: [String]
  /// Lets retention read a whole table where the column has no index.
  public let allowsSequentialScan: Bool

  public init(names: [String] = [], allowsSequentialScan: Bool = false) {
    self.names = names
    self.allowsSequentialScan = allowsSequentialScan
  }

  /// What a job would do to one object.
  public struct Step: Sendable, Encodable {
    public let object: String
    public let action: String
    /// Taken for it, and whom that keeps waiting.
    public let locks: [String]
    public let detail: String?

    init(_ step: PlannedStep) {
      object = step.object
      action = step.action
      locks = step.locks
      detail = step.detail
    }
  }

  public struct Job: Sendable, Encodable {
    public let job: String
    public let kind: String
    public let schedule: String
    /// Whether it would run: due, or named.
    public let runs: Bool
    public let reason: String
    /// UTC, ISO 8601.
    public let next: String?
    /// The median of the last ten successes.
    public let expectedMilliseconds: Int64?
    public let steps: [Step]
    public let notes: [String]
    /// Why the steps could not be found out.
    public let problem: String?
  }

  public struct Result: Sendable, Encodable {
    /// UTC, ISO 8601.
    public let at: String
    public let jobs: [Job]
  }

  /// - Parameter now: the moment that is looked at.
  public func run(_ access: DatabaseAccess, at now: UTCTime) async throws -> Result {
    let calendar = try JobCalendar(access.project.configuration)
    let named = try names.map { try calendar.job($0).name }
    let records = JobRecords(
      table: JobRunTable(schema: access.project.configuration.historySchema),
      caller: JobCaller(trigger: "hand", host: "", processID: 0, toolVersion: Version.current))
    let jobNames = calendar.jobs.map(\.name)
    let session = Session(access.settings, applicationName: "tsdb maintain")
    do {
      let histories = try await session.run { try records.histories(of: jobNames, on: $0) }
      var jobs: [Job] = []
      for due in try calendar.decision(histories, at: now) where named.isEmpty || named.contains(due.job.name)
      {
        jobs.append(try await plan(due, isNamed: !named.isEmpty, now, access, session))
      }
      await session.close()
      return Result(at: now.description, jobs: jobs)
    } catch let error as PostgresError {
      await session.close()
      throw MaintenanceError.running(error)
    }
  }

  private func plan(
    _ due: DueJob, isNamed: Bool, _ now: UTCTime, _ access: DatabaseAccess, _ session: Session
  ) async throws -> Job {
    var runs = isNamed
    var next: UTCTime?
    switch due.state {
    case .due: runs = true
    case .notDue(let slot): next = slot
    case .disabled, .waiting: break
    }
    var preview = JobPreview()
    var problem: String?
    if runs {
      do {
        let work = allowsSequentialScan ? due.job.work.allowingSequentialScan : due.job.work
        preview = try await JobPreviews(access: access, session: session, now: now).preview(work)
      } catch let error as PostgresError where !error.isServerUnavailable {
        problem = error.message
      } catch let error as MaintenanceError where error.kind != .interrupted {
        problem = error.message
      }
    }
    return Job(
      job: due.job.name, kind: due.job.work.kind, schedule: due.job.schedule.text, runs: runs,
      reason: isNamed ? "asked for; \(due.reason)" : due.reason, next: next?.description,
      expectedMilliseconds: due.expectedMilliseconds, steps: preview.steps.map(Step.init),
      notes: preview.notes,
      problem: problem)
  }
}
