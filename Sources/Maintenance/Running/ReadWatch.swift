import Postgres
import Synchronization

/// Watches what only reads: also a reader holds ACCESS SHARE, and DDL that waits behind it makes everybody else wait.
///
/// As the work of a job: every 40 ms it is looked whether any session waits behind the reader, whose statement is then
/// cancelled. The second connection that looks is made when a reading first takes longer than that.
public final class ReadWatch: Sendable {
  /// What came of one reading.
  public enum Reading<Result: Sendable>: Sendable {
    case done(Result)
    /// Given up because this session (a process id) waited behind it.
    case yielded(waiter: Int)
  }

  private let watch: JobWatch
  private let direct = Mutex<Bool?>(nil)

  private init(_ settings: ConnectionSettings) {
    watch = JobWatch(settings: settings, isLocking: false)
  }

  /// Watches for the length of `body`.
  public static func with<Result: Sendable>(
    _ settings: ConnectionSettings, _ body: (ReadWatch) async throws -> Result
  ) async rethrows -> Result {
    let watch = ReadWatch(settings)
    let watching = Task { await watch.watch.run() }
    func end() async {
      watching.cancel()
      await watch.watch.close()
    }
    do {
      let result = try await body(watch)
      await end()
      return result
    } catch {
      await end()
      throw error
    }
  }

  /// How often a reading is begun in all.
  private static let attempts = 3

  /// Runs `body` watched, again after a pause where it was given up; it ends its own transaction, also where it throws.
  ///
  /// Behind a pooler it is not watched: which session reads there is not known.
  /// - Throws: what `body` throws for other reasons than that it was given up.
  public func read<Result: Sendable>(
    on session: Session, _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> Reading<Result> {
    var attempt = 1
    while true {
      let isLast = attempt == Self.attempts
      let reading = try await session.run { try attempted(on: $0, isLast: isLast, body) }
      guard case .yielded = reading, !isLast else { return reading }
      try await Task.sleep(for: .milliseconds(200) * attempt)
      attempt += 1
    }
  }

  private func attempted<Result: Sendable>(
    on connection: borrowing Connection, isLast: Bool, _ body: (borrowing Connection) throws -> Result
  ) throws -> Reading<Result> {
    let processID = connection.announcedProcessID
    guard try isDirect(connection), let canceller = connection.canceller() else {
      return .done(try body(connection))
    }
    try watch.begin(processID: processID, canceller: canceller)
    do {
      let result = try body(connection)
      guard let (waiter, _) = watch.end() else { return .done(result) }
      Self.absorbCancellation(connection)
      // The body may have taken the request for the failure of one object, and have gone on without it.
      return isLast ? .done(result) : .yielded(waiter: waiter)
    } catch {
      guard let (waiter, _) = watch.end() else { throw error }
      Self.absorbCancellation(connection)
      guard let failure = error as? PostgresError, failure.isCancellation else { throw error }
      return .yielded(waiter: waiter)
    }
  }

  private func isDirect(_ connection: borrowing Connection) throws -> Bool {
    if let known = direct.withLock({ $0 }) { return known }
    let isDirect =
      try connection.query("select pg_catalog.pg_backend_pid()").integer(0, 0)
      == connection.announcedProcessID
    direct.withLock { $0 = isDirect }
    return isDirect
  }

  /// A request that was on its way must not hit the next statement.
  private static func absorbCancellation(_ connection: borrowing Connection) {
    _ = try? connection.execute("select 1")
  }
}
