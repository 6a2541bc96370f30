import Archive
import Backups
import Processes
import SystemPackage

/// Everything that one backup says of itself.
public struct BackupShow: Sendable {
  public let name: String
  public let database: String?

  /// - Parameter name: see ``RepositoryAccess/entry(_:database:)``.
  public init(name: String, database: String? = nil) {
    self.name = name
    self.database = database
  }

  public struct Result: Sendable, Encodable {
    public struct Table: Sendable, Encodable {
      public let schema: String
      public let name: String
      public let rows: Int64
      /// COPY text, bytes.
      public let bytes: Int64
      public let file: String
      /// Of the file, bytes.
      public let size: Int64
      public let pieces: Int
    }

    public struct Check: Sendable, Encodable {
      public let kind: String
      public let time: String
      public let milliseconds: Int64
      public let tool: String
      public let serverVersion: String?
      public let detail: String?
    }

    public let backup: BackupSummary
    public let tool: String?
    public let manifestSha256: String?
    public let snapshotTime: String?
    public let lsn: String?
    public let encoding: String?
    public let compression: String?
    public let archiveVersion: String?
    public let files: Int?
    public let sequences: Int?
    public let largeObjects: Int64?
    public let extensions: [String]
    public let roles: [String]
    public let onlyTables: [String]
    public let excludedTables: [String]
    /// The largest first.
    public let tables: [Table]
    /// Oldest first.
    public let checks: [Check]
    /// What a person without this program types, in order.
    public let restoreCommands: [String]
  }

  /// - Throws: ``BackupError`` when there is no such backup.
  public func run(_ access: RepositoryAccess) throws -> Result {
    let entry = try access.entry(name, database: database)
    let manifest = entry.manifest
    return Result(
      backup: BackupSummary(entry), tool: manifest?.tool, manifestSha256: entry.manifestSHA256,
      snapshotTime: manifest?.snapshot.time, lsn: manifest?.snapshot.lsn,
      encoding: manifest?.archive.encoding,
      compression: manifest?.archive.compression, archiveVersion: manifest?.archive.version,
      files: manifest.map { $0.files.count + 1 }, sequences: manifest?.sequences.count,
      largeObjects: manifest?.largeObjects?.count,
      extensions: manifest?.extensions.map { "\($0.name) \($0.version)" } ?? [], roles: manifest?.roles ?? [],
      onlyTables: manifest?.scope.tables ?? [], excludedTables: manifest?.scope.excludedTables ?? [],
      tables: manifest.map(Self.tables) ?? [],
      checks: entry.proofs.map {
        Result.Check(
          kind: $0.kind.rawValue, time: $0.time, milliseconds: $0.durationMilliseconds, tool: $0.tool,
          serverVersion: $0.serverVersion, detail: $0.detail)
      }, restoreCommands: manifest.map { Self.commands($0, path: entry.path.string) } ?? [])
  }

  private static func tables(_ manifest: BackupManifest) -> [Result.Table] {
    let sizes = Dictionary(manifest.files.map { ($0.path, $0.size) }) { first, _ in first }
    return manifest.tables.map {
      Result.Table(
        schema: $0.schema, name: $0.name, rows: $0.rows, bytes: $0.bytes, file: $0.file,
        size: sizes[$0.file] ?? 0, pieces: $0.pieces.count)
    }
    .sorted { ($1.bytes, $0.schema, $0.name) < ($0.bytes, $1.schema, $1.name) }
  }

  private static func commands(_ manifest: BackupManifest, path: String) -> [String] {
    let database = (manifest.server.database.name + "_restored").shellWord
    let encoding = manifest.server.database.encoding.shellWord
    return [
      "createdb --template template0 --encoding \(encoding) \(database)",
      "pg_restore --jobs 4 --exit-on-error --dbname \(database) \(path.shellWord)",
    ]
  }
}
