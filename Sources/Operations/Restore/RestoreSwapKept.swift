import Backups
import Postgres

/// Lists and drops the databases that restores have swapped out.
public struct RestoreKept: Sendable {
  /// One of them; nil for all.
  public let name: String?

  public init(name: String? = nil) {
    self.name = name
  }

  public struct List: Sendable, Encodable {
    /// The name that they had.
    public let database: String
    /// The last swapped out first.
    public let kept: [KeptDatabase]
  }

  public struct Dropped: Sendable, Encodable {
    public let database: String
    public let dropped: [String]
    /// The sum of the sizes that are known, in bytes.
    public let bytes: Int64
  }

  /// - Throws: ``BackupError`` when there is no kept database ``name``.
  public func list(_ access: DatabaseAccess) async throws -> List {
    let target = try SwapTarget(access, avoiding: name.map { [$0] } ?? [])
    let kept = try await target.kept()
    guard let name else { return List(database: target.database, kept: kept) }
    guard let chosen = kept.first(where: { $0.name == name }) else {
      throw BackupError(
        .failed, "there is no kept database \"\(name)\" of \"\(target.database)\"",
        detail: "Only databases that a restore has swapped out, and marked in their comment, are dropped. "
          + "Nothing was dropped.",
        hint: "see \"tsdb restore --list-old\"")
    }
    return List(database: target.database, kept: [chosen])
  }

  /// Drops what was listed.
  ///
  /// - Parameter isForced: ends the sessions that are connected to them.
  /// - Throws: ``BackupError`` for the first that cannot be dropped; those before it are gone.
  public func drop(_ list: List, isForced: Bool, _ access: DatabaseAccess) async throws -> Dropped {
    let target = try SwapTarget(access, avoiding: Set(list.kept.map(\.name)))
    if let used = list.kept.first(where: { $0.sessions > 0 }), !isForced {
      throw BackupError(
        .tryAgain, "\"\(used.name)\" is in use by \(used.sessions) session\(used.sessions == 1 ? "" : "s")",
        detail: "Nothing was dropped.", hint: "end them first, or pass --force to have them ended")
    }
    for kept in list.kept {
      if Task.isCancelled {
        throw BackupError(
          .interrupted, "interrupted",
          detail: "\"\(kept.name)\" and what was listed after it are still there.")
      }
      try await target.perform { try kept.drop(on: $0, isForced: isForced) }
    }
    return Dropped(
      database: target.database, dropped: list.kept.map(\.name),
      bytes: list.kept.reduce(0) { $0 + ($1.size ?? 0) })
  }
}
