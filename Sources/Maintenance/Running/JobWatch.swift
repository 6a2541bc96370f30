import Postgres
import Synchronization

/// The second connection of a job: it holds the job's lock, and gives the job's work up when somebody waits behind it.
///
/// In autocommit mode, so neither lock nor polling holds a snapshot.
final class JobWatch: Sendable {
  /// A statement that is being watched.
  private struct Current {
    let processID: Int
    let canceller: Canceller
    let since: ContinuousClock.Instant
    /// The session that was found waiting; the statement is cancelled then.
    var waiter: Int?
  }

  private struct State {
    var current: Current?
    /// The backend that holds the lock.
    var lockHolder: Int?
    /// Why the lock is gone.
    var loss: PostgresError?
  }

  private let session: Session
  private let state = Mutex(State())

  private static let name = "tsdb watch"

  /// Half of what is promised, for a cancelled statement takes its time to end, too.
  static let interval = Duration.milliseconds(40)

  /// Whether a lost connection is a lost lock.
  private let isLocking: Bool
  /// Whether the session is the caller's, who goes on with it afterwards.
  private let isBorrowed: Bool

  /// - Parameter isLocking: false for one that only looks, and connects when there is first something to look at.
  /// - Parameter session: one that is used for nothing else as long as the watch is; nil for one of its own.
  init(settings: ConnectionSettings, session: Session? = nil, isLocking: Bool = true) {
    self.isLocking = isLocking
    isBorrowed = session != nil
    self.session = session ?? Session(settings, applicationName: Self.name)
  }

  /// Connects, and takes the job's lock if it is free.
  ///
  /// - Returns: nil when it is ours now, else the server's time just before it was found taken.
  func tryLock(_ lock: JobLock) async throws -> String? {
    let name = isBorrowed ? "set application_name = '\(Self.name)'; " : ""
    let (isOurs, holder, time) = try await session.run { connection in
      let result = try connection.execute(
        name + "set lock_timeout = '2s'; set statement_timeout = '5s'; " + lock.attempt)
      return (result.isTrue(0, 1), result.integer(0, 2), result.text(0, 0))
    }
    if isOurs { state.withLock { $0.lockHolder = holder } }
    return isOurs ? nil : time
  }

  /// Gives the lock back: with the connection, or alone where the connection is the caller's. Not before ``run()`` has
  /// ended, whose last request to cancel could meet what follows.
  func close() async {
    guard isBorrowed else { return await session.close() }
    do {
      try await session.run { connection in
        _ = try? connection.execute("select 1")
        try connection.execute(
          "select pg_catalog.pg_advisory_unlock_all(); reset application_name; reset lock_timeout; reset statement_timeout"
        )
      }
    } catch {
      await session.close()
    }
  }

  /// How often it is looked whether the lock is still held while no statement runs: a job may run a program.
  private static let idleInterval = Duration.seconds(1)

  /// How often the request is repeated while the work goes on all the same.
  private static let repetition = Duration.milliseconds(200)

  /// Watches until the task is cancelled.
  func run() async {
    var lastLook = ContinuousClock.now
    var cost = Duration.zero
    while !Task.isCancelled {
      // Where others hold thousands of locks, a look takes its time: never more of it than of rest.
      try? await Task.sleep(for: max(Self.interval, cost))
      let (current, isLost) = state.withLock { ($0.current, $0.loss != nil) }
      let sinceLook = ContinuousClock.now - lastLook
      if isLost || current?.waiter != nil {
        // The server drops a request that comes between two statements of a transaction, and the next would run to its
        // end with somebody waiting.
        if let current, sinceLook >= Self.repetition {
          lastLook = .now
          state.withLock { if $0.current?.since == current.since { current.canceller.requestCancellation() } }
        }
        continue
      }
      guard current != nil || (isLocking && sinceLook >= Self.idleInterval) else { continue }
      lastLook = .now
      await look(behind: current)
      cost = .now - lastLook
    }
  }

  /// Begins to watch; throws when the lock is lost.
  func begin(processID: Int, canceller: Canceller) throws {
    try state.withLock { state throws(PostgresError) in
      if let loss = state.loss { throw loss }
      state.current = Current(processID: processID, canceller: canceller, since: .now)
    }
  }

  /// Ends watching.
  ///
  /// - Returns: who was found waiting, and how long the statement had run then.
  func end() -> (waiter: Int, since: ContinuousClock.Instant)? {
    state.withLock { state in
      defer { state.current = nil }
      guard let current = state.current, let waiter = current.waiter else { return nil }
      return (waiter, current.since)
    }
  }

  /// Why the lock is lost; nil while it is held.
  var loss: PostgresError? { state.withLock { $0.loss } }

  private func look(behind current: Current?) async {
    do {
      let (waiter, holder) = try await session.run { connection in
        let result = try connection.query(Self.waiters, ["\(current?.processID ?? -1)"])
        return (result.integer(0, 0), result.integer(0, 1))
      }
      guard !isLocking || holder == state.withLock({ $0.lockHolder }) else {
        // The session has connected anew by itself, and the new connection holds no lock.
        throw PostgresError(
          origin: .connectionLost, message: "the connection that held the job's lock is lost")
      }
      guard let waiter, let current else { return }
      state.withLock { cancel(current, in: &$0, for: waiter) }
    } catch let error as PostgresError where error.origin == .connectionLost || error.origin == .connecting {
      guard isLocking else { return }
      state.withLock { state in
        state.loss = error
        state.current?.canceller.requestCancellation()
      }
    } catch {
      // A poll that failed otherwise is repeated in a moment.
    }
  }

  /// Under the state's lock, so that the request cannot meet the statement after the one that was looked at.
  private func cancel(_ current: Current, in state: inout State, for waiter: Int) {
    guard state.current?.since == current.since else { return }
    state.current?.waiter = waiter
    current.canceller.requestCancellation()
  }

  /// `pg_locks` and `pg_blocking_pids` tell every role of every session; `pg_stat_activity` does not.
  private static let waiters = """
    select
      (select l.pid from pg_catalog.pg_locks as l
       where not l.granted and l.pid <> $1::int and $1::int = any (pg_catalog.pg_blocking_pids(l.pid))
       limit 1),
      pg_catalog.pg_backend_pid()
    """
}

/// The advisory lock that lets one run of a job at a time work in a database.
struct JobLock: Sendable {
  /// Of a history; jobs of two histories in one database do not exclude one another.
  let schema: String
  let job: String

  /// The first key is "tsdd" in ASCII, apart from the runner's of migrations.
  private static let classID: Int32 = 0x7473_6464

  /// The time, and after it whether the lock was free, and the backend that has it then.
  var attempt: String {
    """
    select pg_catalog.clock_timestamp(), pg_catalog.pg_try_advisory_lock(\(Self.classID), pg_catalog.hashtext(\(Quoting.literal(name)))),
      pg_catalog.pg_backend_pid()
    """
  }
  private var name: String { "\(schema).\(job)" }
}
