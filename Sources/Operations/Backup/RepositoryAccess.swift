import Backups
import Migrations
import Postgres
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What operations on a repository need; no database is needed for any of them.
public struct RepositoryAccess: Sendable {
  /// Something that a person should know, and that stops nothing.
  public typealias WarningReporter = @Sendable (_ message: String, _ detail: String?, _ hint: String?) -> Void

  public let project: Project
  /// Absolute.
  public let path: String
  /// Whether a person named it for this command. Then it must exist: a mistyped path is not an empty repository.
  public let isNamed: Bool
  /// Of the configured database, for the records in it; nil when none is configured.
  public let settings: Postgres.ConnectionSettings?
  public let warn: WarningReporter

  public init(
    project: Project, path: String, isNamed: Bool = false, settings: Postgres.ConnectionSettings?,
    warn: @escaping WarningReporter = { _, _, _ in }
  ) {
    self.project = project
    self.path = path
    self.isNamed = isNamed
    self.settings = settings
    self.warn = warn
  }

  /// The repository; nil when nothing is there and nobody named it.
  ///
  /// - Throws: ``BackupError``, of kind `invalidInput` when there is no directory of the given name.
  func existing() throws(BackupError) -> BackupRepository? {
    let repository = try BackupRepository.existing(at: FilePath(path))
    if repository == nil, isNamed { throw missing }
    return repository
  }

  /// - Throws: ``BackupError`` of kind `invalidInput` when there is none.
  func required() throws(BackupError) -> BackupRepository {
    if let repository = try existing() { return repository }
    throw missing
  }

  private var missing: BackupError {
    BackupError(
      .invalidInput, "there is no repository \"\(path)\"",
      hint:
        "take a first backup with \"tsdb backup\", or name the repository (--repository, backup.repository)")
  }

  /// The backup that a person means: see ``BackupRepository/resolve(_:database:)``; a name with a slash is the path
  /// of a backup, also of one outside the repository.
  ///
  /// - Parameter database: of which `latest` is; else the configured one, if any.
  public func entry(_ name: String, database: String?) throws(BackupError) -> BackupEntry {
    guard name.contains("/") else {
      return try required().resolve(name, database: database ?? settings?["dbname"])
    }
    let backup = try HeldBackup.open(FilePath(Project.absolute(name)))
    return BackupEntry(reading: backup.directory, id: backup.id)
  }

  /// Holds a backup for reading.
  func hold(_ entry: BackupEntry) throws(BackupError) -> HeldBackup { try HeldBackup.open(entry.path) }

  /// Writes records into the configured database, if there is one. What goes wrong is a warning.
  func record(_ body: @escaping @Sendable (BackupRecords, borrowing Connection) -> BackupRecords.Outcome)
    async
  {
    guard var settings else { return }
    // Only a record depends on it.
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "3" }
    let records = BackupRecords(schema: project.configuration.historySchema)
    let session = Session(settings, applicationName: "tsdb backup")
    var outcome: BackupRecords.Outcome
    do {
      outcome = try await session.run { body(records, $0) }
    } catch {
      outcome = .skipped((error as? PostgresError)?.message ?? "the database cannot be reached")
    }
    await session.close()
    if case .skipped(let reason) = outcome {
      warn("not recorded in the database: \(reason)", nil, nil)
    }
  }

  /// Where a backup's repository is.
  static func place(of entry: BackupEntry) -> BackupRecords.Place {
    BackupRecords.Place(host: hostName, path: entry.path.removingLastComponent().string)
  }

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
