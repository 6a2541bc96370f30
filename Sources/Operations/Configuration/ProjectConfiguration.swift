import Backups
import FoundationEssentials
import Migrations

/// What `tsdb.yaml` says, with defaults for what it leaves out.
///
/// Flag over environment over file over default; see ``ProjectConfiguration/applying(environment:)``.
public struct ProjectConfiguration: Sendable, Equatable {
  public var migrationDirectories = ["migrations"]
  public var order = OrderPolicy.dependencies
  public var lockTimeout = Duration.seconds(1)
  public var lockAttempts = 10
  public var runnerWait = Duration.seconds(60)
  /// Identities of objects that belong to somebody else, with `*` for any characters.
  public var ignoredDrift: [String] = []
  public var seedDirectories = ["seeds"]
  public var historySchema = "tsdb"
  /// A file that holds the database URL; relative to the project's directory.
  public var databaseURLFile: String?
  /// The database of the private local server.
  public var localDatabase = "app"
  /// Where backups are kept; relative to the project's directory.
  public var backupRepository = "backups"
  /// How many tables, and parts of tables, are read or written at once.
  public var backupJobs = ProjectConfiguration.defaultJobs
  /// `none`, `isal:LEVEL` or `gzip:LEVEL`.
  public var backupCompression = "isal:2"
  /// Which backups \"backup prune\" keeps.
  public var backupRetention = RetentionPolicy()
  /// How long a backup waits for its locks on tables.
  public var backupLockTimeout = Duration.seconds(30)

  /// Jobs, their schedules and their signals.
  public var maintenance = MaintenanceConfiguration()
  /// What \"deploy\" does besides.
  public var deploy = DeployConfiguration()

  /// The number of cores, at most 8.
  public static let defaultJobs = min(8, max(1, ProcessInfo.processInfo.activeProcessorCount))

  public init() {}

  /// The options of a run.
  public var runOptions: RunOptions {
    var options = RunOptions()
    options.lockTimeout = lockTimeout
    options.lockAttempts = lockAttempts
    options.runnerWait = runnerWait
    return options
  }
}

/// A fault in `tsdb.yaml` or in a `TSDB_…` variable.
public struct ConfigurationError: Error, Sendable, Equatable {
  public let summary: String
  public let detail: String?
  public let hint: String?
  public let location: SourceLocation?

  public init(_ summary: String, detail: String? = nil, hint: String? = nil, location: SourceLocation? = nil)
  {
    self.summary = summary
    self.detail = detail
    self.hint = hint
    self.location = location
  }
}
