import Archive
import Backups
import SystemPackage
import Timekeeping

/// A backup in a list.
public struct BackupSummary: Sendable, Encodable {
  public let id: String
  public let path: String
  /// See `BackupState.name`.
  public let state: String
  /// When it was verified or proven.
  public let stateTime: String?
  /// What is damaged.
  public let stateDetail: String?
  public let database: String?
  public let label: String?
  /// UTC, ISO 8601.
  public let started: String?
  public let finished: String?
  public let seconds: Int64?
  /// Of the files, bytes.
  public let size: Int64?
  public let tables: Int?
  public let rows: Int64?
  public let serverVersion: String?
  public let migrationHead: String?
  /// Whether it is of the whole database.
  public let isWhole: Bool?

  init(_ entry: BackupEntry) {
    id = entry.id
    path = entry.path.string
    state = entry.state.name
    stateTime = entry.state.time?.description
    if case .damaged(let reason) = entry.state { stateDetail = reason } else { stateDetail = nil }
    database = entry.database
    started = entry.manifest?.started ?? entry.time?.description
    let manifest = entry.manifest
    label = manifest?.label
    finished = manifest?.finished
    seconds = manifest?.durationSeconds
    size = manifest?.totalSize
    tables = manifest?.tables.count
    rows = manifest?.totalRows
    serverVersion = manifest?.server.version
    migrationHead = manifest?.migrations?.head
    isWhole = manifest?.scope.isWholeDatabase
  }
}
