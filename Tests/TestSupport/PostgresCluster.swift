import Foundation
import Postgres
import Synchronization

/// A server of the tests' own: a cluster in a short temporary directory, reached by a unix socket.
///
/// It ends with the test process, however that ends; see ``TestRoot``. The binaries are those of
/// `TSDB_TEST_PG_BINDIR`, else the newest that Debian has installed.
public final class PostgresCluster: Sendable {
  /// What a private cluster needs beyond the usual.
  public struct Options: Sendable {
    /// Lines for `postgresql.conf`.
    public var configuration: [String]
    /// A password that `postgres` must give, over TCP on the loopback address; nil trusts the socket.
    public var password: String?
    /// The directory of the server's binaries.
    public var binaries: String?

    public init(configuration: [String] = [], password: String? = nil, binaries: String? = nil) {
      self.configuration = configuration
      self.password = password
      self.binaries = binaries
    }
  }

  public enum StopMode: String, Sendable {
    case smart, fast, immediate
  }

  /// Where data, socket and log are.
  public let directory: String
  /// The directory with `psql`, `pg_dump` and the server itself.
  public let binaries: String
  public let port: Int
  public let password: String?

  public var dataDirectory: String { directory + "/data" }
  public var logPath: String { directory + "/log" }
  public var host: String { password == nil ? directory : "127.0.0.1" }

  private static let sharedTask = Task { try await PostgresCluster.create() }

  /// The one server that all suites of this process share, started when first asked for.
  public static var shared: PostgresCluster {
    get async throws { try await sharedTask.value }
  }

  /// Makes and starts a private cluster, for tests that stop, kill or reconfigure a server.
  public static func create(_ options: Options = Options()) async throws -> PostgresCluster {
    let cluster = try PostgresCluster(options)
    try await cluster.initialize(options)
    try await cluster.start()
    return cluster
  }

  /// Makes a private cluster for the length of `body`.
  public static func with<Result: Sendable>(
    _ options: Options = Options(), _ body: (PostgresCluster) async throws -> Result
  ) async throws -> Result {
    let cluster = try await create(options)
    do {
      let result = try await body(cluster)
      await cluster.destroy()
      return result
    } catch {
      await cluster.destroy()
      throw error
    }
  }

  init(_ options: Options) throws {
    directory = try TestRoot.shared.makeDirectory()
    binaries = try options.binaries ?? Self.defaultBinaries()
    port = options.password == nil ? 5432 : try Self.freePort()
    password = options.password
    try giveToServerAccount(directory)
  }

  public static func defaultBinaries() throws -> String {
    if let directory = ProcessInfo.processInfo.environment["TSDB_TEST_PG_BINDIR"], !directory.isEmpty {
      return directory
    }
    let root = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
    guard let newest = versions.max() else {
      throw TestSupportError("no PostgreSQL under \"\(root)\"; set TSDB_TEST_PG_BINDIR")
    }
    return "\(root)/\(newest)/bin"
  }

  /// Settings for one database; the password, where there is one, is part of them.
  public func settings(database: String = "postgres", user: String = "postgres") -> ConnectionSettings {
    var parameters = ["host": host, "port": String(port), "user": user, "dbname": database]
    parameters["password"] = password
    return ConnectionSettings(parameters: parameters)
  }

  /// The same as a URL, for `DATABASE_URL`.
  public func url(database: String = "postgres", user: String = "postgres") -> String {
    let name = database.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? database
    let user = user.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? user
    let secret = password?.addingPercentEncoding(withAllowedCharacters: .alphanumerics).map { ":" + $0 } ?? ""
    if password != nil { return "postgresql://\(user)\(secret)@\(host):\(port)/\(name)" }
    let socket = host.replacingOccurrences(of: "/", with: "%2F")
    return "postgresql://\(user)@\(socket):\(port)/\(name)"
  }

  /// A new session, connected when first used.
  public func connect(database: String = "postgres", user: String = "postgres") -> Session {
    Session(settings(database: database, user: user), applicationName: "tsdb tests")
  }

  public func executable(_ name: String) -> String { binaries + "/" + name }

  public func log() -> String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

  public static func freePort() throws -> Int {
    #if canImport(Glibc)
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
      }
    }
    guard status else { throw TestSupportError("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
  }
}

/// Hands a path over to the account that servers run under, when the tests run as root.
public func giveToServerAccount(_ path: String) throws {
  guard geteuid() == 0 else { return }
  guard let account = serverAccount else {
    throw TestSupportError("tests run as root need an account \"postgres\" for the server")
  }
  guard chown(path, account.user, account.group) == 0 else {
    throw TestSupportError("cannot hand \"\(path)\" to \"postgres\"")
  }
}

/// Looked up once: `getpwnam` answers in memory that all threads share.
private let serverAccount: (user: uid_t, group: gid_t)? = getpwnam("postgres").map {
  ($0.pointee.pw_uid, $0.pointee.pw_gid)
}
