import Archive
import Catalog
import Digests
import Postgres
import Synchronization

/// Compares a restored database with the archive, by reading everything again.
struct ContentCheck: Sendable {
  /// A relation and the rows that should be in it.
  fileprivate struct Subject: Sendable {
    let label: String
    let copy: CopyStatement
    let isWhole: Bool
    /// Of what was loaded through the root so far.
    var sum: ContentFingerprint
    /// As text, with the number of rows at its end; nil where only that number is known.
    var expected: String?
    var rows: Int64
    var bytes: Int64
  }

  /// A part of a relation that one connection reads.
  private struct Reading: Sendable {
    let subject: Int
    let condition: [UInt8]
    let bytes: Int64
  }

  let work: RestoreWork
  let pool: RestorePool
  let options: RestoreOptions

  /// Everything that differs, in sentences. Where rows were not loaded just now and the schema differs, they are
  /// not read.
  func differences(database: ConnectionSettings) async throws -> (content: [String], schema: [String]) {
    let schema = try await catalogDifferences(database) + viewDifferences()
    guard schema.isEmpty || !work.fingerprints.isEmpty else { return ([], schema) }
    return (
      try await tableDifferences() + sequenceDifferences() + largeObjectDifferences(), schema
    )
  }

  /// - Throws: ``BackupError`` that names everything that differs.
  func run(database: ConnectionSettings) async throws {
    let found = try await differences(database: database)
    let differences = found.content + found.schema
    guard !differences.isEmpty else { return }
    options.findings(differences.map { RestoreFinding(.difference, String($0.dropLast())) })
    let shown = differences.prefix(20)
    let rest = differences.count - shown.count
    throw BackupError(
      .failed, "the restored database is not equal to the archive",
      detail: (shown + (rest > 0 ? ["\(rest) more differences."] : [])).joined(separator: "\n"),
      hint:
        "a trigger, a rule or a type that prints values otherwise can be the cause; --keep-failed keeps a new "
        + "database to look at"
    )
  }

  private var toc: TableOfContents { work.source.toc }
}

// MARK: - Rows

extension ContentCheck {
  private func tableDifferences() async throws -> [String] {
    let subjects = subjects()
    guard let session = pool.sessions.first else { return [] }
    let readings = try await session.run { connection in try Self.readings(subjects, on: connection) }
    let sums = Mutex<[Int: ContentFingerprint]>([:])
    let meter = RestoreMeter(.check, total: subjects.reduce(0) { $0 + $1.bytes }, report: work.report)
    try await pool.forEach(readings) { reading, session in
      let subject = subjects[reading.subject]
      let statement = subject.copy.read(isWhole: subject.isWhole, condition: reading.condition)
      let fingerprint = try await session.run { connection in
        let hasher = RowHasher()
        _ = try connection.copyOut(statement) { bytes, endsRow in hasher.add(bytes, endsRow: endsRow) }
        return hasher.fingerprint
      }
      meter.add(reading.bytes)
      sums.withLock { $0[reading.subject, default: ContentFingerprint()].add(fingerprint) }
    }
    let found = sums.withLock { $0 }
    return subjects.enumerated().compactMap { number, subject in
      let sum = found[number] ?? ContentFingerprint()
      if sum.rows != subject.rows {
        return "\(subject.label) has \(sum.rows) rows instead of \(subject.rows)."
      }
      guard let expected = subject.expected, expected != sum.description else { return nil }
      return "\(subject.label) has other rows than the archive."
    }
  }

  /// The relations to read, partitions that are loaded through their root as one.
  private func subjects() -> [Subject] {
    let loaded = work.fingerprints
    var subjects: [Subject] = []
    var roots: [[UInt8]: Int] = [:]
    for (number, table) in work.plan.tables.enumerated() {
      // Where nothing was loaded just now, what the backup holds of each partition.
      let sum =
        loaded[number] ?? table.manifest.flatMap { ContentFingerprint($0.fingerprint) }
        ?? ContentFingerprint()
      let label =
        table.isViaRoot
        ? "partitioned table \(String(decoding: table.copy.relation, as: UTF8.self))"
        : "table \(String(decoding: table.copy.relation, as: UTF8.self))"
      if table.isViaRoot, let root = roots[table.copy.relation] {
        subjects[root].merge(
          sum: sum, rows: table.manifest?.rows ?? sum.rows, bytes: table.bytes, like: table.copy)
        continue
      }
      if table.isViaRoot { roots[table.copy.relation] = subjects.count }
      subjects.append(
        Subject(
          label: label, copy: table.copy, isWhole: table.isViaRoot, sum: sum,
          expected: table.isViaRoot ? sum.description : table.manifest?.fingerprint ?? sum.description,
          rows: table.manifest?.rows ?? sum.rows, bytes: table.bytes))
    }
    return subjects
  }

