import Compression

/// What a backup is to hold and how it is taken.
public struct BackupOptions: Sendable {
  /// Connections that read data.
  public var jobs: Int
  public var compression: DataCompression
  /// `pg_dump`'s patterns; both empty for the whole database.
  public var tables: [String] = []
  public var excludedTables: [String] = []
  public var label: String?
  /// How long to wait for ACCESS SHARE locks behind somebody's DDL.
  public var lockTimeout: Duration = .seconds(60)
  /// Heap and TOAST bytes per piece; see ``defaultPieceSize``.
  public var pieceSize: Int64 = Self.defaultPieceSize
  /// Between 4 and 128 MB it makes no difference to the time; the last piece, which runs alone, should be
  /// short, and what is held back for the order is bounded by it.
  public static let defaultPieceSize: Int64 = 32 << 20
  /// How often it is looked who waits behind the backup's locks: often enough to be noticed while somebody
  /// wonders, seldom enough to cost nothing.
  public var lockWatchInterval = Duration.seconds(1)
  /// The schema with tsdb's own tables.
  public var historySchema: String
  /// Name and version of this program.
  public var tool: String

  public init(jobs: Int, compression: DataCompression, historySchema: String, tool: String) {
    self.jobs = jobs
    self.compression = compression
    self.historySchema = historySchema
    self.tool = tool
  }

  var isWholeDatabase: Bool { tables.isEmpty && excludedTables.isEmpty }
}

/// What a backup reports while it runs.
public enum BackupEvent: Sendable {
  public enum Phase: String, Sendable, Encodable {
    case locking, schema, largeObjects = "large-objects", data, finishing
  }

  public struct Progress: Sendable, Encodable {
    /// COPY text read so far, in bytes.
    public var bytes: Int64
    /// Written to the repository so far, in bytes.
    public var written: Int64
    public var rows: Int64
    public var tablesDone: Int
    public var tables: Int
    /// Heap and TOAST read, of ``size``; what the remaining time is told from.
    public var sizeDone: Int64
    public var size: Int64
  }

  /// Somebody waits for a lock that this backup holds.
  public struct Waiting: Sendable, Encodable {
    public var processID: Int
    public var user: String
    public var application: String
    public var relation: String
    public var mode: String
    /// The first words of what waits.
    public var query: String
    public var seconds: Double
  }

  case phase(Phase)
  /// The snapshot that everything is read from; others may use it until the backup ends.
  case snapshot(id: String)
  case progress(Progress)
  case tableFinished(name: String, rows: Int64, bytes: Int64)
  case waitingBehind([Waiting])
  /// An earlier run left this and it is gone now.
  case removed(leftover: String)
  case warning(String, detail: String?, hint: String?)
}

public typealias BackupReporter = @Sendable (BackupEvent) -> Void
