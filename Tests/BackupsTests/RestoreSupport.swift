import Archive
import Compression
import Foundation
import Postgres
import Synchronization
import SystemPackage
import TestSupport

@testable import Backups

/// What a restore told.
final class RestoreEvents: Sendable {
  private let events = Mutex<[RestoreEvent]>([])

  var report: RestoreReporter { { [self] event in events.withLock { $0.append(event) } } }
  var all: [RestoreEvent] { events.withLock { $0 } }
}

extension TestDatabase {
  /// Dumps the database with pg_dump, in directory format unless the options say otherwise.
  func dump(_ directory: TemporaryDirectory, _ options: [String] = []) async throws -> FilePath {
    let path = directory.path("archive")
    let run = try ToolRun(
      executable: cluster.executable("pg_dump"),
      [options.contains("-Fc") ? "-Fc" : "-Fd", "-f", path] + options,
      environment: settings.toolEnvironment)
    let result = try await run.finish(within: .seconds(300))
    guard result.exitStatus == 0 else { throw TestSupportError("pg_dump: \(result)") }
    return FilePath(path)
  }

  /// Restores an archive beside this database.
  func restore(
    _ path: FilePath, into name: String, user: String = "postgres", events: RestoreEvents = RestoreEvents(),
    _ adjust: (inout RestoreOptions) -> Void = { _ in }
  ) async throws -> RestoreReport {
    var options = RestoreOptions(target: .new(name), jobs: 3, historySchema: "tsdb")
    adjust(&options)
    return try await RestoreRun(
      source: try RestoreSource(opening: path), settings: settings(user: user), options: options,
      report: events.report
    ).run()
  }

  /// A name for a restored database that no other test uses.
  func name(_ suffix: String) -> String { "\(name)_\(suffix)" }

  func dropDatabase(_ name: String) async throws {
    try await cluster.connect().run { connection in
      _ = try connection.execute("drop database if exists \(Quoting.identifier(name)) with (force)")
    }
  }

  /// Databases of the server that ``name(_:)`` gave their names.
  func others() async throws -> [String] {
    try await cluster.connect().run { [name] connection in
      try connection.query(
        "select datname from pg_database where starts_with(datname, $1) order by 1", [name + "_"]
      ).rows().compactMap { $0[0] }
    }
  }
}

extension TestDatabase {
  /// Takes a backup into a repository in `directory`.
  func backUp(_ directory: TemporaryDirectory, jobs: Int = 2) async throws -> FilePath {
    let cluster = cluster
    let repository = try BackupRepository(creating: FilePath(directory.path("backups")))
    let run = BackupRun(
      settings: settings, repository: repository,
      options: BackupOptions(
        jobs: jobs, compression: .isal(level: 2), historySchema: "tsdb", tool: "tsdb test"),
      projectFiles: [:],
      programs: { _, settings in
        DumpProgram(
          pgDump: FilePath(cluster.executable("pg_dump")),
          pgDumpAll: FilePath(cluster.executable("pg_dumpall")),
          version: "test", environment: try settings.childEnvironment(),
          connectionString: try settings.childConnectionString())
      }
    ) { _ in }
    let manifest = try await run.run()
    return repository.path.appending(manifest.id)
  }
}
