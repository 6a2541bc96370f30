/// The stages of a restore, in their order; data and post-data overlap.
public enum RestorePhase: String, Sendable, Encodable, CaseIterable {
  case verify
  case preflight
  case create
  case preData = "pre-data"
  case data
  case postData = "post-data"
  case privileges
  /// Event triggers and materialized views.
  case late
  case analyze
  case check
  case finish
}

/// What a restore tells while it goes on.
public enum RestoreEvent: Sendable {
  case phase(RestorePhase)
  /// Bytes of the phase, done and in all; for archives without a manifest those of the files.
  case progress(RestorePhase, done: Int64, total: Int64)
  /// A post-data entry, such as an index, begins.
  case entry(String, number: Int, of: Int)
  /// What an earlier run left, and this one dropped.
  case removedLeftover(String)
  /// A statement met another one and is run again.
  case retrying(entry: String, attempt: Int, reason: String)
  case note(String)
}

public typealias RestoreReporter = @Sendable (RestoreEvent) -> Void

/// How a restored database is compared with the archive.
public enum RestoreCheck: String, Sendable, CaseIterable {
  /// Every row of every table, every sequence, every large object, and the catalogue.
  case content
  /// The number of rows that each COPY reports, which is compared in any case.
  case counts
  case none
}

/// What a restore did.
public struct RestoreReport: Sendable, Encodable {
  public struct Phase: Sendable, Encodable {
    public let phase: RestorePhase
    /// From its first to its last moment.
    public let milliseconds: Int64
    /// Summed over the connections; equal to ``milliseconds`` where one did all.
    public let busyMilliseconds: Int64
  }

  /// The database that was made or loaded.
  public var database: String
  /// The backup's id, or the name of the archive.
  public var source: String
  /// Up to when the backup holds writes; UTC, ISO 8601. nil for archives without a manifest.
  public var stateOf: String?
  public var tables: Int
  public var rows: Int64
  /// Of COPY text.
  public var bytes: Int64
  public var phases: [Phase]
  public var milliseconds: Int64
  /// What was compared: `content`, `counts` or `none`.
  public var checked: String
  public var notes: [String]
  /// Entries that could not come along with the chosen tables.
  public var leftOut: [String]
  public var removedLeftovers: [String]
}
