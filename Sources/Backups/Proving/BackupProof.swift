import Archive
import Postgres
import Synchronization

/// Restores a backup on a server that is thrown away, and compares everything.
///
/// The server is the caller's, and must be new: roles and tablespaces that the backup names are made on it.
public struct BackupProof: Sendable {
  public let source: RestoreSource
  /// Of the server's superuser and a maintenance database.
  public let settings: ConnectionSettings
  /// The server's data directory, which tells it from any other that the environment may lead to.
  public let dataDirectory: String
  public let jobs: Int
  /// Keeps what was restored also when it is not equal.
  public let keepsFailed: Bool
  /// The schema with tsdb's own tables.
  public let historySchema: String
  public let report: RestoreReporter

  public init(
    source: RestoreSource, settings: ConnectionSettings, dataDirectory: String, jobs: Int, keepsFailed: Bool,
    historySchema: String, report: @escaping RestoreReporter
  ) {
    self.source = source
    self.settings = settings
    self.dataDirectory = dataDirectory
    self.jobs = jobs
    self.keepsFailed = keepsFailed
    self.historySchema = historySchema
    self.report = report
  }

  public enum Outcome: Sendable {
    case equal(RestoreReport)
    /// At least one is a difference.
    case different([RestoreFinding])
    /// It could not be tried here.
    case notPossible([RestoreFinding])
  }

  /// The name of the restored database: the backup's own, so that what depends on the name holds.
  public static func databaseName(_ manifest: BackupManifest) -> String {
    let name = manifest.server.database.name
    return ["postgres", "template0", "template1"].contains(name) ? name + "_restored" : name
  }

  /// Bytes that a restore of the backup takes.
  public static func space(for manifest: BackupManifest) -> Int64 { ProofServer.space(for: manifest) }

  /// - Throws: ``BackupError`` when the run was interrupted, or the server went away.
  public func run(_ manifest: BackupManifest) async throws -> Outcome {
    try await prepare(manifest)
    var options = RestoreOptions(
      target: .new(Self.databaseName(manifest)), jobs: jobs, historySchema: historySchema)
    options.createsMissingRoles = true
    options.keepsFailed = keepsFailed
    options.verifiesFiles = false
    // Nobody asks this database anything but to read all of it.
    options.analyzes = false
    let found = FindingList()
    options.findings = { found.add($0) }
    do {
      let run = RestoreRun(source: source, settings: settings, options: options, report: report)
      return .equal(try await run.run())
    } catch let error as BackupError where error.kind != .interrupted {
      let findings = found.all
      if findings.contains(where: { $0.kind == .difference }) { return .different(findings) }
      if !findings.isEmpty { return .notPossible(findings) }
      if error.kind == .tryAgain { throw error }
      let judged = ProofFailure.judge(
        error, manifest: manifest, serverMajor: try await serverMajor())
      return judged.kind == .difference ? .different([judged]) : .notPossible([judged])
    }
  }

  private final class FindingList: Sendable {
    private let list = Mutex<[RestoreFinding]>([])
    var all: [RestoreFinding] { list.withLock { $0 } }
    func add(_ more: [RestoreFinding]) { list.withLock { $0 += more } }
  }

  private func serverMajor() async throws -> Int {
    try await perform { $0.serverVersion / 10_000 }
  }

  private func prepare(_ manifest: BackupManifest) async throws {
    let toc = source.toc
    let expected = dataDirectory
    try await perform { connection in
      let found = try connection.query("select pg_catalog.current_setting('data_directory')").text(0, 0)
      guard found == expected else {
        throw BackupError(
          .failed, "the connection leads to another server than the throwaway one",
          detail: "Its data directory is \"\(found)\" instead of \"\(expected)\". Nothing was changed on it.",
          hint: "unset PGHOSTADDR and PGSERVICE, and name the database with --database-url instead")
      }
      let rows = try connection.query("select rolname from pg_catalog.pg_roles")
      let roles = Set((0..<rows.rowCount).map { rows.text($0, 0) })
      for statement in ProofServer(manifest, toc, roles: roles).statements {
        try connection.execute(statement)
      }
    }
  }

  private func perform<Result: Sendable>(
    _ body: @escaping @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    let session = Session(settings, applicationName: "tsdb proof")
    do {
      let result = try await session.run(body)
      await session.close()
      return result
    } catch {
      await session.close()
      throw Task.isCancelled ? BackupError(.interrupted, "interrupted") : BackupFailure.explain(error)
    }
  }
}
