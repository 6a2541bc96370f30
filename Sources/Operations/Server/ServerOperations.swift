import LocalServer
import SystemPackage

/// Starts, stops and describes the private local server of a project.
public struct ServerOperations: Sendable {
  private let local: LocalDatabase

  public init(project: Project) throws {
    local = try LocalDatabase(of: project)
  }

  public struct StartReport: Sendable, Encodable {
    /// `already-running`, `started` or `created`.
    public let outcome: String
    public let url: String
    public let database: String
    public let notices: [String]
  }

  public struct StatusReport: Sendable, Encodable {
    public let state: String
    public let directory: String
    public let dataDirectory: String?
    public let logDirectory: String?
    public let majorVersion: Int?
    public let account: String?
    public let processId: Int32?
    public let url: String?
  }

  public struct StopReport: Sendable, Encodable {
    /// `was-not-running`, `stopped` or `stopped-immediately`.
    public let outcome: String
  }

  public struct DestroyReport: Sendable, Encodable {
    public let destroyed: Bool
    public let directory: String
  }

  public func start() async throws -> StartReport {
    let start = try await local.ensureRunning().start
    let outcome =
      switch start.outcome {
      case .alreadyRunning: "already-running"
      case .started: "started"
      case .created: "created"
      }
    return StartReport(
      outcome: outcome, url: start.connection.url, database: start.connection.database, notices: start.notices
    )
  }

  public func stop(_ mode: StopMode) throws -> StopReport {
    let outcome =
      switch try local.server.stop(mode) {
      case .wasNotRunning: "was-not-running"
      case .stopped: "stopped"
      case .stoppedImmediately: "stopped-immediately"
      }
    return StopReport(outcome: outcome)
  }

  public func status() throws -> StatusReport {
    let status = try local.server.status()
    return StatusReport(
      state: status.state.rawValue, directory: status.directory.string,
      dataDirectory: status.dataDirectory?.string, logDirectory: status.logDirectory?.string,
      majorVersion: status.majorVersion, account: status.account, processId: status.processID,
      url: status.state == .running ? try? local.server.connectionSettings(database: local.name).url : nil)
  }

  /// The URL of the application's database; the server must run.
  public func url() throws -> String {
    try local.server.connectionSettings(database: local.name).url
  }

  public func destroy() throws -> DestroyReport {
    DestroyReport(destroyed: try local.server.destroy(), directory: local.server.directory.string)
  }

  /// The program and arguments of a psql session on the application's database.
  public func psql(_ arguments: [String]) async throws -> (program: String, arguments: [String]) {
    let url = try await start().url
    guard let program = try local.server.clientProgram("psql") else {
      throw ConfigurationError("psql is not installed", hint: "apt-get install postgresql-client")
    }
    return (program.string, ["psql", url] + arguments)
  }
}
