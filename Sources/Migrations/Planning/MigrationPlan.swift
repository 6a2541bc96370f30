/// What stands between a directory of files and a database's history.
///
/// A pure value: `status`, `--dry-run` and `up` all print or follow the same one.
public struct MigrationPlan: Sendable {
  /// How a file and the history relate.
  public enum Standing: String, Sendable, Equatable, CaseIterable {
    case applied
    case pending
    /// A `transaction off` file that was interrupted; `up` continues it.
    case interrupted
    /// A repeatable file that changed since it ran; `up` runs it again.
    case changedRepeatable = "changed-repeatable"
    /// Edited after it was applied, in comments or layout only.
    case cosmeticEdit = "cosmetic-edit"
    /// Edited in substance after it was applied.
    case edited
    /// Applied, but its file is gone.
    case missing
  }

  /// One line of the plan.
  public struct Entry: Sendable {
    public let name: String
    public let standing: Standing
    /// Nil where the file is missing.
    public let file: MigrationFile?
    /// Nil where nothing was recorded yet.
    public let history: HistoryEntry?

    /// Whether `up` would run the file.
    public var isToRun: Bool {
      switch standing {
      case .pending, .interrupted, .changedRepeatable: true
      case .applied, .cosmeticEdit, .edited, .missing: false
      }
    }
  }

  /// In the order of application; missing files first.
  public let entries: [Entry]
  public let order: DependencyOrder

  /// - Parameter tokenChecksum: gives the token checksum of a file, or nil where it cannot be cut
  ///   into tokens; only asked for files whose text changed.
  public init(
    order: DependencyOrder, history: [HistoryEntry],
    tokenChecksum: (MigrationFile) -> String?
  ) {
    let recorded = Dictionary(history.map { ($0.name, $0) }) { first, _ in first }
    let names = Set(order.files.map(\.name))
    let missing = history.filter { !names.contains($0.name) }.map {
      Entry(name: $0.name, standing: .missing, file: nil, history: $0)
    }
    let known = order.files.map { file in
      Entry(
        name: file.name,
        standing: Self.standing(of: file, recorded: recorded[file.name], tokenChecksum: tokenChecksum),
        file: file, history: recorded[file.name])
    }
    self.order = order
    self.entries = missing + known
  }

  static func standing(
    of file: MigrationFile, recorded: HistoryEntry?, tokenChecksum: (MigrationFile) -> String?
  ) -> Standing {
    guard let recorded else { return .pending }
    let isSameText = recorded.checksum == file.checksum.description
    switch recorded.state {
    case .running:
      // What already ran must not have changed; the journal decides statement by statement.
      return .interrupted
    case .applied:
      if isSameText { return .applied }
      if tokenChecksum(file) == recorded.tokenChecksum { return .cosmeticEdit }
      return file.directives.isRepeatable ? .changedRepeatable : .edited
    }
  }

  /// The entries that `up` would run, in order.
  public var toRun: [Entry] { entries.filter(\.isToRun) }

  public func entries(_ standing: Standing) -> [Entry] { entries.filter { $0.standing == standing } }

  /// The entries to run up to and including `name`.
  ///
  /// - Throws: ``MigrationError`` when there is no such migration.
  public func toRun(upTo name: String?) throws(MigrationError) -> [Entry] {
    guard let name else { return toRun }
    let wanted = name.hasSuffix(".sql") ? String(name.dropLast(4)) : name
    guard let end = entries.firstIndex(where: { $0.name == wanted && $0.file != nil }) else {
      throw Self.unknownMigration(wanted, known: entries.map(\.name))
    }
    return entries[...end].filter(\.isToRun)
  }

  /// Pending files that stand before an applied one in a directory whose names carry the order.
  ///
  /// They came late, from another branch perhaps, and were written without what was applied since.
  public var outOfOrder: [Entry] {
    guard order.policy == .names,
      let last = entries.lastIndex(where: { $0.history?.state == .applied && $0.file != nil })
    else { return [] }
    return entries[..<last].filter { $0.standing == .pending }
  }

  /// What must be mended by a person before anything runs; nil when nothing must.
  public func refusal() -> MigrationError? {
    if let entry = entries(.edited).first, let history = entry.history, let file = entry.file {
      return MigrationError(
        .historyMismatch, "\"\(entry.name)\" was edited after it was applied",
        detail:
          "\(file.path) was applied at \(history.appliedAt) by \(history.appliedBy); the edit changes more than"
          + " comments and layout. Nothing was run.",
        hint: "undo the edit and put the change into a new file (\"tsdb migrate new NAME\");"
          + " or, if the database already agrees with it, run \"tsdb migrate accept \(entry.name)\"")
    }
    if let entry = entries(.missing).first, let history = entry.history {
      return MigrationError(
        .historyMismatch, "\"\(entry.name)\" was applied, but its file is missing",
        detail: "It was applied at \(history.appliedAt) by \(history.appliedBy). Nothing was run.",
        hint:
          "bring \(entry.name).sql back; or, if it is gone for good, run \"tsdb migrate accept \(entry.name) --missing\""
      )
    }
    // In one transaction it would begin anew, and what the journal has as done would be done twice.
    if let entry = entries(.interrupted).first(where: { $0.file?.directives.isTransactional == true }) {
      return MigrationError(
        .historyMismatch, "\"\(entry.name)\" is half applied, and is not \"transaction off\" any more",
        detail:
          "The statements that ran are in the journal, which only such a file continues. Nothing was run.",
        hint:
          "put \"-- tsdb: transaction off\" back at the top of \(entry.file?.path ?? entry.name) and run the same"
          + " command again; statements that have not run may be edited")
    }
    return nil
  }

  /// The error for a name that neither files nor history know.
  public static func unknownMigration(_ name: String, known: [String]) -> MigrationError {
    MigrationError(
      .invalidInput, "there is no migration \"\(name)\"",
      hint: EditDistance.nearest(to: name, in: known).map { "did you mean \"\($0)\"?" }
        ?? "run \"tsdb migrate status\" to see the names")
  }
}
