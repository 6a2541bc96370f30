/// A connection with a thread of its own.
///
/// libpq blocks, and blocking Swift's shared pool starves every other task, so each session runs its
/// closures on a private thread. A closure is synchronous: what it does on the connection cannot be
/// interleaved with another caller's work.
public actor Session {
  private let thread: ConnectionThread
  private let settings: ConnectionSettings
  private let applicationName: String
  private var connection: Connection?
  private var canceller: Canceller?

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// A session that connects when it is first used.
  public init(_ settings: ConnectionSettings, applicationName: String) {
    self.thread = ConnectionThread(name: applicationName)
    self.settings = settings
    self.applicationName = applicationName
  }

  deinit {
    thread.finish()
  }

  /// Opens the connection, unless it is open and sound.
  public func connect() throws {
    if let isBroken = connection?.isBroken, !isBroken { return }
    connection = nil
    let opened = try Connection(settings, applicationName: applicationName)
    canceller = opened.canceller()
    connection = consume opened
  }

  public func close() {
    connection = nil
    canceller = nil
  }

  /// Runs `body` on this session's thread with its connection, connecting first where needed.
  ///
  /// Cancelling the calling task sends a cancel request, so a running statement ends with SQLSTATE
  /// 57014 and `body` may clean up. Between two statements of `body` there is nothing to interrupt: a
  /// `body` of many statements looks at `Task.isCancelled` itself. In a task that is cancelled already
  /// `body` runs undisturbed, as clean-up must.
  public func run<Result: Sendable>(
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    try connect()
    guard let canceller else {
      throw PostgresError(origin: .connectionLost, message: "the connection is lost")
    }
    // A request sent now would find nothing running, or arrive late and hit the clean-up.
    if Task.isCancelled { return try perform(body) }
    return try await withTaskCancellationHandler {
      try perform(body)
    } onCancel: {
      canceller.requestCancellation()
    }
  }

  private func perform<Result: Sendable>(
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) throws -> Result {
    switch connection {
    case .some(let connection): return try body(connection)
    case .none: throw PostgresError(origin: .connectionLost, message: "the connection is closed")
    }
  }
}
