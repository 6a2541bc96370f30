import LocalServer
import Logging
import Migrations
import Postgres

/// What every operation on a database needs: the project, the connection and somebody to tell.
public struct DatabaseAccess: Sendable {
  public let project: Project
  public let settings: Postgres.ConnectionSettings
  public let options: RunOptions
  public let report: RunReporter
  /// Gets what helps to find a fault; what a person should know goes to ``report``.
  public let logger: Logger

  public init(
    project: Project, settings: Postgres.ConnectionSettings, options: RunOptions,
    report: @escaping RunReporter = { _ in }, logger: Logger = Logger(label: "tsdb")
  ) {
    self.project = project
    self.settings = settings
    self.options = options
    self.report = report
    self.logger = logger
  }

  var history: MigrationHistory {
    MigrationHistory(
      schema: HistorySchema(name: project.configuration.historySchema), toolVersion: Version.current)
  }

  /// Runs `body` with a runner on a connection of its own, and a watch beside it.
  ///
  /// - Parameter activity: shown as the application's name on the server.
  /// - Throws: ``MigrationError`` when the server cannot be reached, and what `body` throws.
  func withRunner<Result: Sendable>(
    _ activity: String,
    _ body: @escaping @Sendable (MigrationRunner, borrowing Connection) throws -> Result
  ) async throws -> Result {
    let session = Session(settings, applicationName: "tsdb \(activity)")
    let reached: Postgres.ConnectionSettings
    do {
      try await session.connect()
      reached = try await session.run { [settings] in $0.narrowed(settings) }
    } catch let error as PostgresError {
      throw MigrationError.connecting(error)
    }
    let watch = StatementWatch(settings: reached, report: report)
    let watching = Task { await watch.run() }
    defer { watching.cancel() }
    let (history, options, report) = (history, options, report)
    let ignoredDrift = project.configuration.ignoredDrift
    let result = try await session.run { connection in
      do {
        let server = try ServerFacts(on: connection)
        logger.debug(
          "connected",
          metadata: [
            "database": "\(server.database)", "role": "\(server.role)", "server": "\(server.versionNumber)",
            "pooled": "\(server.isPooled)",
          ])
        if let refusal = server.refusalToRead() { throw refusal }
        try SessionState.prepare(connection, for: server, options)
        let runner = MigrationRunner(
          history: history, options: options, server: server, ignoredDrift: ignoredDrift, watch: watch,
          processID: connection.announcedProcessID, report: report
        ) { () throws(PostgresError) in try Connection(reached, applicationName: "tsdb lock") }
        return try body(runner, connection)
      } catch let error as PostgresError {
        if Task.isCancelled, error.isCancellation || error.origin == .connectionLost {
          throw MigrationError(.interrupted, "interrupted", hint: "run the same command again to continue")
        }
        throw MigrationError(error, during: "the database refused")
      }
    }
    await session.close()
    return result
  }
}

extension MigrationError {
  static func connecting(_ error: PostgresError) -> MigrationError {
    if error.origin == .client {
      return MigrationError(
        .invalidInput, "cannot connect: \(error.message)", detail: "Nothing was changed.",
        hint: error.hint ?? "check the URL, and the variables that begin with PG")
    }
    let hint: String? =
      switch error.sqlState {
      case "28P01", "28000":
        "check the user and the password (PGPASSWORD, ~/.pgpass), and pg_hba.conf on the server"
      case "3D000": "create it (createdb NAME), or name another in the URL"
      case "53300": "try again when fewer clients are connected"
      default: error.isServerUnavailable ? "check that the server runs and that host and port are right" : nil
      }
    return MigrationError(
      error.isServerUnavailable ? .tryAgain : .failed, "cannot connect: \(error.message)",
      detail: "Nothing was changed.", hint: hint, sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
  }
}