  /// Ranges of pages of about 32 MB with TOAST, as a backup reads them.
  private static func readings(
    _ subjects: [Subject], on connection: borrowing Connection
  ) throws -> [Reading] {
    var readings: [Reading] = []
    for (number, subject) in subjects.enumerated() {
      let row = try connection.execute(
        Array(
          """
          select c.relkind = 'r' and a.amname = 'heap', pg_catalog.pg_table_size(c.oid),
            pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8,
            (select e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)]
              from pg_catalog.pg_extension e where c.oid = any (e.extconfig) limit 1)
          from pg_catalog.pg_class c left join pg_catalog.pg_am a on a.oid = c.relam where c.oid =
          """.utf8) + subject.copy.relationLiteral + Array("::pg_catalog.regclass".utf8))
      let condition = row.bytes(0, 3) ?? []
      let pages = Int64(row.text(0, 2)) ?? 0
      let size = Int64(row.text(0, 1)) ?? 0
      let isRanged = row.isTrue(0, 0) && condition.isEmpty && connection.serverVersion >= 140_000
      let count = isRanged ? max(1, min(pages, (size + (16 << 20)) / (32 << 20))) : 1
      for index in 0..<count {
        var range: [UInt8] = condition
        if count > 1 {
          let from = index * pages / count
          var text = "WHERE ctid >= '(\(from),0)'::pg_catalog.tid"
          if index < count - 1 { text += " AND ctid < '(\((index + 1) * pages / count),0)'::pg_catalog.tid" }
          range = Array(text.utf8)
        }
        readings.append(Reading(subject: number, condition: range, bytes: subject.bytes / count))
      }
    }
    // Small ones last, so that no connection ends with a long one alone.
    return readings.sorted { $0.bytes > $1.bytes }
  }
}

extension ContentCheck.Subject {
  fileprivate mutating func merge(
    sum other: ContentFingerprint, rows: Int64, bytes: Int64, like copy: CopyStatement
  ) {
    sum.add(other)
    self.rows += rows
    self.bytes += bytes
    // The lines of partitions whose columns are in another order cannot be had from the root.
    expected = copy.columns == self.copy.columns && expected != nil ? sum.description : nil
  }
}

// MARK: - Everything else

extension ContentCheck {
  private func sequenceDifferences() async throws -> [String] {
    let entries = work.plan.parallel.map { toc.entries[$0.entry] }.filter { $0.kind == "SEQUENCE SET" }
    guard !entries.isEmpty, let session = pool.sessions.first else { return [] }
    return try await session.run { connection in
      var differences: [String] = []
      for entry in entries {
        guard let set = SequenceSetting(entry.definition ?? []) else { continue }
        let row = try connection.execute(Array("select last_value, is_called from ".utf8) + set.sequence)
        if row.text(0, 0) != set.value || row.isTrue(0, 1) != set.isCalled {
          differences.append("\(entry.label) is at \(row.text(0, 0)) instead of \(set.value).")
        }
      }
      return differences
    }
  }

  private func largeObjectDifferences() async throws -> [String] {
    let entries = work.plan.parallel.filter { $0.work == .largeObjects }.map { toc.entries[$0.entry] }
    let differences = Mutex<[String]>([])
    let source = work.source
    try await pool.forEach(entries) { entry, session in
      let different = try await session.run { connection in
        var different: [UInt32] = []
        try source.readLargeObjects(of: entry) { object in
          var (stored, found) = (SHA256Digest(), SHA256Digest())
          try object.read { stored.update($0) }
          try connection.readLargeObject(object.oid) { found.update($0) }
          if stored.finish() != found.finish() { different.append(object.oid) }
        }
        return different
      }
      differences.withLock { $0 += different.map { "Large object \($0) has other bytes than the archive." } }
    }
    return differences.withLock { $0 }
  }

