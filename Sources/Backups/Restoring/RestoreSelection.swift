import Archive

/// What of an archive is wanted.
public struct RestoreSelection: Sendable, Equatable {
  public enum Contents: String, Sendable {
    case everything
    /// All but rows, sequence values and large objects.
    case schema
    /// Rows, sequence values and large objects only.
    case data
  }

  public var contents: Contents
  /// Only these tables and what belongs to them; empty for all.
  public var tables: [RelationPattern]
  /// Whether objects get the owners they had.
  public var includesOwners: Bool
  /// Whether GRANT, REVOKE and default privileges are restored.
  public var includesPrivileges: Bool

  public init(
    contents: Contents = .everything, tables: [RelationPattern] = [], includesOwners: Bool = true,
    includesPrivileges: Bool = true
  ) {
    self.contents = contents
    self.tables = tables
    self.includesOwners = includesOwners
    self.includesPrivileges = includesPrivileges
  }
}

extension RestoreSelection {
  /// The chosen entries of `toc`.
  struct Chosen: Equatable {
    /// Positions in the archive, ascending.
    var entries: [Int]
    /// Entries that hang on a chosen table and could not come along, because something else that they
    /// need is not chosen.
    var leftOut: [Int]
    /// Patterns that fit no table.
    var unmatched: [String]
  }

  func choose(from toc: TableOfContents) -> Chosen {
    guard !tables.isEmpty else {
      return Chosen(
        entries: toc.entries.indices.filter { isWanted(toc.entries[$0]) }, leftOut: [], unmatched: [])
    }
    var closure = TableClosure(toc, tables)
    closure.run()
    return Chosen(
      entries: closure.chosen.sorted().filter { isWanted(toc.entries[$0]) },
      leftOut: closure.leftOut.sorted().filter { isWanted(toc.entries[$0]) }, unmatched: closure.unmatched)
  }

  /// Whether an entry is wanted, tables aside; as pg_restore decides it (`_tocEntryRequired`).
  private func isWanted(_ entry: ArchiveEntry) -> Bool {
    if entry.isSetting || entry.isOfDatabase { return false }
    if !includesPrivileges, entry.isPrivilege { return false }
    switch contents {
    case .everything: return true
    case .schema: return !entry.isContent && entry.kind != "MATERIALIZED VIEW DATA"
    case .data: return entry.isContent
    }
  }
}

/// The tables that patterns choose, with what they need and what belongs to them.
private struct TableClosure {
  private static let relations: Set = [
    "TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE",
  ]
  /// What is never taken because it happens to need only what is chosen.
  private static let ownSubjects = relations.union([
    "FUNCTION", "PROCEDURE", "AGGREGATE", "TYPE", "DOMAIN", "SCHEMA", "EXTENSION", "PUBLICATION",
    "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION", "EVENT TRIGGER",
  ])

  private let toc: TableOfContents
  private let patterns: [RelationPattern]
  private let positions: [Int32: Int]
  private(set) var chosen: Set<Int> = []
  private(set) var leftOut: Set<Int> = []
  private(set) var unmatched: [String] = []
  /// The chosen relations themselves, as against what they need.
  private var subjects: Set<Int> = []

  init(_ toc: TableOfContents, _ patterns: [RelationPattern]) {
    self.toc = toc
    self.patterns = patterns
    positions = Dictionary(
      toc.entries.enumerated().map { ($1.dumpID, $0) }, uniquingKeysWith: { first, _ in first })
  }

  mutating func run() {
    for pattern in patterns {
      let found = toc.entries.indices.filter { index in
        let entry = toc.entries[index]
        return (Self.relations.contains(entry.kind) || entry.kind == "TABLE DATA")
          && pattern.matches(schema: entry.namespace ?? [], name: entry.tag ?? [])
      }
      if found.isEmpty { unmatched.append(pattern.text) }
      for index in found { choose(subject: index) }
    }
    takePartitions()
    takeOwnedSequences()
    takeDependents()
  }

  /// The partitions of chosen tables, whose rows are the table's.
  private mutating func takePartitions() {
    let attachments = toc.entries.indices.filter { toc.entries[$0].kind == "TABLE ATTACH" }
    var isChanged = true
    while isChanged {
      isChanged = false
      for index in attachments {
        let attachment = toc.entries[index]
        let tables = needs(index).filter { Self.relations.contains(toc.entries[$0].kind) }
        // The attachment is called as the partition is.
        let partition = tables.first {
          toc.entries[$0].tag == attachment.tag && toc.entries[$0].namespace == attachment.namespace
        }
        guard let partition, !subjects.contains(partition),
          tables.contains(where: { $0 != partition && subjects.contains($0) })
        else { continue }
        choose(subject: partition)
        isChanged = true
      }
    }
  }

  private func needs(_ index: Int) -> [Int] { toc.entries[index].dependencies.compactMap { positions[$0] } }

  private mutating func choose(subject index: Int) {
    subjects.insert(index)
    chooseWithNeeds(index)
  }

  /// An entry and all that it needs, whole tables without their rows.
  private mutating func chooseWithNeeds(_ index: Int) {
    var pending = [index]
    while let next = pending.popLast() {
      if chosen.insert(next).inserted { pending += needs(next) }
    }
  }

  /// Sequences of serial and identity columns.
  private mutating func takeOwnedSequences() {
    for index in toc.entries.indices {
      let (kind, needed) = (toc.entries[index].kind, needs(index))
      guard needed.contains(where: subjects.contains) else { continue }
      if kind == "SEQUENCE" { choose(subject: index) }
      if kind == "SEQUENCE OWNED BY" {
        for sequence in needed where toc.entries[sequence].kind == "SEQUENCE" { choose(subject: sequence) }
      }
    }
  }

  /// What hangs on the chosen relations, again and again until nothing new comes along.
  private mutating func takeDependents() {
    var isChanged = true
    while isChanged {
      isChanged = false
      leftOut = []
      for index in toc.entries.indices where !chosen.contains(index) {
        let (kind, needed) = (toc.entries[index].kind, needs(index))
        guard needed.contains(where: subjects.contains),
          !Self.ownSubjects.contains(kind)
        else { continue }
        // A column without its default would be another table.
        if kind == "DEFAULT" { chooseWithNeeds(index) }
        if needed.allSatisfy(chosen.contains) {
          chosen.insert(index)
          subjects.insert(index)
          isChanged = true
        } else {
          leftOut.insert(index)
        }
      }
    }
  }

}
