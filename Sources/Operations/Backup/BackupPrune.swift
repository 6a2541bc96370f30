import Backups
import Migrations
import Timekeeping

/// Removes the backups that the policy does not keep.
public struct BackupPrune: Sendable {
  public let policy: RetentionPolicy
  public let database: String?

  /// - Parameter database: only its backups; nil for all.
  public init(policy: RetentionPolicy, database: String? = nil) {
    self.policy = policy
    self.database = database
  }

  public struct Result: Sendable, Encodable {
    public struct Backup: Sendable, Encodable {
      public let id: String
      public let series: String
      public let started: String
      public let size: Int64
      public let keep: Bool
      /// Why it is kept.
      public let reasons: [String]
      /// Whether it was removed; false also for one that is being read.
      public internal(set) var removed = false
    }

    public let repository: String
    /// By series, the newest first.
    public internal(set) var backups: [Backup]
    /// Damaged ones: they neither count nor are removed.
    public let damaged: [String]
    /// What killed runs left.
    public let leftovers: [String]
    public let isDryRun: Bool

    public var toRemove: [String] { backups.filter { !$0.keep }.map(\.id) }
  }

  /// What would be removed; removes nothing.
  public func preview(_ access: RepositoryAccess) throws -> Result {
    guard let repository = try access.existing() else {
      return Result(repository: access.path, backups: [], damaged: [], leftovers: [], isDryRun: true)
    }
    return try plan(
      repository, access, leftovers: try repository.removeLeftovers(isDryRun: true), isDryRun: true)
  }

  /// Removes what a preview showed and what still is to be removed.
  ///
  /// - Parameter expected: ids of the preview.
  /// - Throws: ``BackupError``; what was removed before stays removed.
  public func run(_ access: RepositoryAccess, expected: [String]) async throws -> Result {
    guard let repository = try access.existing() else { return try preview(access) }
    let leftovers = try repository.removeLeftovers()
    var result = try plan(repository, access, leftovers: leftovers, isDryRun: false)
    var removed: [String] = []
    // The oldest first: whatever ends the run leaves the newer ones.
    for index in result.backups.indices.reversed() {
      let backup = result.backups[index]
      guard !backup.keep, expected.contains(backup.id) else { continue }
      if Task.isCancelled { break }
      switch try repository.remove(backup.id) {
      case .removed:
        result.backups[index].removed = true
        removed.append(backup.id)
      case .absent: result.backups[index].removed = true
      case .inUse:
        access.warn(
          "\(backup.id) is being read and was not removed", nil, "run \"tsdb backup prune\" again later")
      }
    }
    if !removed.isEmpty {
      await access.record { [removed] records, connection in
        records.recordRemoval(ids: removed, on: connection)
      }
    }
    try Task.checkCancellation()
    return result
  }

  private func plan(
    _ repository: BackupRepository, _ access: RepositoryAccess, leftovers: [String], isDryRun: Bool
  ) throws -> Result {
    let entries = try repository.entries().filter { database == nil || $0.database == database }
    let candidates = entries.compactMap(Self.candidate)
    let sizes = Dictionary(entries.map { ($0.id, $0.size ?? 0) }) { first, _ in first }
    let plan = RetentionPlan(candidates, policy: policy)
    return Result(
      repository: access.path,
      backups: plan.decisions.map { decision in
        Result.Backup(
          id: decision.candidate.id, series: decision.candidate.series,
          started: decision.candidate.time.description, size: sizes[decision.candidate.id] ?? 0,
          keep: decision.isKept, reasons: decision.reasons.map(\.description))
      },
      damaged: entries.filter { $0.state.name == "damaged" }.map(\.id), leftovers: leftovers,
      isDryRun: isDryRun)
  }

  private static func candidate(_ entry: BackupEntry) -> RetentionPlan.Candidate? {
    guard entry.isUsable, let manifest = entry.manifest, let time = entry.time else { return nil }
    let isProven = if case .proven = entry.state { true } else { false }
    let isVerified = if case .verified = entry.state { true } else { false }
    return RetentionPlan.Candidate(
      id: entry.id, series: manifest.series, time: time, isVerified: isVerified, isProven: isProven)
  }
}
