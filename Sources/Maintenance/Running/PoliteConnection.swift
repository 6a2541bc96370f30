import Postgres
import Synchronization
import Timekeeping

/// The connection that a job works on: what it runs is given up as soon as another session waits behind it.
public final class PoliteConnection: Sendable {
  /// What came of one attempt.
  public enum Attempt<Result: Sendable>: Sendable {
    case done(Result)
    /// Cancelled and rolled back, because this session (a process id) waited behind it.
    case yielded(waiter: Int)
    /// `lock_timeout` ended the wait for a lock; rolled back.
    case lockTimeout(String)
  }

  /// What came of repeated attempts.
  public enum Outcome<Result: Sendable>: Sendable {
    case done(Result)
    /// Still in somebody's way, or a lock still not to be had, at the deadline; why, in one line.
    case gaveUp(String)
  }

  private struct Counts {
    var waits = 0
    var yields = 0
  }

  private let session: Session
  private let watch: JobWatch
  private let report: JobReporter
  private let counts = Mutex(Counts())
  private let lockTimeout: Duration
  /// The session that has the settings of maintenance.
  private struct Prepared {
    let processID: Int
    let settings: String
    /// What others' code may have set stands against them.
    var isStale = false
  }

  private let prepared = Mutex<Prepared?>(nil)

  init(
    settings: ConnectionSettings, watch: JobWatch, activity: String, lockTimeout: Duration,
    report: @escaping JobReporter
  ) {
    self.lockTimeout = lockTimeout
    session = Session(settings, applicationName: activity)
    self.watch = watch
    self.report = report
  }

  /// How often a lock was waited for in vain or a gate was closed.
  public var waits: Int { counts.withLock { $0.waits } }
  /// How often work was given up for somebody else.
  public var yields: Int { counts.withLock { $0.yields } }

  /// Whether the job's lock is lost, and another run may begin: for bodies that work elsewhere.
  public var isLockLost: Bool { watch.loss != nil }

  /// Counts a wait that a body made elsewhere, at a closed gate.
  public func countWait() { counts.withLock { $0.waits += 1 } }

  /// Runs `body` without a watch: for reading and for records, whose locks disturb nobody.
  public func run<Result: Sendable>(
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Result {
    try await session.run { connection in
      try prepare(connection)
      return try body(connection)
    }
  }

  /// Gives the settings to a session that is new: the first, and each that takes the place of one that was cut. Without
  /// them it would wait for locks without end, on the role's own search_path, and perhaps on another server.
  private func prepare(_ connection: borrowing Connection) throws {
    let processID = connection.announcedProcessID
    let known = prepared.withLock { $0?.processID == processID ? $0 : nil }
    if let known {
      guard known.isStale else { return }
      try connection.execute("reset all; \(known.settings)")
      prepared.withLock { $0?.isStale = false }
    } else {
      let settings = try MaintenanceSession.prepare(connection, lockTimeout: lockTimeout)
      prepared.withLock { $0 = Prepared(processID: processID, settings: settings) }
    }
  }

  /// Has the session get its settings anew before the next piece of work: for one in which code of others runs and
  /// what it sets is committed.
  func renewSettings() { prepared.withLock { $0?.isStale = true } }

  /// Runs `body` once, watched; it may begin and commit transactions.
  ///
  /// - Parameter object: for the report.
  /// - Throws: what `body` throws for other reasons; an open transaction is rolled back before.
  public func attempt<Result: Sendable>(
    _ object: String, _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Attempt<Result> {
    let (watch, start) = (watch, ContinuousClock.now)
    let attempt: Attempt<Result> = try await session.run { connection in
      try prepare(connection)
      guard let canceller = connection.canceller() else {
        throw PostgresError(origin: .connectionLost, message: "the connection is lost")
      }
      try watch.begin(processID: connection.announcedProcessID, canceller: canceller)
      do {
        let result = try body(connection)
        // A request that was on its way must not hit the next statement.
        if watch.end() != nil { Self.absorbCancellation(connection) }
        return .done(result)
      } catch {
        let yielded = watch.end()
        if connection.isInTransaction { _ = try? connection.execute("rollback") }
        if yielded != nil { Self.absorbCancellation(connection) }
        if let loss = watch.loss { throw loss }
        guard let error = error as? PostgresError else { throw error }
        if let yielded, error.isCancellation { return .yielded(waiter: yielded.waiter) }
        if error.isLockTimeout { return .lockTimeout(error.message) }
        throw error
      }
    }
    switch attempt {
    case .done: break
    case .yielded(let waiter):
      counts.withLock { $0.yields += 1 }
      report(
        .yielded(
          object: object, waiter: waiter, milliseconds: (ContinuousClock.now - start).wholeMilliseconds))
    case .lockTimeout: countWait()
    }
    return attempt
  }

  /// Runs `body` until it is done, in attempts with pauses between them that grow and are jittered.
  ///
  /// - Parameters:
  ///   - deadline: no attempt begins after it, but there is always one.
  ///   - cleanUp: runs before the next attempt and before giving up: to drop an index that a cancelled build left.
  /// - Throws: what `body` throws, `CancellationError`.
  public func perform<Result: Sendable>(
    _ object: String, until deadline: ContinuousClock.Instant,
    cleanUp: (@Sendable () async throws -> Void)? = nil,
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Outcome<Result> {
    var pause = Duration.milliseconds(200)
    while true {
      try Task.checkCancellation()
      let reason: String
      switch try await attempt(object, body) {
      case .done(let result): return .done(result)
      case .yielded(let waiter): reason = "gave way to session \(waiter), which waited behind it"
      case .lockTimeout(let message): reason = message
      }
      try await cleanUp?()
      let jittered = pause * Double.random(in: 0.5...1.5)
      guard ContinuousClock.now + jittered < deadline else { return .gaveUp(reason) }
      try await Task.sleep(for: jittered)
      pause = min(pause * 2, .seconds(10))
    }
  }

  func close() async { await session.close() }

  private static func absorbCancellation(_ connection: borrowing Connection) {
    _ = try? connection.execute("select 1")
  }
}
