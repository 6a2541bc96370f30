import Archive

/// The archive's table of contents, made from the one that `pg_dump` wrote without data; pure.
struct ArchiveAssembly: Sendable {
  /// What `--section=pre-data --section=post-data` gave.
  let base: TableOfContents
  private var nextID: Int32
  private var dataEntries: [ArchiveEntry] = []

  init(base: TableOfContents) {
    self.base = base
    nextID = base.entries.reduce(0) { max($0, $1.dumpID) } + 1
  }

  /// The plan for the tables and the entries of tables and sequences, from what the archive defines and
  /// what extensions ask for.
  ///
  /// - Parameter relations: all tables and sequences under the snapshot.
  mutating func plan(
    _ relations: [BackupRelation], serverVersion: Int, pieceSize: Int64
  ) -> (data: DataPlan, sequences: [SequenceEntry]) {
    let definitions = relationDefinitions()
    var tables: [DataPlan.Table] = []
    var sequences: [SequenceEntry] = []
    for relation in relations.sorted(by: Self.isBefore) where relation.isDumped {
      let definition = definitions[relation.oid]
      // Without a definition only an extension's configuration has data here.
      guard definition != nil || relation.configurationCondition != nil else { continue }
      let owned = definition?.dumpID ?? takeID()
      switch relation.kind {
      case .table:
        let id = takeID()
        dataEntries.append(Self.dataEntry(relation, id: id, table: owned, definition: definition))
        tables.append(
          DataPlan.Table(
            relation: relation, dumpID: id,
            ranges: DataPlan.ranges(
              of: relation, serverVersion: serverVersion, pieceSize: pieceSize)))
      case .sequence:
        sequences.append(SequenceEntry(relation: relation, definition: definition, sequence: owned))
      case .partitionedTable: break
      }
    }
    tables.sort { ($0.relation.size, $1.dumpID) > ($1.relation.size, $0.dumpID) }
    return (DataPlan(tables: tables), sequences)
  }

  /// A sequence whose value goes into the archive once it is read.
  struct SequenceEntry: Sendable, Equatable {
    var relation: BackupRelation
    fileprivate var definition: ArchiveEntry?
    fileprivate var sequence: Int32
  }

  /// Adds the value of a sequence.
  mutating func add(_ entry: SequenceEntry, value: Int64, isCalled: Bool) {
    let quoted = entry.relation.qualifiedName.flatMap { $0 == 0x27 ? [0x27, 0x27] : [$0] }
    let definition =
      Array("SELECT pg_catalog.setval('".utf8) + quoted + Array("', \(value), \(isCalled));\n".utf8)
    dataEntries.append(
      ArchiveEntry(
        dumpID: takeID(), hasData: false, tag: entry.relation.name, desc: Array("SEQUENCE SET".utf8),
        section: .data, definition: definition, namespace: entry.relation.schema,
        owner: entry.definition?.owner ?? entry.relation.owner,
        dependencies: [entry.sequence]))
  }

  /// Adds the large objects of another archive of the same snapshot: its entries under new ids.
  ///
  /// - Returns: the files to rename, old name to new.
  mutating func addLargeObjects(of other: TableOfContents) -> [(from: String, to: String)] {
    let entries = other.entries.filter { Self.isLargeObject($0) }
    var ids: [Int32: Int32] = [:]
    let known = Set(base.entries.map(Self.identity))
    var added: [ArchiveEntry] = []
    for entry in entries where !known.contains(Self.identity(entry)) {
      ids[entry.dumpID] = takeID()
      added.append(entry)
    }
    var renamed: [(from: String, to: String)] = []
    for var entry in added {
      let old = entry.dumpID
      entry.dumpID = ids[old] ?? old
      entry.dependencies = entry.dependencies.map { ids[$0] ?? $0 }
      if case .file(let name) = entry.place, name == Array("blobs_\(old).toc".utf8) {
        let new = "blobs_\(entry.dumpID).toc"
        entry.place = .file(Array(new.utf8))
        renamed.append((from: "blobs_\(old).toc", to: new))
      }
      dataEntries.append(entry)
    }
    return renamed
  }

  /// The whole table of contents: data lies after the last definition and before what is built on it.
  ///
  /// A serial restore walks the entries in this order.
  func contents() -> TableOfContents {
    var result = base
    let lastDefinition = base.entries.lastIndex { $0.section == .preData }
    let first =
      base.entries[(lastDefinition.map { $0 + 1 } ?? 0)...].firstIndex { $0.section == .postData }
      ?? base.entries.endIndex
    result.entries.insert(contentsOf: dataEntries, at: first)
    return result
  }
}

extension ArchiveAssembly {
  private mutating func takeID() -> Int32 {
    defer { nextID += 1 }
    return nextID
  }

  /// The entries that define a table or sequence, by oid.
  private func relationDefinitions() -> [UInt32: ArchiveEntry] {
    var result: [UInt32: ArchiveEntry] = [:]
    for entry in base.entries where entry.kind == "TABLE" || entry.kind == "SEQUENCE" {
      guard entry.catalogOID == Array("1259".utf8), let text = entry.objectOID,
        let oid = UInt32(String(decoding: text, as: UTF8.self))
      else { continue }
      result[oid] = entry
    }
    return result
  }

  private static func dataEntry(
    _ relation: BackupRelation, id: Int32, table: Int32, definition: ArchiveEntry?
  ) -> ArchiveEntry {
    ArchiveEntry(
      dumpID: id, hasData: true, objectOID: Array(String(relation.oid).utf8), tag: relation.name,
      desc: Array("TABLE DATA".utf8), section: .data,
      definition: relation.loadRoot.map { Array("-- load via partition root ".utf8) + $0 },
      copyStatement: DataStatement.restoring(relation), namespace: relation.schema,
      owner: definition?.owner ?? relation.owner, dependencies: [table],
      place: .file(Array("\(id).dat".utf8)))
  }

  /// Where `pg_dump` puts what: by schema, then by name.
  private static func isBefore(_ a: BackupRelation, _ b: BackupRelation) -> Bool {
    if a.schema != b.schema { return a.schema.lexicographicallyPrecedes(b.schema) }
    return a.name.lexicographicallyPrecedes(b.name)
  }

  private static func isLargeObject(_ entry: ArchiveEntry) -> Bool {
    if ["BLOB", "BLOBS", "BLOB METADATA"].contains(entry.kind) { return true }
    guard ["COMMENT", "ACL", "SECURITY LABEL"].contains(entry.kind), let tag = entry.tag else {
      return false
    }
    return tag.starts(with: Array("LARGE OBJECT".utf8))
  }

  /// What an entry is about, whatever its id.
  private static func identity(_ entry: ArchiveEntry) -> [[UInt8]?] {
    [entry.desc, entry.tag, entry.namespace, entry.objectOID, entry.definition]
  }
}
