import Postgres
import Timekeeping

/// The work of one kind of job.
public protocol JobBody: Sendable {
  /// Does the work, under the job's lock.
  ///
  /// - Returns: with an outcome other than `running`. What happened to single objects is no reason to throw.
  /// - Throws: what ends the whole run: `PostgresError`, ``MaintenanceError``, `CancellationError`.
  func run(_ context: JobContext) async throws -> JobResult
}

/// What a body works with.
public struct JobContext: Sendable {
  public let job: JobDefinition
  /// The moment the run is counted from: retention's cutoff, partitions' current month.
  public let now: UTCTime
  public let work: PoliteConnection
  /// How to connect elsewhere on the same server, for bodies that bring their own connections.
  public let settings: ConnectionSettings
  /// As `server_version_num`.
  public let serverVersion: Int
  /// Of the history's tables.
  public let schema: String
  public let gates: Gates
  /// No unit of work is begun after it.
  public let deadline: ContinuousClock.Instant
  public let report: JobReporter

  public init(
    job: JobDefinition, now: UTCTime, work: PoliteConnection, settings: ConnectionSettings,
    serverVersion: Int,
    schema: String, gates: Gates, deadline: ContinuousClock.Instant, report: @escaping JobReporter
  ) {
    self.job = job
    self.now = now
    self.work = work
    self.settings = settings
    self.serverVersion = serverVersion
    self.schema = schema
    self.gates = gates
    self.deadline = deadline
    self.report = report
  }

  public var isOutOfTime: Bool { ContinuousClock.now >= deadline }
}
