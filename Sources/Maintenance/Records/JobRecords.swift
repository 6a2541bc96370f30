import Postgres
import Timekeeping

/// What is known of a job from its earlier runs.
public struct JobHistory: Sendable, Equatable {
  public struct Run: Sendable, Equatable {
    public let id: Int64
    public let slot: UTCTime?
    public let started: UTCTime
    public let ended: UTCTime?
    public let outcome: JobOutcome
    public let reason: String?
    public let rows: Int64
    public let backlog: Int64?
    public let trigger: String

    public init(
      id: Int64, slot: UTCTime?, started: UTCTime, ended: UTCTime?, outcome: JobOutcome,
      reason: String? = nil, rows: Int64 = 0, backlog: Int64? = nil, trigger: String = "hand"
    ) {
      self.id = id
      self.slot = slot
      self.started = started
      self.ended = ended
      self.outcome = outcome
      self.reason = reason
      self.rows = rows
      self.backlog = backlog
      self.trigger = trigger
    }
  }

  /// The newest run that ended `ok` or `partial`.
  public var lastSuccess: Run?
  /// The newest run of any outcome but `skipped`.
  public var lastRun: Run?
  /// How many runs were skipped since the end of the last that was not; whoever met that one while it ran missed nothing.
  public var skipsInARow: Int
  public var lastSkipReason: String?
  /// The median duration of the last ten successes, in milliseconds.
  public var medianMilliseconds: Int64?

  public init(
    lastSuccess: Run? = nil, lastRun: Run? = nil, skipsInARow: Int = 0, lastSkipReason: String? = nil,
    medianMilliseconds: Int64? = nil
  ) {
    self.lastSuccess = lastSuccess
    self.lastRun = lastRun
    self.skipsInARow = skipsInARow
    self.lastSkipReason = lastSkipReason
    self.medianMilliseconds = medianMilliseconds
  }
}
