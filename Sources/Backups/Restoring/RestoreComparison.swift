import Archive
import Postgres

/// Compares a database that was restored before with the archive, by reading everything again.
public struct RestoreComparison: Sendable {
  public let source: RestoreSource
  /// Of the database.
  public let settings: ConnectionSettings
  /// Connections that read.
  public let jobs: Int
  /// The schema with tsdb's own tables, which the comparison of the schema leaves out.
  public let historySchema: String
  public let report: RestoreReporter

  public init(
    source: RestoreSource, settings: ConnectionSettings, jobs: Int, historySchema: String,
    report: @escaping RestoreReporter = { _ in }
  ) {
    self.source = source
    self.settings = settings
    self.jobs = jobs
    self.historySchema = historySchema
    self.report = report
  }

  /// What differs, in sentences.
  public struct Result: Sendable, Equatable {
    /// Of rows, sequences and large objects; empty where the schema differs, as they are not read then.
    public let content: [String]
    /// Of the schema, and of views that have lost their contents.
    public let schema: [String]
    public var isEqual: Bool { content.isEmpty && schema.isEmpty }
  }

  /// Reads every row that the archive has a table for; takes ACCESS SHARE on the tables.
  ///
  /// Each table is read as it is at that moment: what others write meanwhile is a difference.
  /// - Throws: ``BackupError`` when the archive or the server refuses.
  public func run() async throws -> Result {
    do {
      let plan = try RestorePlan(
        source.toc, manifest: source.manifest, selection: RestoreSelection(), dataSizes: source.dataSizes)
      let script = try RestoreScript(source.toc, options: RestoreScript.Options())
      let work = RestoreWork(
        source: source, plan: plan, script: script, clock: RestoreClock(), isCompared: false, report: report)
      let pool = RestorePool(
        sessions: (0..<max(1, jobs)).map { _ in Session(settings, applicationName: "tsdb restore") })
      let options = RestoreOptions(target: .beside(""), jobs: jobs, historySchema: historySchema)
      do {
        for session in pool.sessions {
          try await session.run { [isOurs = source.manifest != nil] in
            try RestoreSettings.apply(script, isOurs: isOurs, on: $0)
          }
        }
        report(.phase(.check))
        let found = try await ContentCheck(work: work, pool: pool, options: options).differences(
          database: settings)
        await pool.close()
        try Task.checkCancellation()
        return Result(content: found.content, schema: found.schema)
      } catch {
        await pool.close()
        throw error
      }
    } catch {
      throw Task.isCancelled ? BackupError(.interrupted, "interrupted") : BackupFailure.explain(error)
    }
  }
}
