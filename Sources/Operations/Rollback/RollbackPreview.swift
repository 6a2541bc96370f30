import Backups
import Deployments
import Postgres
import Timekeeping

/// What a rollback would do, and what it would cost.
public struct RollbackPreview: Sendable, Encodable {
  /// The sessions of one application.
  public struct Application: Sendable, Encodable, Equatable {
    /// As the sessions call themselves; empty for those that say nothing.
    public let name: String
    public let sessions: Int
  }

  public let deployment: String
  public let database: String
  /// The deployment's state before.
  public let state: DeploymentRecord.State
  public let backup: DeploymentRecord.Backup
  /// Seconds since the backup's snapshot: the window of writes that are lost.
  public let windowSeconds: Int64?
  /// What was written in it, as far as it is known.
  public let writes: RollbackWrites
  /// Whose sessions of the live database are ended, most first.
  public let applications: [Application]
  /// Bytes that the database had when it was backed up.
  public let neededSpace: Int64?
  /// Bytes free where the server keeps its data; nil where that cannot be seen from here.
  public let freeSpace: Int64?
  /// Later deployments, which are undone as well.
  public let laterDeployments: [String]
  /// The database that an interrupted rollback has restored already.
  public let restored: String?
  /// Whether an interrupted rollback has swapped already: nothing more is ended or lost.
  public let isSwapped: Bool
  /// The failed database, where it is kept already.
  public let kept: String?

  public var sessions: Int { applications.reduce(0) { $0 + $1.sessions } }
}

extension RollbackPreview {
  init(
    _ record: DeploymentRecord, _ backup: DeploymentRecord.Backup, _ facts: RollbackFacts,
    _ writes: RollbackWrites, _ situation: RollbackSituation, neededSpace: Int64?, later: [DeploymentRecord]
  ) {
    deployment = record.id
    database = record.database
    state = record.state
    self.backup = backup
    windowSeconds = UTCTime(backup.snapshotTime).map { max(0, UTCTime.now - $0) }
    self.writes = writes
    applications = facts.applications
    self.neededSpace = neededSpace
    freeSpace = facts.freeSpace
    laterDeployments = later.map(\.id)
    (restored, isSwapped, kept) =
      switch situation {
      case .untouched: (nil, false, nil)
      case .restored(let name, _): (name, false, nil)
      case .swapped(let kept): (nil, true, kept)
      }
  }
}

/// What the server says of a live database before it is replaced.
struct RollbackFacts: Sendable, Equatable {
  let applications: [RollbackPreview.Application]
  let freeSpace: Int64?

  init(_ database: String, on connection: borrowing Connection) throws(PostgresError) {
    let sessions = try connection.query(
      """
      select coalesce(application_name, ''), count(*) from pg_catalog.pg_stat_activity
      where datname = $1 and coalesce(backend_type, 'client backend') = 'client backend'
        and pid <> pg_catalog.pg_backend_pid() and application_name is distinct from $2
      group by 1 order by 2 desc, 1
      """, [database, DatabaseLock.sessionName])
    applications = (0..<sessions.rowCount).map {
      RollbackPreview.Application(name: sessions.text($0, 0), sessions: sessions.integer($0, 1) ?? 0)
    }
    freeSpace = try RestoreServerFacts.freeSpace(on: connection)
  }
}
