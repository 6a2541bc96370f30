import Archive

/// In which order an archive's entries are restored, and what may run side by side.
///
/// The rules are pg_restore's for several jobs (`pg_backup_archiver.c`): pre-data entries run one after
/// another in the archive's order; data and post-data entries run as soon as what they depend on is
/// done; then privileges; then event triggers and the refreshing of materialized views.
public struct RestorePlan: Sendable, Equatable {
  /// Work that may run beside other work.
  public struct Node: Sendable, Equatable {
    public enum Work: Sendable, Equatable {
      /// The entry's SQL.
      case statement
      /// The pieces of a table's rows; the number of a table in ``RestorePlan/tables``.
      case rows(table: Int)
      case largeObjects
    }

    /// The position in the archive.
    public let entry: Int
    public let work: Work
    /// How many parts can run at once.
    public let parts: Int
    public let isData: Bool
    /// Bytes of the data that the work is about; more goes first.
    public let weight: Int64
    /// Numbers of the nodes that have to be done before.
    public let needs: [Int]
    /// Entries that the work locks: two works that share one do not run at the same time.
    public let locks: Set<Int32>
  }

  /// The rows of one TABLE DATA entry.
  public struct Table: Sendable, Equatable {
    /// The position in the archive.
    public let entry: Int
    public let copy: CopyStatement
    /// The rows are loaded through a partitioned table, which may put them elsewhere.
    public let isViaRoot: Bool
    /// Decoded bytes where a manifest tells them, else the size of the file.
    public let bytes: Int64
    /// What a manifest says; nil for an archive without one.
    public let manifest: BackupManifest.Table?

    /// How many parts are loaded by a COPY of their own.
    public var parts: Int { max(1, manifest?.pieces.count ?? 1) }
  }

  /// Positions in the archive, in its order.
  public let preData: [Int]
  /// Data and post-data.
  public let parallel: [Node]
  /// Positions in the archive, in its order.
  public let privileges: [Int]
  public let late: [Node]
  public let tables: [Table]
  /// Entries about the database itself, in the archive's order; the statements name the old database.
  public let ofDatabase: [Int]
  /// Entries that hang on a chosen table and need something that is not chosen.
  public let leftOut: [Int]

  /// Every entry that is restored.
  public var entries: [Int] {
    preData + parallel.map(\.entry) + privileges + late.map(\.entry)
  }

  /// - Parameter dataSizes: of data files in bytes, by dump id, for archives without a manifest.
  /// - Throws: ``BackupError`` for dependencies in a circle, for two entries of one id, for rows that are
  ///   not loaded by a plain COPY, and for patterns that fit nothing.
  public init(
    _ toc: TableOfContents, manifest: BackupManifest?, selection: RestoreSelection,
    dataSizes: [Int32: Int64] = [:]
  ) throws(BackupError) {
    let chosen = selection.choose(from: toc)
    guard chosen.unmatched.isEmpty else { throw Self.unmatched(chosen.unmatched) }
    let graph = try RestoreGraph(toc, chosen.entries)
    let tables = try Self.tables(toc, chosen.entries, manifest, dataSizes)
    let weights = graph.weights(
      Dictionary(tables.map { ($0.entry, $0.bytes) }, uniquingKeysWith: { first, _ in first }))
    let serial = graph.serialEntries()
    self.tables = tables
    preData = serial
    privileges = chosen.entries.filter { graph.pass(of: $0) == .privileges }
    let isSerial = Set(serial)
    parallel = Self.nodes(
      graph, chosen.entries.filter { graph.pass(of: $0) == .main && !isSerial.contains($0) }, tables, weights,
      dataSizes)
    late = Self.nodes(
      graph, chosen.entries.filter { graph.pass(of: $0) == .afterPrivileges }, tables, weights, dataSizes)
    ofDatabase = toc.entries.indices.filter { index in
      toc.entries[index].isOfDatabase && toc.entries[index].kind != "DATABASE"
        && (selection.includesPrivileges || !toc.entries[index].isPrivilege)
    }
    leftOut = chosen.leftOut
  }

  private static func unmatched(_ patterns: [String]) -> BackupError {
    BackupError(
      .invalidInput,
      "the archive has no table \(patterns.map { "\"\($0)\"" }.joined(separator: ", "))",
      detail: "Nothing was restored. Names are compared exactly; * and ? stand for any characters.",
      hint: "list what is there with \"tsdb backup show\"")
  }

  private static func tables(
    _ toc: TableOfContents, _ chosen: [Int], _ manifest: BackupManifest?, _ dataSizes: [Int32: Int64]
  ) throws(BackupError) -> [Table] {
    let facts = Dictionary(
      (manifest?.tables ?? []).map { ($0.dumpID, $0) }, uniquingKeysWith: { first, _ in first })
    var tables: [Table] = []
    for index in chosen where toc.entries[index].kind == "TABLE DATA" {
      let entry = toc.entries[index]
      guard let copy = entry.copyStatement.flatMap({ CopyStatement($0) }) else {
        throw BackupError(
          .failed, "the archive does not say how to load the rows of \(entry.label)",
          detail: "Only \"COPY table (columns) FROM stdin;\" is accepted there. Nothing was restored.",
          hint: "if the archive was made with --inserts, restore it with pg_restore")
      }
      let fact = facts[entry.dumpID]
      guard manifest == nil || fact != nil else {
        throw BackupError(
          .failed, "the manifest says nothing about \(entry.label)", detail: "Nothing was restored.")
      }
      tables.append(
        Table(
          entry: index, copy: copy, isViaRoot: entry.isViaRoot,
          bytes: fact?.bytes ?? dataSizes[entry.dumpID] ?? 0,
          manifest: fact))
    }
    return tables
  }

  private static func nodes(
    _ graph: RestoreGraph, _ entries: [Int], _ tables: [Table], _ weights: [Int: Int64],
    _ sizes: [Int32: Int64]
  ) -> [Node] {
    let numbers = Dictionary(entries.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    let tableNumbers = Dictionary(
      tables.enumerated().map { ($1.entry, $0) }, uniquingKeysWith: { first, _ in first })
    return entries.map { index in
      let entry = graph.toc.entries[index]
      let table = tableNumbers[index]
      return Node(
        entry: index,
        work: table.map { .rows(table: $0) } ?? (entry.isLargeObjectData ? .largeObjects : .statement),
        parts: table.map { tables[$0].parts } ?? 1, isData: entry.section == .data,
        weight: weights[index] ?? sizes[entry.dumpID] ?? 0,
        needs: graph.needs(of: index).compactMap { numbers[$0] }, locks: graph.locks(of: index))
    }
  }
}

extension ArchiveEntry {
  /// Whether rows go through a partitioned table, which pg_dump notes in place of a definition.
  var isViaRoot: Bool { definition?.starts(with: "-- load via partition root ".utf8) ?? false }
}
