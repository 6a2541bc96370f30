import Foundation
import Postgres

/// PgBouncer in front of a cluster, on a unix socket in a directory of its own.
public final class PgBouncer: Sendable {
  public enum PoolMode: String, Sendable, CaseIterable {
    case session, transaction, statement
  }

  public let directory: String
  public let port = 6432
  private let process: ToolRun

  /// - Parameter poolSize: how many server connections each database and user may have.
  /// - Parameter configuration: more lines for the section `[pgbouncer]`.
  public static func start(
    _ mode: PoolMode, for cluster: PostgresCluster, poolSize: Int = 20, users: [String] = ["postgres"],
    configuration: [String] = []
  ) async throws -> PgBouncer {
    let pooler = try PgBouncer(
      mode, for: cluster, poolSize: poolSize, users: users, configuration: configuration)
    try await pooler.waitUntilReady()
    return pooler
  }

  /// PgBouncer for the length of `body`.
  public static func with<Result: Sendable>(
    _ mode: PoolMode, for cluster: PostgresCluster, poolSize: Int = 20,
    _ body: (PgBouncer) async throws -> Result
  ) async throws -> Result {
    let pooler = try await start(mode, for: cluster, poolSize: poolSize)
    do {
      let result = try await body(pooler)
      await pooler.stop()
      return result
    } catch {
      await pooler.stop()
      throw error
    }
  }

  private init(
    _ mode: PoolMode, for cluster: PostgresCluster, poolSize: Int, users: [String], configuration: [String]
  ) throws {
    directory = try TestRoot.shared.makeDirectory()
    let secret = cluster.password.map { " password='\($0)'" } ?? ""
    let settings = [
      "[databases]",
      "* = host=\(cluster.host) port=\(cluster.port)\(secret)",
      "[pgbouncer]",
      "listen_addr =",
      "listen_port = \(port)",
      "unix_socket_dir = \(directory)",
      "auth_type = trust",
      "auth_file = \(directory)/users",
      "pool_mode = \(mode.rawValue)",
      "default_pool_size = \(poolSize)",
      "max_client_conn = 500",
      "logfile = \(directory)/log",
      "pidfile = \(directory)/pgbouncer.pid",
      "admin_users = postgres",
    ]
    try (settings + configuration).joined(separator: "\n")
      .write(toFile: directory + "/pgbouncer.ini", atomically: false, encoding: .utf8)
    try users.map { "\"\($0)\" \"\"" }.joined(separator: "\n")
      .write(toFile: directory + "/users", atomically: false, encoding: .utf8)
    try giveToServerAccount(directory)
    let command = serverCommand(Self.executable, ["-q", directory + "/pgbouncer.ini"])
    process = try ToolRun(
      executable: command.executable, command.arguments, environment: ["PATH": "/usr/bin:/bin"],
      directory: directory, isOwnSession: true)
  }

  static let executable = "/usr/sbin/pgbouncer"

  /// Whether PgBouncer is installed, for `.enabled(if:)`.
  public static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: executable) }

  public func settings(database: String, user: String = "postgres") -> ConnectionSettings {
    ConnectionSettings(
      parameters: ["host": directory, "port": String(port), "user": user, "dbname": database])
  }

  public func url(database: String, user: String = "postgres") -> String {
    "postgresql://\(user)@\(directory.replacingOccurrences(of: "/", with: "%2F")):\(port)/\(database)"
  }

  public func log() -> String {
    (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? ""
  }

  /// Stops at once, closing every client's connection.
  public func stop() async {
    process.send(signal: SIGTERM)
    _ = try? await process.finish(within: .seconds(10))
    try? FileManager.default.removeItem(atPath: directory)
  }

  private func waitUntilReady() async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while process.isRunning, ContinuousClock.now < deadline {
      let session = Session(settings(database: "pgbouncer"), applicationName: "tsdb tests")
      if (try? await session.run({ _ = try $0.execute("show version") })) != nil { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw TestSupportError("pgbouncer does not answer: \(process.standardError)\n\(log())")
  }
}
