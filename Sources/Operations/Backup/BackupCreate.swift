import Archive
import Backups
import FoundationEssentials
import LocalServer
import Migrations
import Postgres
import SystemPackage

/// Takes a backup of a database into a repository.
public struct BackupCreate: Sendable {
  public let options: BackupOptions
  /// The repository's directory, absolute.
  public let repository: String

  public init(options: BackupOptions, repository: String) {
    self.options = options
    self.repository = repository
  }

  public struct Result: Sendable, Encodable {
    public let id: String
    /// The backup's directory.
    public let path: String
    public let database: String
    public let label: String?
    public let tables: Int
    public let rows: Int64
    /// COPY text, in bytes.
    public let bytes: Int64
    /// On disk, in bytes.
    public let size: Int64
    public let seconds: Double
    public let snapshotTime: String
    public let migrationHead: String?
  }

  /// - Throws: `BackupError`; nothing that looks like a backup is left behind.
  public func run(_ access: DatabaseAccess, report: @escaping BackupReporter) async throws -> Result {
    let clock = ContinuousClock.now
    let repository = try BackupRepository(creating: FilePath(repository))
    let run = BackupRun(
      settings: access.settings, repository: repository, options: options,
      projectFiles: Self.projectFiles(access.project),
      programs: { major, settings in try Self.program(major: major, settings: settings) }, report: report)
    let manifest = try await run.run()
    let path = repository.path.appending(manifest.id)
    await record(path, access, report)
    return Result(
      id: manifest.id, path: path.string,
      database: manifest.server.database.name, label: manifest.label, tables: manifest.tables.count,
      rows: manifest.tables.reduce(0) { $0 + $1.rows }, bytes: manifest.tables.reduce(0) { $0 + $1.bytes },
      size: manifest.files.reduce(0) { $0 + $1.size },
      seconds: Double((ContinuousClock.now - clock).milliseconds) / 1000,
      snapshotTime: manifest.snapshot.time, migrationHead: manifest.migrations?.head)
  }

  /// Records the finished backup in the database that it was taken of; what stands in the way is a warning.
  private func record(_ path: FilePath, _ access: DatabaseAccess, _ report: @escaping BackupReporter) async {
    let records = RepositoryAccess(
      project: access.project, path: repository, settings: access.settings
    ) { report(.warning($0, detail: $1, hint: $2)) }
    do {
      let backup = try HeldBackup.open(path)
      let entry = BackupEntry(reading: backup.directory, id: backup.id)
      await records.record { records, connection in
        records.record(entry, at: RepositoryAccess.place(of: entry), on: connection)
      }
    } catch {
      report(
        .warning("not recorded in the database: \(error.message)", detail: error.detail, hint: nil))
    }
  }

  private static func projectFiles(_ project: Project) -> [String: [UInt8]] {
    guard project.hasConfigurationFile,
      let bytes = try? SQLFiles.read(Project.configurationFileName, root: project.root)
    else { return [:] }
    return [Project.configurationFileName: bytes]
  }

  /// The installed pg_dump for a server of that major version.
  static func program(major: Int, settings: Postgres.ConnectionSettings) throws -> DumpProgram {
    let search = InstallationSearch()
    let dumps = search.clientPrograms(named: "pg_dump")
    guard let dump = InstallationSearch.choose(among: dumps, serverMajor: major) else {
      let found = Set(dumps.map(\.version.major)).sorted().map(String.init).joined(separator: ", ")
      throw BackupError(
        .failed, "no pg_dump for a server of PostgreSQL \(major) is installed",
        detail: found.isEmpty
          ? "pg_dump was looked for in PATH and in the usual places."
          : "Found are versions \(found), and an older pg_dump refuses a newer server.",
        hint:
          "install it (Debian: apt-get install postgresql-client-\(major)), or set TSDB_PG_BINDIR to its directory"
      )
    }
    let all = search.clientPrograms(named: "pg_dumpall").first {
      $0.path.removingLastComponent() == dump.path.removingLastComponent()
    }
    return DumpProgram(
      pgDump: dump.path, pgDumpAll: all?.path, version: "\(dump.version)",
      environment: search.programEnvironment + (try settings.childEnvironment()),
      connectionString: try settings.childConnectionString())
  }
}
