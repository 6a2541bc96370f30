import LocalServer
import Migrations
import Postgres
import SystemPackage

/// The private local server of a project, and its database.
public struct LocalDatabase: Sendable {
  public let server: LocalServer
  /// The application's database in it.
  public let name: String

  /// - Throws: `LocalServerError` when the project's path cannot hold a server.
  public init(of project: Project) throws {
    server = try LocalServer(directory: FilePath(project.serverDirectory))
    name = project.configuration.localDatabase
  }

  /// Starts the server if it does not run and creates the database if it is not there.
  ///
  /// - Returns: how to connect to the database, and what the start did.
  public func ensureRunning() async throws -> (settings: Postgres.ConnectionSettings, start: StartResult) {
    let start = try server.start(database: name)
    let settings = Postgres.ConnectionSettings(
      parameters: Dictionary(uniqueKeysWithValues: start.connection.keywords.map { ($0.keyword, $0.value) }))
    // Asked only after a start: a running server has had its database from then on.
    if start.outcome != .alreadyRunning { try createDatabase(settings) }
    return (settings, start)
  }

  private func createDatabase(_ settings: Postgres.ConnectionSettings) throws {
    var maintenance = settings
    maintenance["dbname"] = "postgres"
    do {
      let connection = try Connection(maintenance, applicationName: "tsdb server")
      let exists = try connection.query("select from pg_database where datname = $1", [name]).rowCount > 0
      if !exists { try connection.execute("create database \(Quoting.identifier(name))") }
    } catch {
      throw MigrationError(error, during: "the database \"\(name)\" of the private server cannot be created")
    }
  }
}

extension Project {
  /// Whether the connection goes to the project's private server, which runs for whoever works on the project.
  func isPrivateServer(_ settings: Postgres.ConnectionSettings) -> Bool {
    guard let own = try? LocalDatabase(of: self).server.connectionSettings() else { return false }
    return settings["host"] == own.socketDirectory.string && settings["port"] == String(own.port)
  }

  /// What lets maintenance run by itself, as it is typed; on the private server, where no scheduler reaches it, what
  /// does the same by hand.
  func schedulingRemedy(_ settings: Postgres.ConnectionSettings) -> String {
    isPrivateServer(settings)
      ? "tsdb maintain (by hand: no schedule reaches the private local server)"
      : "tsdb schedule install --cron (or --systemd, --pg-cron)"
  }
}

extension ConnectionChoice {
  /// How to connect; starts the private local server where that is the choice.
  ///
  /// - Parameter notify: gets one line for the person, when the private server is used.
  public func resolve(
    in project: Project, notify: (String) -> Void
  ) async throws -> Postgres.ConnectionSettings {
    switch self {
    case .configured(let settings, _): return settings
    case .localServer:
      let local = try LocalDatabase(of: project)
      let (settings, start) = try await local.ensureRunning()
      let did =
        switch start.outcome {
        case .alreadyRunning: "using the private local server"
        case .started: "started the private local server"
        case .created: "made and started a private local server"
        }
      notify("\(did) in \(project.serverDirectory), database \"\(local.name)\" (no database is configured)")
      start.notices.forEach(notify)
      return settings
    }
  }
}
