import Archive
import Backups
import FoundationEssentials
import Migrations
import Postgres
import SystemPackage
import Timekeeping

/// Restores a backup, or an archive of pg_dump.
public struct RestoreArchive: Sendable {
  /// Where the restored data goes.
  public enum Target: Sendable, Equatable {
    /// A new database beside the live one.
    case beside
    /// Beside the live one, and then under its name.
    case swap(grace: Duration)
    /// A new database of this name, or with data only an existing one.
    case into(String)
  }

  /// `latest`, an id or its beginning, a label, or a path.
  public let archive: String
  /// Where backups are looked for, absolute; nil for the project's repository.
  public let repository: String?
  public let target: Target
  /// All but the target, which ``target`` tells.
  public let options: RestoreOptions
  /// Loads data into tables that have rows.
  public let acceptsRows: Bool

  public init(
    archive: String, repository: String? = nil, target: Target, options: RestoreOptions, acceptsRows: Bool
  ) {
    self.archive = archive
    self.repository = repository
    self.target = target
    self.options = options
    self.acceptsRows = acceptsRows
  }

  public struct Result: Sendable, Encodable {
    public let restore: RestoreReport
    /// nil when nothing was swapped.
    public let swap: RestoreSwap.Result?
    /// The database that was, or would be, replaced.
    public let live: String
    public let isDryRun: Bool
  }

  /// An archive that was found and opened; it is held until the value goes out of use.
  public struct Opened: Sendable {
    public let source: RestoreSource
    /// The database that the new one is named after.
    public let live: String
    /// How long ago the backup was taken, in seconds; nil for archives without a manifest.
    public let age: Int64?
  }

  /// Finds and opens the archive; asks no server for more than the database's name.
  ///
  /// - Throws: `BackupError`.
  public func open(_ access: DatabaseAccess) throws -> Opened {
    let live = try access.settings["dbname"] ?? SwapTarget(access).database
    let source = try RestoreSource(opening: try path(access, live: live))
    let taken = source.manifest.flatMap { UTCTime($0.snapshot.time) }
    return Opened(source: source, live: live, age: taken.map { max(0, UTCTime.now - $0) })
  }

  private func path(_ access: DatabaseAccess, live: String) throws -> FilePath {
    let given = FilePath(Project.absolute(archive))
    if archive.contains("/") { return given }
    let directory = FilePath(
      repository ?? access.project.path(access.project.configuration.backupRepository))
    let exists = FileManager.default.fileExists(atPath: given.string)
    do {
      guard let repository = try BackupRepository.existing(at: directory) else {
        if exists, archive != "latest" { return given }
        throw BackupError(
          .invalidInput, "there is no repository \"\(directory)\"",
          hint: "give the path of a backup or of an archive, or name the repository (--repository, "
            + "backup.repository)")
      }
      return try repository.resolve(archive, database: live).path
    } catch let error as BackupError where error.kind == .invalidInput && exists && archive != "latest" {
      return given
    }
  }

  /// Restores, and swaps where that was asked for.
  ///
  /// - Throws: `BackupError`; its detail says what was kept.
  public func run(
    _ opened: Opened, _ access: DatabaseAccess, report: @escaping RestoreReporter,
    swapReport: @escaping @Sendable (SwapEvent) -> Void
  ) async throws -> Result {
    var options = options
    switch target {
    case .beside: options.target = .beside(opened.live)
    case .swap:
      options.target = .beside(opened.live)
      options.willSwap = true
    case .into(let name): options.target = .new(name)
    }
    let restored: RestoreReport
    if options.selection.contents == .data, case .into(let name) = target {
      var settings = access.settings
      settings["dbname"] = name
      restored = try await RestoreDataRun(
        source: opened.source, settings: settings, options: options, acceptsRows: acceptsRows, report: report
      ).run()
    } else {
      restored = try await RestoreRun(
        source: opened.source, settings: access.settings, options: options, report: report
      ).run()
    }
    guard case .swap(let grace) = target, !options.isDryRun else {
      return Result(restore: restored, swap: nil, live: opened.live, isDryRun: options.isDryRun)
    }
    return Result(
      restore: restored, swap: try await swap(restored, opened, access, grace: grace, report: swapReport),
      live: opened.live, isDryRun: false)
  }

  private func swap(
    _ restored: RestoreReport, _ opened: Opened, _ access: DatabaseAccess, grace: Duration,
    report: @escaping @Sendable (SwapEvent) -> Void
  ) async throws -> RestoreSwap.Result {
    do {
      let target = try SwapTarget(access, avoiding: [restored.database])
      let swap = DatabaseSwap(
        live: opened.live, new: restored.database, backupID: opened.source.name, grace: grace)
      return RestoreSwap.Result(try await target.run(swap, report: report))
    } catch let error as BackupError {
      // What was restored is not lost.
      throw BackupError(
        error.kind, error.message,
        detail: [error.detail, "The restored database is kept as \"\(restored.database)\"."]
          .compactMap { $0 }.joined(separator: "\n"),
        hint: [
          error.hint, "swap it in later with: \(TypedCommand.tsdb("restore --swap-in", restored.database))",
        ]
        .compactMap { $0 }.joined(separator: "\n"),
        sqlState: error.sqlState)
    }
  }
}
