/// Which applied migrations are to be undone, newest first.
public struct DownPlan: Sendable {
  /// What the caller asked for.
  public enum Target: Sendable, Equatable {
    /// Undo the last `count` migrations.
    case steps(Int)
    /// Undo everything applied after this migration; it stays applied.
    case to(String)
    /// Undo everything.
    case all
  }

  public let entries: [MigrationPlan.Entry]

  /// - Throws: ``MigrationError`` when the target is unknown or not applied, when a file or its
  ///   down script is missing, or when a migration that stays requires one that would go.
  public init(_ plan: MigrationPlan, target: Target) throws(MigrationError) {
    let applied = plan.entries
      .filter { $0.history != nil }
      .sorted { ($0.history?.ordinal ?? 0) > ($1.history?.ordinal ?? 0) }
    switch target {
    case .steps(let count): entries = Array(applied.prefix(count))
    case .all: entries = applied
    case .to(let name):
      guard let position = applied.firstIndex(where: { $0.name == name }) else {
        if plan.entries.contains(where: { $0.name == name }) {
          throw MigrationError(
            .invalidInput, "\"\(name)\" is not applied, so there is nothing to go back to",
            hint: "run \"tsdb migrate status\" to see what is applied")
        }
        throw MigrationPlan.unknownMigration(name, known: plan.entries.map(\.name))
      }
      entries = Array(applied[..<position])
    }
    try Self.refuseMissingScripts(entries)
    try Self.refuseRequired(entries, of: plan)
  }

  private static func refuseMissingScripts(_ entries: [MigrationPlan.Entry]) throws(MigrationError) {
    for entry in entries {
      if entry.file == nil {
        throw MigrationError(
          .historyMismatch, "\"\(entry.name)\" cannot be undone: its file is missing",
          detail: "Nothing was undone.", hint: "bring \(entry.name).sql and \(entry.name).down.sql back")
      }
      if entry.file?.downPath == nil {
        throw MigrationError(
          .invalidInput, "\"\(entry.name)\" cannot be undone: there is no \(entry.name).down.sql",
          detail: "Nothing was undone.", hint: "write it beside \(entry.file?.path ?? entry.name)")
      }
    }
  }

  /// A repeatable file, run again later, can have a higher ordinal than what requires it.
  private static func refuseRequired(
    _ entries: [MigrationPlan.Entry], of plan: MigrationPlan
  ) throws(MigrationError) {
    let undone = Set(entries.map(\.name))
    for entry in plan.entries where entry.history != nil && !undone.contains(entry.name) {
      let requirements = entry.history?.requirements ?? []
      if let required = requirements.first(where: undone.contains) {
        throw MigrationError(
          .invalidInput, "\"\(required)\" cannot be undone: \"\(entry.name)\" requires it and stays applied",
          detail: "Nothing was undone.",
          hint: "undo \"\(entry.name)\" as well, with more --steps or --to an earlier one")
      }
    }
  }
}
