import Maintenance

/// All that a report says of a database, read once. HTML, text and JSON are renderings of it.
///
/// Times are UTC, ISO 8601. Every text from outside is a ``ReportText``.
public struct ReportFacts: Sendable, Encodable {
  /// Of this document; grows when a key changes its meaning or goes.
  public let format = 1
  public let tool: String
  public let time: String
  /// Of the jobs' schedules, in which the calendar's days are; a name of the IANA database.
  public let timeZone: String
  public var verdict: ReportVerdict
  public let server: ReportServer
  public let checks: [ReportCheck]
  public let checklist: ReportPart<ReportChecklist>
  public let deployments: ReportPart<ReportList<ReportDeployment>>
  public let migrations: ReportPart<ReportMigrations>
  public let backups: ReportPart<ReportBackups>
  public let jobs: ReportPart<ReportJobs>
  public let views: ReportPart<ReportViews>
  public let retention: ReportPart<ReportList<ReportBacklog>>
  public let tables: ReportPart<ReportTables>
  public let sequences: ReportPart<ReportList<ReportSequence>>
  public let indexes: ReportPart<ReportIndexes>
  public let wraparound: ReportPart<ReportWraparound>
}

/// The server and the database.
public struct ReportServer: Sendable, Encodable {
  public let host: ReportText
  public let database: ReportText
  public let role: ReportText
  /// Such as `15.9`.
  public let version: ReportText
  /// nil where the role may not ask for it.
  public let systemIdentifier: String?
  public let started: String
  public let bytes: Int64?
  public let isInRecovery: Bool
}

/// What one check of `tsdb check` says.
public struct ReportCheck: Sendable, Encodable {
  public let name: String
  /// The area that it counts for.
  public let subject: ReportSubject
  public let status: HealthStatus
  public let summary: ReportText
  public let problems: ReportList<ReportProblem>
}

public struct ReportProblem: Sendable, Encodable {
  public let status: HealthStatus
  public let summary: ReportText
  public let detail: ReportText?
  public let remedy: ReportText?
}

/// A deployment as the database's records have it.
public struct ReportDeployment: Sendable, Encodable {
  public struct Step: Sendable, Encodable {
    public let step: ReportText
    public let outcome: ReportText
    public let started: String?
    public let ended: String?
    public let summary: ReportText?
    /// Why it was skipped, as the operator said.
    public let because: ReportText?
  }

  public let id: ReportText
  public let started: String?
  public let ended: String?
  public let state: ReportText
  /// Of the newest deployment alone.
  public let steps: [Step]
}

public struct ReportMigrations: Sendable, Encodable {
  public struct Migration: Sendable, Encodable {
    public let name: ReportText
    /// As `tsdb migrate status` has it.
    public let state: String
    public let version: ReportText?
    public let applied: String?
    public let appliedBy: ReportText?
    public let milliseconds: Int?
  }

  /// A line of the log, to which rows are only added.
  public struct Event: Sendable, Encodable {
    public let time: String
    public let action: ReportText
    public let name: ReportText
    public let actor: ReportText
    public let reason: ReportText?
  }

  public let migrations: ReportList<Migration>
  /// The newest first.
  public let log: ReportPart<ReportList<Event>>
  /// Of all, by their states.
  public let counts: [String: Int]
}

/// A materialized view.
public struct ReportView: Sendable, Encodable {
  public let name: ReportText
  public let isPopulated: Bool
  public let bytes: Int64?
  public let refreshed: String?
  public let ageSeconds: Int64?
  /// The job that refreshes it, and the seconds between two of its slots.
  public let job: ReportText?
  public let periodSeconds: Int64?
}

public struct ReportViews: Sendable, Encodable {
  public let views: ReportList<ReportView>
  /// Why it is not known when they were refreshed.
  public let gap: ReportGap?
}

/// Rows of one table that retention should have deleted.
public struct ReportBacklog: Sendable, Encodable {
  public let table: ReportText
  public let job: ReportText
  public let keepSeconds: Int64
  public let rows: ReportPart<ReportOverdueRows>
}

public struct ReportOverdueRows: Sendable, Encodable {
  public let count: Int64
  /// More than were counted.
  public let hasMore: Bool
  public let oldest: String?
}

public struct ReportTables: Sendable, Encodable {
  /// A table, or a partitioned table with all its partitions.
  public struct Table: Sendable, Encodable {
    public let name: ReportText
    /// With indexes and TOAST.
    public let bytes: Int64
    public let indexBytes: Int64
    /// The planner's guess; nil where it was never analyzed.
    public let rows: Int64?
    public let partitions: Int
  }

  /// The largest first.
  public let tables: ReportList<Table>
  public let totalBytes: Int64
}

public struct ReportSequence: Sendable, Encodable {
  public let name: ReportText
  public let column: ReportText?
  public let last: Int64?
  public let limit: Int64
  /// In percent.
  public let used: Double
  public let isEndless: Bool
  public let gap: ReportGap?
}

public struct ReportIndexes: Sendable, Encodable {
  public struct Index: Sendable, Encodable {
    public let name: ReportText
    public let table: ReportText
    /// The one that a duplicate repeats.
    public let original: ReportText?
    public let bytes: Int64?
  }

  public let invalid: ReportList<Index>
  public let duplicate: ReportList<Index>
  /// Not read since statistics are kept, of no constraint; the largest first.
  public let unused: ReportPart<ReportList<Index>>
  /// Since when reads of indexes are counted.
  public let countedSince: String?
}

public struct ReportWraparound: Sendable, Encodable {
  public struct Age: Sendable, Encodable {
    public let database: ReportText
    public let transactions: Int64
    public let multixacts: Int64
  }

  public let databases: ReportList<Age>
  public let oldestRelation: ReportText?
  /// Where autovacuum begins to freeze, and where VACUUM drops all courtesy; in transactions.
  public let freezeMaxAge: Int64
  public let failsafeAge: Int64
}
