import Archive
import Digests
import Postgres
import Synchronization

/// The entries of an archive on their way into the new database.
final class RestoreWork: Sendable {
  let source: RestoreSource
  let plan: RestorePlan
  let script: RestoreScript
  let clock: RestoreClock
  let report: RestoreReporter
  /// Whether rows will be read again, and what is loaded has to be known.
  private let isCompared: Bool
  private let loaded = Mutex<[Int: ContentFingerprint]>([:])
  private let meter: RestoreMeter
  private let started = Atomic<Int>(0)
  /// Stored so far.
  let rows = Atomic<Int64>(0)

  /// How often an entry that met another in a deadlock is run again.
  private static let attempts = 5

  init(
    source: RestoreSource, plan: RestorePlan, script: RestoreScript, clock: RestoreClock,
    isCompared: Bool = true, report: @escaping RestoreReporter
  ) {
    self.isCompared = isCompared
    self.source = source
    self.plan = plan
    self.script = script
    self.clock = clock
    self.report = report
    meter = RestoreMeter(.data, total: plan.tables.reduce(0) { $0 + $1.bytes }, report: report)
  }

  private var toc: TableOfContents { source.toc }

  /// Of what was loaded into each table of the plan; empty where a manifest has it.
  var fingerprints: [Int: ContentFingerprint] { loaded.withLock { $0 } }

  /// Runs entries one after another.
  func runSerially(_ entries: [Int], _ phase: RestorePhase, on session: Session) async throws {
    report(.phase(phase))
    try await clock.measure(phase) {
      for index in entries {
        try Task.checkCancellation()
        try await runStatements(of: index, on: session)
      }
    }
  }

  func runParallel(_ nodes: [RestorePlan.Node], in pool: RestorePool, late: Bool = false) async throws {
    report(.phase(late ? .late : .data))
    let statements = nodes.count { !$0.isData }
    try await pool.run(nodes) { [self] node, part, session in
      let start = ContinuousClock.now
      switch node.work {
      case .statement:
        if !node.isData {
          let number = started.add(1, ordering: .relaxed).newValue
          report(.entry(toc.entries[node.entry].label, number: number, of: max(number, statements)))
        }
        try await runStatements(of: node.entry, on: session)
      case .rows(let table): try await loadPart(table, part: part, on: session)
      case .largeObjects: try await loadLargeObjects(of: node.entry, on: session)
      }
      clock.add(late ? .late : node.isData ? .data : .postData, from: start)
    }
  }

  func runStatements(of index: Int, on session: Session) async throws {
    let entry = toc.entries[index]
    do {
      // As one message they are one transaction: the entry with its owner, or nothing.
      var sender = RestoreSession(script)
      let message = Array(try sender.statements(of: entry).joined(separator: [UInt8(ascii: "\n")]))
      guard !message.isEmpty else { return }
      try await retrying(entry) {
        try await session.run { connection in
          _ = connection.takeNotices()
          try connection.execute(message)
        }
      }
    } catch {
      throw RestoreFailure.explain(error, entry: entry)
    }
  }

  /// Runs `body` again when the server chose it as the victim of a deadlock; everything it does is one
  /// transaction.
  private func retrying(_ entry: ArchiveEntry, _ body: () async throws -> Void) async throws {
    for attempt in 1... {
      do {
        return try await body()
      } catch let error as PostgresError where error.isRetryableConflict && attempt < Self.attempts {
        report(.retrying(entry: entry.label, attempt: attempt, reason: error.message))
        try await Task.sleep(for: .milliseconds(100 * attempt))
      }
    }
  }
}

extension RestoreWork {
  /// Loads one part of a table by one COPY, which is a transaction of its own.
  private func loadPart(_ number: Int, part: Int, on session: Session) async throws {
    try await load(number, parts: part..<(part + 1), on: session)
  }

  /// Loads a whole table by one COPY, at whose end foreign keys to the table itself are checked.
  func loadWhole(_ number: Int, on session: Session) async throws {
    let start = ContinuousClock.now
    try await load(number, parts: 0..<plan.tables[number].parts, on: session)
    clock.add(.data, from: start)
  }

  private func load(_ number: Int, parts: Range<Int>, on session: Session) async throws {
    let table = plan.tables[number]
    let entry = toc.entries[table.entry]
    // A backup's rows are compared with its manifest; another archive's with what was sent, and so are
    // those of several tables that are put into one.
    let isHashed = isCompared && (table.manifest == nil || table.isViaRoot)
    do {
      let (fingerprint, stored) = try await session.run { [self] connection in
        let hasher = RowHasher()
        var sent: Int64 = 0
        let stored = try connection.copyIn(table.copy.load) { send in
          for part in parts {
            sent += try source.readRows(of: table, part: part) { block in
              try send(block)
              if isHashed { hasher.addLines(block) }
              if table.manifest != nil { meter.add(Int64(block.count)) }
            }
          }
        }
        guard stored == sent else {
          throw BackupError(
            .failed, "\(entry.label): \(sent) rows were sent and the server stored \(stored)",
            detail: "A trigger or rule of the table takes rows away, or a line of the data ends it.")
        }
        return (hasher.fingerprint, stored)
      }
      if table.manifest == nil { meter.add(table.bytes) }
      loaded.withLock { $0[number, default: ContentFingerprint()].add(fingerprint) }
      rows.add(stored, ordering: .relaxed)
    } catch {
      throw RestoreFailure.explain(error, entry: entry)
    }
  }

  /// Fills large objects that exist by now, a hundred in one transaction.
  ///
  /// - Parameter isNested: whether a transaction is open, which then stays so.
  func loadLargeObjects(of index: Int, on session: Session, isNested: Bool = false) async throws {
    let entry = toc.entries[index]
    do {
      try await session.run { [source] connection in
        if !isNested { try connection.execute("begin") }
        do {
          var count = 0
          try source.readLargeObjects(of: entry) { object in
            try connection.writeLargeObject(object.oid) { send in try object.read(send) }
            count += 1
            if !isNested, count.isMultiple(of: 100) { try connection.execute("commit; begin") }
          }
          if !isNested { try connection.execute("commit") }
        } catch {
          if !isNested { _ = try? connection.execute("rollback") }
          throw error
        }
      }
    } catch {
      throw RestoreFailure.explain(error, entry: entry)
    }
  }
}
