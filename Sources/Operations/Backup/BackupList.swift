import Backups

/// What is in a repository.
public struct BackupList: Sendable {
  public let database: String?
  public let limit: Int?

  /// - Parameter database: only its backups.
  /// - Parameter limit: only so many, the newest.
  public init(database: String? = nil, limit: Int? = nil) {
    self.database = database
    self.limit = limit
  }

  public struct Result: Sendable, Encodable {
    public let repository: String
    /// The newest first.
    public let backups: [BackupSummary]
    /// How many more there are.
    public let omitted: Int
  }

  /// - Throws: ``BackupError`` when the repository cannot be read; one that is not there is empty, unless it was named.
  public func run(_ access: RepositoryAccess) throws -> Result {
    let entries = try access.existing()?.entries() ?? []
    let wanted = entries.filter { database == nil || $0.database == database }.reversed()
    let shown = wanted.prefix(limit ?? wanted.count)
    return Result(
      repository: access.path, backups: shown.map { BackupSummary($0) }, omitted: wanted.count - shown.count)
  }
}
