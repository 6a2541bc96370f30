import SystemPackage

/// What a caller may decide about the private server.
public struct ServerOptions: Sendable {
  /// Where binaries are looked for.
  public var environment: ServerEnvironment
  /// How long a server may take to become ready; crash recovery of a busy server takes a while.
  public var startTimeout: Duration
  /// How long to wait for another command that starts or stops the same server.
  public var lockTimeout: Duration
  /// What a new cluster is made with; nil for the newest that is installed.
  public var installation: ServerInstallation?
  /// Whether the data may be lost at any crash, for speed.
  public var isThrowaway = false

  public init(
    environment: ServerEnvironment = .current, startTimeout: Duration = .seconds(60),
    lockTimeout: Duration = .seconds(120)
  ) {
    self.environment = environment
    self.startTimeout = startTimeout
    self.lockTimeout = lockTimeout
  }
}

/// The state of the private server.
public struct ServerStatus: Sendable, Hashable {
  public enum State: String, Sendable {
    /// There is no cluster.
    case absent
    case stopped, starting, running, stopping
  }

  public var state: State
  public var directory: FilePath
  /// Outside `directory` when root works where the server's account cannot reach.
  public var dataDirectory: FilePath?
  public var logDirectory: FilePath?
  public var majorVersion: Int?
  /// The account the server runs under; nil when it is the caller's own.
  public var account: String?
  /// The postmaster's.
  public var processID: Int32?
  /// Seconds since 1970, UTC.
  public var startTime: Int64?
  public var socketDirectory: FilePath?
}

/// What ``LocalServer/start(database:)`` did.
public struct StartResult: Sendable, Hashable {
  public enum Outcome: String, Sendable {
    case alreadyRunning, started
    /// The cluster was made, too.
    case created
  }

  public let outcome: Outcome
  public let connection: ConnectionSettings
  /// What the user should know, one line each.
  public internal(set) var notices: [String]
}

/// How to end the server: the shutdown modes of `pg_ctl`.
public enum StopMode: String, Sendable, CaseIterable {
  /// Wait for the clients to leave.
  case smart
  /// Disconnect the clients and write everything out.
  case fast
  /// Drop everything; the next start repeats the log.
  case immediate
}

/// What ``LocalServer/stop(_:timeout:)`` did.
public enum StopResult: String, Sendable {
  case wasNotRunning, stopped
  /// A fast stop took too long and was followed by an immediate one; no committed data is lost.
  case stoppedImmediately
}
