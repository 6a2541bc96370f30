import Postgres
import Timekeeping

/// A check's name and what a person should know of it.
public struct HealthCheckDescription: Sendable, Equatable, Encodable {
  public let name: String
  /// In one line.
  public let looksAt: String
  /// What the role needs beyond a connection; in one line.
  public let rights: String
  public let thresholds: [HealthThreshold]

  public init(_ name: String, looksAt: String, rights: String = "none", thresholds: [HealthThreshold] = []) {
    self.name = name
    self.looksAt = looksAt
    self.rights = rights
    self.thresholds = thresholds
  }
}

/// A check that asks the server: what it reads, and the verdict on it apart.
protocol HealthCheck: Sendable {
  associatedtype Facts: Sendable

  static var description: HealthCheckDescription { get }

  /// Reads in a read-only transaction with a short `statement_timeout`; takes ACCESS SHARE at most.
  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> Facts

  /// The verdict; pure.
  static func verdict(_ facts: Facts, _ context: HealthContext) -> HealthFinding
}

extension HealthCheck {
  static var name: String { description.name }

  static func run(_ context: HealthContext, on connection: borrowing Connection) throws -> HealthFinding {
    verdict(try facts(context, on: connection), context)
  }
}

/// What a check knows besides its own facts.
public struct HealthContext: Sendable {
  public let now: UTCTime
  /// Those that are enabled.
  public let jobs: [JobDefinition]
  /// Of the history.
  public let schema: String
  public let limits: HealthLimits
  /// The time between two slots of a schedule.
  public let period: @Sendable (JobSchedule) -> Duration
  /// What makes maintenance run, as it is typed.
  public let scheduling: String
  public internal(set) var role = ""
  public internal(set) var database = ""
  /// As `server_version_num`.
  public internal(set) var serverVersion = 0
  public internal(set) var isInRecovery = false

  public init(
    now: UTCTime, jobs: [JobDefinition] = [], schema: String = "tsdb", limits: HealthLimits = HealthLimits(),
    scheduling: String = "tsdb schedule install --cron (or --systemd, --pg-cron)",
    period: @escaping @Sendable (JobSchedule) -> Duration
  ) {
    self.now = now
    self.jobs = jobs.filter(\.isEnabled)
    self.schema = schema
    self.limits = limits
    self.scheduling = scheduling
    self.period = period
  }

  /// The role as an identifier in SQL.
  var grantee: String { Quoting.identifier(role) }

  /// With the limits that a person set.
  func limit(_ threshold: HealthThreshold) -> HealthThreshold { limits.applied(to: threshold) }
}

/// The checks that ask the server, in the order of their findings.
public enum HealthChecks {
  static let all: [any HealthCheck.Type] = [
    ServerCheck.self, PLpgSQLCheck.self, InvalidIndexesCheck.self, DuplicateIndexesCheck.self,
    StaleViewsCheck.self,
    UnrefreshableViewsCheck.self, PartitionsCheck.self, RetentionBacklogCheck.self, WraparoundCheck.self,
    SequencesCheck.self, LongTransactionsCheck.self, ReplicationSlotsCheck.self, StatisticsCheck.self,
    JobsCheck.self,
  ]

  public static let descriptions: [HealthCheckDescription] = all.map { $0.description }
}
