/// A job as `tsdb.yaml` declares it.
public struct JobDefinition: Sendable, Equatable {
  /// Lower-case letters, digits and hyphens; at most 40.
  public let name: String
  public var work: JobWork
  public var schedule: JobSchedule
  public var isEnabled = true
  /// No unit of work is begun after it; what is left is the backlog of a partial run.
  public var budget: Duration
  /// How long a statement that takes ACCESS EXCLUSIVE for a moment waits for it, each time.
  public var lockTimeout = Duration.milliseconds(200)
  /// The earliest time after a failed run of the same slot.
  public var retry = Duration.seconds(300)
  /// Jobs that must have ended well since this one's last success.
  public var onlyAfter: [String] = []

  public init(name: String, work: JobWork, schedule: JobSchedule, budget: Duration = .seconds(1800)) {
    self.name = name
    self.work = work
    self.schedule = schedule
    self.budget = budget
  }
}

/// What a job does.
public enum JobWork: Sendable, Equatable {
  case refreshViews(RelationSelection)
  case retention([RetentionRule])
  case partitions([PartitionRule])
  case vacuum(RelationSelection, analyze: Bool)
  case analyze(RelationSelection)
  case indexes(IndexRule)
  case backup(BackupRule)
  case check
  /// Statements of a file, its path as in the configuration; each statement is a transaction of its own.
  case sql(path: String)
  /// A program and its arguments, run without a shell in the project's directory.
  case command([String])

  /// The word that `tsdb.yaml` calls this kind of work by.
  public var kind: String {
    switch self {
    case .refreshViews: "refresh-views"
    case .retention: "retention"
    case .partitions: "partitions"
    case .vacuum: "vacuum"
    case .analyze: "analyze"
    case .indexes: "indexes"
    case .backup: "backup"
    case .check: "check"
    case .sql: "sql"
    case .command: "command"
    }
  }
}

/// Relations by name: `schema.name`, with `*` for any characters.
public struct RelationSelection: Sendable, Equatable {
  /// Empty for all that the role may maintain.
  public var include: [String]
  public var exclude: [String]

  public init(include: [String] = [], exclude: [String] = []) {
    self.include = include
    self.exclude = exclude
  }
}

/// Rows of one table that are deleted once they are old.
public struct RetentionRule: Sendable, Equatable {
  /// `schema.name`, unquoted as in the configuration.
  public var table: String
  /// Of type timestamptz, timestamp or date.
  public var column: String
  /// A row goes when its column is older than this.
  public var keep: Duration
  /// A further condition in SQL on the row, such as `status = 'closed'`; nil for none.
  public var condition: String?
  public var allowsSequentialScan = false
  /// How old the newest verified backup of the database may be; an older one, or none, keeps the rule from running.
  public var needsBackup: Duration?
  /// Of one batch.
  public var maxRows = 10_000
  /// Of one batch, by the estimated width of a row.
  public var maxBytes: Int64 = 8 << 20
  /// How long a batch should take.
  public var batchTime = Duration.milliseconds(100)

  public init(table: String, column: String, keep: Duration, condition: String? = nil) {
    self.table = table
    self.column = column
    self.keep = keep
    self.condition = condition
  }
}

/// A table partitioned by ranges of time.
public struct PartitionRule: Sendable, Equatable {
  public enum Interval: String, Sendable, CaseIterable {
    case day, week, month, year
  }

  /// `schema.name`, unquoted as in the configuration.
  public var table: String
  public var interval: Interval
  /// How many partitions after the current one are kept ready.
  public var ahead: Int
  /// A partition goes when its end is older than this; nil to keep all.
  public var keep: Duration?

  public init(table: String, interval: Interval = .month, ahead: Int = 3, keep: Duration? = nil) {
    self.table = table
    self.interval = interval
    self.ahead = ahead
    self.keep = keep
  }
}

/// Which indexes are repaired.
public struct IndexRule: Sendable, Equatable {
  public var tables: RelationSelection
  /// An index is rebuilt when more than this part of it (in percent) is estimated to be bloat.
  public var bloatPercent = 50
  /// Smaller indexes are not rebuilt for bloat; in bytes.
  public var bloatMinimumBytes: Int64 = 16 << 20

  public init(tables: RelationSelection = RelationSelection()) {
    self.tables = tables
  }
}

/// A backup as a job.
public struct BackupRule: Sendable, Equatable {
  /// Removes what `backup.keep` does not keep, after a backup.
  public var prunes = true
  /// How old the newest proof by restoring may be before another is made; nil for never.
  public var proveEvery: Duration?
  /// Connections that copy at once; nil for half of what a backup by hand has.
  public var jobs: Int?

  public init(prunes: Bool = true, proveEvery: Duration? = .seconds(7 * 86_400), jobs: Int? = nil) {
    self.prunes = prunes
    self.proveEvery = proveEvery
    self.jobs = jobs
  }
}
