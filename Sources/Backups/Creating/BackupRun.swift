import Archive
import Compression
import Digests
import Postgres
import SystemPackage
import Timekeeping

/// Takes one backup.
public struct BackupRun: Sendable {
  /// Of the server that is backed up; narrowed to the host that was reached.
  public let settings: ConnectionSettings
  public let repository: BackupRepository
  public let options: BackupOptions
  /// Files to keep beside the archive, by name below `config/`.
  public let projectFiles: [String: [UInt8]]
  /// Finds the programs for a server's major version.
  public let programs: @Sendable (_ major: Int, ConnectionSettings) throws -> DumpProgram
  public let report: BackupReporter

  public init(
    settings: ConnectionSettings, repository: BackupRepository, options: BackupOptions,
    projectFiles: [String: [UInt8]],
    programs: @escaping @Sendable (_ major: Int, ConnectionSettings) throws -> DumpProgram,
    report: @escaping BackupReporter
  ) {
    self.settings = settings
    self.repository = repository
    self.options = options
    self.projectFiles = projectFiles
    self.programs = programs
    self.report = report
  }

  /// Takes the backup; it is complete and on disk when this returns.
  ///
  /// Holds ACCESS SHARE locks on the backed-up tables to its end. When it fails nothing is left in the
  /// repository that looks like a backup; a task's cancellation ends it like a failure.
  ///
  /// - Throws: ``BackupError``.
  public func run() async throws -> BackupManifest {
    let stop = StopSignal()
    return try await withTaskCancellationHandler {
      do {
        return try await run(stop: stop)
      } catch {
        throw BackupFailure.explain(stop.reason ?? error)
      }
    } onCancel: {
      stop.stop(because: BackupError(.interrupted, "interrupted", detail: "No backup was made."))
    }
  }

  private func run(stop: StopSignal) async throws -> BackupManifest {
    let started = UTCTime.now
    let leaderSession = Session(settings, applicationName: "tsdb backup")
    let reached = try await BackupPreflight.reach(leaderSession, settings: settings)
    let program = try programs(reached.serverVersion / 10_000, reached.settings)
    let partial = try repository.beginBackup(database: reached.database, time: started)
    for leftover in partial.removedLeftovers { report(.removed(leftover: leftover)) }
    do {
      let work = BackupWork(
        settings: reached.settings, options: options, projectFiles: projectFiles, program: program,
        partial: partial, leader: SnapshotLeader(session: leaderSession, options: options),
        started: started, stop: stop, report: report)
      let manifest = try await work.perform()
      try partial.complete()
      return manifest
    } catch {
      stop.stop(because: error)
      do {
        try partial.discard()
      } catch let failure {
        report(
          .warning(
            "\"\(partial.partialName)\" is still in the repository, and is no backup",
            detail: "\(failure.message).", hint: "the next backup removes it"))
      }
      throw error
    }
  }
}

/// What can be said before anything is made.
enum BackupPreflight {
  struct Reached: Sendable {
    var settings: ConnectionSettings
    var serverVersion: Int
    var database: String
  }

  /// Connects, and refuses what a backup cannot be taken through.
  static func reach(_ session: Session, settings: ConnectionSettings) async throws -> Reached {
    try await session.run { connection in
      let result = try connection.query("select pg_catalog.pg_backend_pid(), pg_catalog.current_database()")
      guard result.integer(0, 0) == connection.announcedProcessID else {
        throw BackupError(
          .invalidInput, "a backup cannot be taken through a connection pooler",
          detail: "A snapshot that is shared by several connections does not survive one.",
          hint: "give the server's own address with --database-url")
      }
      guard connection.serverVersion >= 140_000 else {
        throw BackupError(
          .invalidInput, "the server is older than PostgreSQL 14", hint: "use that version's pg_dump")
      }
      return Reached(
        settings: connection.narrowed(settings), serverVersion: connection.serverVersion,
        database: result.text(0, 1))
    }
  }
}
