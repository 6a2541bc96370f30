import Archive

/// The chosen entries of an archive with what each needs.
///
/// The rules are pg_restore's: `repoint_table_dependencies` and `identify_locking_dependencies` of
/// `pg_backup_archiver.c`.
struct RestoreGraph {
  let toc: TableOfContents
  /// Positions in the archive, ascending.
  private let chosen: [Int]
  /// Chosen entries that an entry needs.
  private var needed: [Int: [Int]] = [:]
  private var locked: [Int: Set<Int32>] = [:]
  private var passes: [Int: RestoreScript.Pass] = [:]

  /// - Throws: for two entries of one id, and for dependencies in a circle.
  init(_ toc: TableOfContents, _ chosen: [Int]) throws(BackupError) {
    self.toc = toc
    self.chosen = chosen
    let positions = try Self.positions(toc, chosen)
    let data = Self.dataEntries(toc, chosen)
    for index in chosen {
      let entry = toc.entries[index]
      let isRepointed = entry.section == .postData
      let needs = entry.dependencies.map { isRepointed ? data[$0] ?? $0 : $0 }
      needed[index] = Array(Set(needs.compactMap { positions[$0] })).sorted()
      // CREATE INDEX is content with a lock that others of its kind may hold as well.
      guard isRepointed, entry.kind != "INDEX" else { continue }
      locked[index] = Set(
        needs.filter { id in
          positions[id].map { ["TABLE", "TABLE DATA"].contains(toc.entries[$0].kind) } ?? false
        })
    }
    let order = try orderByNeeds()
    for index in order {
      let own = toc.entries[index].pass
      // Nothing can run in an earlier pass than what it needs.
      passes[index] = (needed[index] ?? []).compactMap { passes[$0] }.reduce(own, max)
    }
  }

  func pass(of index: Int) -> RestoreScript.Pass { passes[index] ?? .main }
  func needs(of index: Int) -> [Int] { needed[index] ?? [] }
  func locks(of index: Int) -> Set<Int32> { locked[index] ?? [] }

  /// Pre-data, and entries of no section that need nothing but such, in the archive's order.
  func serialEntries() -> [Int] {
    var serial: Set<Int> = []
    return chosen.filter { index in
      guard pass(of: index) == .main else { return false }
      let isSerial =
        switch toc.entries[index].section {
        case .preData: true
        case .none: needs(of: index).allSatisfy(serial.contains)
        case .data, .postData: false
        }
      if isSerial { serial.insert(index) }
      return isSerial
    }
  }

  /// For data its size, for post-data the largest data that it needs.
  func weights(_ sizes: [Int: Int64]) -> [Int: Int64] {
    var weights = sizes
    for index in chosen where sizes[index] == nil {
      let weight = needs(of: index).compactMap { sizes[$0] }.max() ?? 0
      if weight > 0 { weights[index] = weight }
    }
    return weights
  }

  private static func positions(_ toc: TableOfContents, _ chosen: [Int]) throws(BackupError) -> [Int32: Int] {
    var positions: [Int32: Int] = [:]
    for index in chosen {
      let id = toc.entries[index].dumpID
      guard positions.updateValue(index, forKey: id) == nil else {
        throw BackupError(
          .failed, "the archive has two entries with the id \(id)",
          detail: "\(toc.entries[index].label) is one of them. Nothing was restored.")
      }
    }
    return positions
  }

  /// The data entry of each table: the last that names the table as its first dependency.
  private static func dataEntries(_ toc: TableOfContents, _ chosen: [Int]) -> [Int32: Int32] {
    var data: [Int32: Int32] = [:]
    for index in chosen where toc.entries[index].kind == "TABLE DATA" {
      guard let table = toc.entries[index].dependencies.first else { continue }
      data[table] = toc.entries[index].dumpID
    }
    return data
  }

  /// The chosen entries, each after what it needs (Kahn's algorithm).
  private func orderByNeeds() throws(BackupError) -> [Int] {
    var missing: [Int: Int] = [:]
    var dependents: [Int: [Int]] = [:]
    var ready: [Int] = []
    for index in chosen {
      let needs = needs(of: index)
      missing[index] = needs.count
      for need in needs { dependents[need, default: []].append(index) }
      if needs.isEmpty { ready.append(index) }
    }
    var order: [Int] = []
    order.reserveCapacity(chosen.count)
    while let index = ready.popLast() {
      order.append(index)
      missing[index] = nil
      for dependent in dependents[index] ?? [] {
        guard let count = missing[dependent] else { continue }
        missing[dependent] = count - 1
        if count == 1 { ready.append(dependent) }
      }
    }
    guard missing.isEmpty else { throw circle(among: Set(missing.keys)) }
    return order
  }

  private func circle(among left: Set<Int>) -> BackupError {
    var path: [Int] = []
    var seen: [Int: Int] = [:]
    var next = left.min()
    while let index = next, seen[index] == nil {
      seen[index] = path.count
      path.append(index)
      next = needs(of: index).first(where: left.contains)
    }
    let start = next.flatMap { seen[$0] } ?? 0
    let circle = path[start...]
    let shown = circle.prefix(8).map { "\(toc.entries[$0].label) (\(toc.entries[$0].dumpID))" }
    return BackupError(
      .failed, "entries of the archive depend on one another in a circle",
      detail: (shown + (circle.count > 8 ? ["…"] : []) + shown.prefix(1)).joined(separator: " needs ")
        + ". Nothing was restored.",
      hint: "pg_dump writes no such archive; it was damaged or made by something else")
  }
}
