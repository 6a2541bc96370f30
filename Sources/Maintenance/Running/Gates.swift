import Postgres
import Synchronization

/// What a job waits for between two units of work.
public struct GateLimits: Sendable, Equatable {
  /// Of a replica's replay, as `pg_stat_replication` tells.
  public var replicaLag = Duration.seconds(30)
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

  public init(limits: GateLimits = GateLimits()) {
    self.limits = limits
  }
}
