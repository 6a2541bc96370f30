/// Everything that is known of one deployment; kept in a file, and in the database's table for others to read.
///
/// Times are UTC, ISO 8601. No secret and no address of a person stands in it.
public struct DeploymentRecord: Sendable, Codable, Equatable {
  public enum State: String, Sendable, Codable, CaseIterable {
    /// Going on, or interrupted: the same command continues it.
    case running
    case deployed
    /// A step failed; the same command tries it again, and `tsdb rollback` goes back.
    case failed
    /// The way back has begun; only it goes on.
    case rollingBack = "rolling-back"
    case rolledBack = "rolled-back"
    /// Given up before the database was changed.
    case abandoned
  }

  public enum Outcome: String, Sendable, Codable {
    /// Begun; whether it came to its end is not known.
    case running
    case done
    case failed
    /// With ``Step/because``.
    case skipped
  }

  public struct Step<Name: Sendable & Codable & Equatable>: Sendable, Codable, Equatable {
    public let step: Name
    public var outcome: Outcome
    /// Of the last attempt.
    public var started: String
    public var ended: String?
    public var attempts: Int
    /// What was done or what stood in the way, in one line.
    public var summary: String?
    /// What was found besides, one line each.
    public var findings: [String]
    /// Why it was skipped, as the operator said.
    public var because: String?

    public init(_ step: Name, _ outcome: Outcome, started: String, attempts: Int = 1) {
      self.step = step
      self.outcome = outcome
      self.started = started
      self.attempts = attempts
      findings = []
    }
  }

  /// The backup that a rollback goes back to.
  public struct Backup: Sendable, Codable, Equatable {
    public let id: String
    /// Absolute.
    public let path: String
    /// Up to when the backup holds writes.
    public let snapshotTime: String
    /// Whether it was restored and compared.
    public var isProven: Bool

    public init(id: String, path: String, snapshotTime: String, isProven: Bool = false) {
      self.id = id
      self.path = path
      self.snapshotTime = snapshotTime
      self.isProven = isProven
    }
  }

  public struct Rollback: Sendable, Codable, Equatable {
    public var steps: [Step<RollbackStep>] = []
    public let started: String
    /// `operator`, or `automatic` after a failed step.
    public let cause: String
    /// What is, or was, restored beside the live database; noted before it is made.
    public var restoredDatabase: String?
    /// Its object id, which stays when it gets the live name; noted when it is finished. The name survives the keys of
    /// the file, which are in snake case.
    public var restoredOid: Int?
    /// Under which name the failed database is kept.
    public var keptDatabase: String?
    /// How long new sessions were held back.
    public var withoutServiceMilliseconds: Int64?

    public init(started: String, cause: String) {
      self.started = started
      self.cause = cause
    }
  }

  public static let format = 1
  public let format: Int
  /// `YYYYMMDDTHHMMSSZ-NAME`, its file's and directory's name.
  public let id: String
  public let database: String
  /// pg_control_system's, where the role may see it; tells one server from another.
  public let systemIdentifier: String?
  public let host: String
  public let tool: String
  public let started: String
  public var ended: String?
  public var state: State
  public var steps: [Step<DeploymentStep>]
  /// The last applied migration before; nil for a database without any.
  public var headBefore: String?
  public var headAfter: String?
  public var backup: Backup?
  /// What the application's tables had been written when the backup was begun.
  public var writesAtBackup: WriteCounters?
  /// The same when the deployment's own steps had come to an end, good or bad; nil while they go on.
  public var writesAtEnd: WriteCounters?
  public var rollback: Rollback?

  public init(
    id: String, database: String, systemIdentifier: String?, host: String, tool: String, started: String
  ) {
    format = Self.format
    self.id = id
    self.database = database
    self.systemIdentifier = systemIdentifier
    self.host = host
    self.tool = tool
    self.started = started
    state = .running
    steps = []
  }

  public func step(_ step: DeploymentStep) -> Step<DeploymentStep>? { steps.first { $0.step == step } }

  /// Whether a step that changes the database has begun, whatever became of it.
  public var hasChangedDatabase: Bool {
    steps.contains { $0.step.changesDatabase && $0.outcome != .skipped }
  }
}