  /// Materialized views that had contents and have none.
  private func viewDifferences() async throws -> [String] {
    let kind = "MATERIALIZED VIEW DATA"
    let views = work.plan.late.map { toc.entries[$0.entry] }.filter { $0.kind == kind }
    guard options.isWhole, !views.isEmpty, let session = pool.sessions.first else { return [] }
    let empty = try await session.run { connection in
      let rows = try connection.query(
        """
        select n.nspname, c.relname from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'm' and not c.relispopulated
        """)
      return Set((0..<rows.rowCount).map { [rows.bytes($0, 0), rows.bytes($0, 1)] })
    }
    return views.filter { empty.contains([$0.namespace, $0.tag]) }.map {
      "Materialized view\($0.label.dropFirst(kind.count)) is not populated."
    }
  }

  private func catalogDifferences(_ database: ConnectionSettings) async throws -> [String] {
    guard options.isWhole, let manifest = work.source.manifest, let expected = manifest.catalogFingerprint,
      RestorableSchema.isComparable(expected)
    else {
      return []
    }
    let session = Session(database, applicationName: "tsdb restore")
    let historySchema = manifest.migrations?.schema ?? options.historySchema
    let catalog = try await session.run { connection -> CatalogSnapshot? in
      guard connection.serverVersion / 10_000 == manifest.server.versionNumber / 10_000 else { return nil }
      return try CatalogSnapshot.read(on: connection, excludingSchemas: [historySchema])
    }
    await session.close()
    guard let catalog, case let found = RestorableSchema.fingerprint(of: catalog), found != expected else {
      return []
    }
    let differences = try work.source.catalogList()?.differences(to: CatalogList(of: catalog)) ?? []
    // A backup of an earlier version has no list.
    guard !differences.isEmpty else {
      return ["The schema differs: its fingerprint is \(found), the backup's \(expected)."]
    }
    let rest = differences.count - 5
    return [
      "The schema differs: \(differences.prefix(5).joined(separator: ", "))"
        + (rest > 0 ? ", and \(rest) more." : ".")
    ]
  }
}

/// `SELECT pg_catalog.setval('schema.name', 5, true);` taken apart.
struct SequenceSetting: Equatable {
  /// Quoted where needed.
  let sequence: [UInt8]
  let value: String
  let isCalled: Bool

  /// Nil for anything else.
  init?(_ definition: [UInt8]) {
    let words = Array(SQLWords(definition))
    guard let name = words.firstIndex(where: { if case .constant = $0 { true } else { false } }),
      case .constant(let sequence) = words[name]
    else { return nil }
    let rest = words[(name + 1)...].filter { $0 != .symbol(UInt8(ascii: ",")) }
    let isNegative = rest.first == .symbol(UInt8(ascii: "-"))
    let values = isNegative ? rest.dropFirst() : rest[...]
    guard values.count >= 2, case .bare(let digits) = values[values.startIndex] else { return nil }
    // In E'…' a backslash is doubled.
    let isEscaped = definition.firstRange(of: Array("(E'".utf8)) != nil
    var plain: [UInt8] = []
    var bytes = sequence[...]
    while let byte = bytes.popFirst() {
      let isEscape = isEscaped && byte == UInt8(ascii: "\\")
      plain.append(isEscape ? bytes.popFirst() ?? byte : byte)
    }
    self.sequence = plain
    value = (isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self)
    isCalled = values[values.startIndex + 1].isKeyword("TRUE")
  }
}

extension CopyStatement {
  /// The relation's name as a string constant, whatever `standard_conforming_strings` is.
  var relationLiteral: [UInt8] {
    let hasBackslash = relation.contains(UInt8(ascii: "\\"))
    var literal = Array((hasBackslash ? " E'" : " '").utf8)
    for byte in relation {
      if byte == UInt8(ascii: "'") || (hasBackslash && byte == UInt8(ascii: "\\")) { literal.append(byte) }
      literal.append(byte)
    }
    return literal + [UInt8(ascii: "'")]
  }
}
