import Postgres
import Synchronization
import Timekeeping

/// What a job waits for between two units of work.
public struct GateLimits: Sendable, Equatable {
  /// Of a replica's replay, as `pg_stat_replication` tells.
  public var replicaLag = Duration.seconds(30)
  /// WAL that a replica has not replayed, in bytes: the lag of a replica that stands still does not grow.
  public var replicaBytes: Int64 = 256 << 20
  /// WAL files that wait for `archive_command`.
  public var archiveBacklog = 16
  /// How long a gate may stay closed before a job gives up for this time.
  public var patience = Duration.seconds(60)

  public init() {}
}

/// Looks whether work may go on.
public final class Gates: Sendable {
  /// What was seen.
  public struct Sight: Sendable, Equatable {
    /// Why not, in one line; nil when the gates are open.
    public var closed: String?
    /// What the role may not see, each with the GRANT that would help.
    public var unseen: [String]
  }

  let limits: GateLimits
  /// What was told already.
  let told = Mutex<Set<String>>([])
  /// When the gates were last seen open, by relation.
  private let seenOpen = Mutex<[UInt32?: ContinuousClock.Instant]>([:])

  /// How long open gates are trusted: a batch takes a tenth of a second, and looking costs the server as well.
  private static let trust = Duration.milliseconds(500)

  public init(limits: GateLimits = GateLimits()) {
    self.limits = limits
  }

  /// Waits until work may go on: reports the wait, counts it, and tells once what the role may not see.
  ///
  /// Call it between two units of work, never in a transaction.
  ///
  /// - Parameters:
  ///   - object: what is worked on, for the report.
  ///   - relation: its oid, whose vacuuming by others is waited for; with its partitions and TOAST tables.
  /// - Returns: false when a gate was still closed after ``GateLimits/patience`` or at the job's deadline.
  /// - Throws: `PostgresError`, `CancellationError`.
  public func wait(_ context: JobContext, object: String, relation: UInt32?) async throws -> Bool {
    let now = ContinuousClock.now
    if let seen = seenOpen.withLock({ $0[relation] }), now - seen < Self.trust { return true }
    let end = min(context.deadline, now + limits.patience)
    let pause = min(.milliseconds(500), limits.patience / 4)
    var isWaiting = false
    while true {
      try Task.checkCancellation()
      let sight = try await context.work.run { [limits] connection in
        try GateFacts.read(relation: relation, on: connection).sight(limits)
      }
      for text in sight.unseen where told.withLock({ $0.insert(text).inserted }) {
        context.report(.note(text))
      }
      guard let reason = sight.closed else {
        seenOpen.withLock { $0[relation] = .now }
        return true
      }
      if !isWaiting {
        isWaiting = true
        context.work.countWait()
        context.report(.waiting(object: object, reason: reason))
      }
      guard ContinuousClock.now + pause < end else { return false }
      try await Task.sleep(for: pause)
    }
  }
}
