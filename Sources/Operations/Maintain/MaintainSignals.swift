import Maintenance
import Postgres
import SystemPackage
import Timekeeping

/// What the outside world is told of a run: a log, a file of metrics, pings. None of it ever fails or delays a job;
/// what goes wrong is a warning.
struct MaintainSignals: Sendable {
  private let configuration: MaintenanceConfiguration
  private let project: Project
  private let log: JobLog?
  private let ping: RunPing?
  private let runID: String
  private let warn: @Sendable (MaintenanceError) -> Void

  /// - Parameter environment: `TSDB_PING_URL` wins over the configured file.
  init(
    project: Project, environment: [String: String], runID: String,
    warn: @escaping @Sendable (MaintenanceError) -> Void
  ) {
    self.project = project
    self.runID = runID
    self.warn = warn
    configuration = project.configuration.maintenance
    do throws(MaintenanceError) {
      log = try configuration.log.map { path throws(MaintenanceError) in
        try JobLog(FilePath(project.path(path)))
      }
    } catch {
      warn(error)
      log = nil
    }
    do {
      ping = try project.pingURL(environment: environment).map {
        RunPing(try Ping(url: $0, environment: environment))
      }
    } catch {
      if let error = error as? ConfigurationError {
        warn(MaintenanceError(.invalidInput, error.summary, detail: error.detail, hint: error.hint))
      } else if let error = error as? MaintenanceError {
        warn(error)
      }
      ping = nil
    }
  }

  /// An event of a job.
  func tell(_ job: String, _ event: JobEvent) {
    if case .progress = event { return }
    log?.write(JobLog.Line(event, task: job, runID: runID))
  }

  /// The end of a job.
  func tell(_ run: MaintainRun.Run) {
    var result = JobResult(run.outcome, reason: run.reason, sqlState: run.sqlState)
    result.rows = run.rows
    log?.write(JobLog.Line(end: result, task: run.job, runID: runID, milliseconds: run.milliseconds))
  }

  /// The end of all jobs: the ping, and the warnings.
  func end(_ result: MaintainRun.Result) async {
    if let ping {
      let failed = result.runs.filter { $0.outcome == .failed }
      let body = result.runs.map { run in
        "\(run.job): \(run.outcome.rawValue)" + (run.reason.map { ": \($0)" } ?? "")
      }.joined(separator: "\n")
      for reason in await ping.end(.end(exitStatus: failed.isEmpty ? 0 : 1), body: body) {
        warn(MaintenanceError(.failed, "the monitor was not told: \(reason)"))
      }
    }
    if let failure = log?.failure { warn(failure) }
  }

  /// The run did not come to its end.
  func abandon() { ping?.abandon() }

  /// Writes the file of metrics, if one is configured.
  func writeMetrics(_ jobs: [JobDefinition], _ records: JobRecords, _ session: Session) async {
    guard let path = configuration.metrics else { return }
    let names = jobs.map(\.name)
    do {
      let (histories, database) = try await session.run { connection in
        (
          try records.histories(of: names, on: connection),
          try connection.query("select current_database()").text(0, 0)
        )
      }
      let tasks = jobs.map {
        MetricsText.Task(name: $0.name, history: histories[$0.name], isEnabled: $0.isEnabled)
      }
      let text = MetricsText(database: database, tasks: tasks, looked: .now).text
      try ReplacedFile(FilePath(project.path(path))).write(text)
    } catch let error as MaintenanceError {
      warn(error)
    } catch {
      warn(MaintenanceError(.failed, "the metrics were not written: \(error)"))
    }
  }
}
