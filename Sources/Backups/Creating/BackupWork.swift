import Archive
import Postgres
import Processes
import SystemPackage
import Timekeeping

/// The steps of one backup, in a directory that is not yet a backup.
struct BackupWork: Sendable {
  let settings: ConnectionSettings
  let options: BackupOptions
  let projectFiles: [String: [UInt8]]
  let program: DumpProgram
  let partial: PartialBackup
  let leader: SnapshotLeader
  let started: UTCTime
  let stop: StopSignal
  let report: BackupReporter

  /// What was gathered before the manifest is written.
  struct Gathered: Sendable {
    var snapshot: SnapshotLeader.Snapshot
    var facts: BackupFacts
    var contents: TableOfContents
    var plan: DataPlan
    /// In the plan's order.
    var data: [DataFileSummary]
    var sequences: [BackupManifest.Sequence]
    var largeObjects: BackupManifest.LargeObjects?
    var configuration: [ConfigurationCopy.File]
  }

  private var dump: SchemaDump { SchemaDump(program: program, options: options, stop: stop) }

  /// Writes everything but the directory's final name.
  func perform() async throws -> BackupManifest {
    report(.phase(.locking))
    let selection = try await inScratchDirectory("selection.tmp") { try dump.selectedTables(into: $0) }
    let definitions = try await readDefinitions(selection)
    let snapshot = definitions.snapshot
    let courtesy = watch(snapshot)
    defer { courtesy.cancel() }
    report(.snapshot(id: snapshot.id))
    var assembly = ArchiveAssembly(base: definitions.base)
    let (plan, sequenceEntries) = assembly.plan(
      readable(snapshot.relations, isStandby: definitions.facts.server.isStandby),
      serverVersion: snapshot.serverVersion, pieceSize: options.pieceSize)
    let largeObjects = try takeLargeObjects(definitions, into: &assembly)
    report(.phase(.data))
    let data = try await readData(plan, snapshot)
    let sequences = try await read(sequenceEntries, into: &assembly)
    let named = plan.tables.map(\.relation) + sequenceEntries.map(\.relation)
    try await leader.session.run { connection in
      try SnapshotLeader.checkNames(named, on: connection)
    }
    report(.phase(.finishing))
    let gathered = Gathered(
      snapshot: snapshot, facts: definitions.facts, contents: assembly.contents(), plan: plan, data: data,
      sequences: sequences, largeObjects: largeObjects, configuration: try await configuration())
    try await leader.session.run { connection in _ = try connection.execute("commit") }
    try stop.check()
    return try BackupFinishing(work: self).write(gathered)
  }
}

extension BackupWork {
  /// What has content here. On a standby unlogged tables have none and unlogged sequences cannot be read;
  /// `pg_dump` leaves out their data as well.
  private func readable(_ relations: [BackupRelation], isStandby: Bool) -> [BackupRelation] {
    guard isStandby else { return relations }
    let unlogged = relations.filter { $0.isUnlogged && $0.isDumped && $0.kind == .table }
    if !unlogged.isEmpty {
      let names = unlogged.prefix(10).map { "\($0.schemaText).\($0.nameText)" }.joined(separator: ", ")
      report(
        .warning(
          "the rows of unlogged tables are not in the backup",
          detail: "A standby does not have those of \(names)\(unlogged.count > 10 ? ", …" : "").",
          hint: "take the backup from the primary server if they are wanted"))
    }
    return relations.filter { !$0.isUnlogged }
  }

  /// What is read through pg_dump, which wants locks of its own.
  private struct Definitions: Sendable {
    var snapshot: SnapshotLeader.Snapshot
    var facts: BackupFacts
    var base: TableOfContents
    /// Their files are in the scratch directory.
    var largeObjects: TableOfContents?
  }

  private static let schemaScratch = "schema.tmp"
  private static let largeObjectScratch = "objects.tmp"
  /// How often a backup begins again because somebody's DDL came between.
  private static let attempts = 5

  /// Locks, exports a snapshot and has pg_dump read the definitions and large objects.
  ///
  /// DDL that queues behind our locks stands before pg_dump's: it would wait for us, and pg_dump for it,
  /// and the server sees no deadlock in that. So pg_dump waits for a while, and then all locks are given
  /// back, the DDL passes, and everything begins again on a new snapshot.
  private func readDefinitions(_ selection: Set<UInt32>?) async throws -> Definitions {
    for attempt in 1... {
      do {
        return try await tryDefinitions(selection)
      } catch let error as BackupError
        where error.sqlState == DumpProgram.lockTimeout && attempt < Self.attempts
      {
        report(
          .warning("gave way to a change of a table, and begins again", detail: error.detail, hint: nil))
        try await leader.session.run { connection in _ = try connection.execute("rollback") }
        for name in [Self.schemaScratch, Self.largeObjectScratch] { try partial.directory.removeTree(name) }
        try await Task.sleep(for: .milliseconds(100 * attempt))
      }
    }
    throw BackupError(.tryAgain, "tables are being changed all the time")
  }

  private func tryDefinitions(_ selection: Set<UInt32>?) async throws -> Definitions {
    let snapshot = try await leader.open(selection: selection)
    let courtesy = watch(snapshot)
    defer { courtesy.cancel() }
    report(.phase(.schema))
    let facts = try await leader.session.run { [options] connection in
      try BackupFacts.read(
        on: connection, encoding: snapshot.encoding, historySchema: options.historySchema)
    }
    let base = try await inScratchDirectory(Self.schemaScratch) {
      try dump.schema(snapshot: snapshot.id, into: $0)
    }
    // As pg_dump: a selection of tables has no large objects.
    guard facts.largeObjects > 0, options.tables.isEmpty else {
      return Definitions(snapshot: snapshot, facts: facts, base: base)
    }
    report(.phase(.largeObjects))
    let path = partial.path.appending(Self.largeObjectScratch)
    let objects = try await BlockingThread.run { [dump] in
      try dump.largeObjects(snapshot: snapshot.id, into: path)
    }
    return Definitions(snapshot: snapshot, facts: facts, base: base, largeObjects: objects)
  }

  /// Reports who waits behind the locks that came with the snapshot, until the task is cancelled.
  private func watch(_ snapshot: SnapshotLeader.Snapshot) -> Task<Void, Never> {
    let courtesy = LockCourtesy(settings: settings, interval: options.lockWatchInterval, report: report)
    return Task { await courtesy.run(holder: snapshot.processID) }
  }

  /// Runs `body`, which blocks, on a thread of its own with a directory that is removed afterwards.
  private func inScratchDirectory<Result: Sendable>(
    _ name: String, _ body: @escaping @Sendable (FilePath) throws -> Result
  ) async throws -> Result {
    let path = partial.path.appending(name)
    let result = try await BlockingThread.run { try body(path) }
    try partial.directory.removeTree(name)
    return result
  }

  /// Reads all tables; returns when every connection is done.
  private func readData(
    _ plan: DataPlan, _ snapshot: SnapshotLeader.Snapshot
  ) async throws -> [DataFileSummary] {
    let pieces = plan.tables.reduce(0) { $0 + max(1, $1.ranges.count) }
    let jobs = max(1, min(options.jobs, pieces))
    let counters = DataCounters()
    let reading = DataReading(
      plan: plan, snapshot: snapshot, directory: partial.directory.descriptor,
      compression: options.compression, jobs: jobs, counters: counters, stop: stop, report: report)
    let ticker = Task { [report] in
      while !Task.isCancelled {
        report(.progress(counters.progress(of: plan)))
        try? await Task.sleep(for: .milliseconds(100))
      }
    }
    defer { ticker.cancel() }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<jobs {
        group.addTask {
          let session = Session(settings, applicationName: "tsdb backup")
          await attempt(session) { connection in try reading.work(on: connection) }
          reading.workerEnded()
          await session.close()
        }
      }
      group.addTask {
        await attempt(leader.session) { connection in try reading.workOnRefused(on: connection) }
      }
    }
    report(.progress(counters.progress(of: plan)))
    return try reading.result()
  }

  /// Runs `body`, and stops the whole backup when it fails.
  private func attempt(
    _ session: Session, _ body: @escaping @Sendable (borrowing Connection) throws -> Void
  ) async {
    do {
      try await session.run(body)
    } catch {
      stop.stop(because: error)
    }
  }

  /// The values of the sequences, read after the rows, so that they are never behind them.
  private func read(
    _ entries: [ArchiveAssembly.SequenceEntry], into assembly: inout ArchiveAssembly
  ) async throws -> [BackupManifest.Sequence] {
    let values = try await leader.session.run { connection in
      try SequenceValues.read(entries.map(\.relation), on: connection)
    }
    var sequences: [BackupManifest.Sequence] = []
    for (entry, value) in zip(entries, values) {
      assembly.add(entry, value: value.value, isCalled: value.isCalled)
      sequences.append(
        BackupManifest.Sequence(
          schema: entry.relation.schemaText, name: entry.relation.nameText, value: value.value,
          isCalled: value.isCalled))
    }
    return sequences
  }

  /// Large objects go from where pg_dump put them into the backup.
  private func takeLargeObjects(
    _ definitions: Definitions, into assembly: inout ArchiveAssembly
  ) throws -> BackupManifest.LargeObjects? {
    guard let contents = definitions.largeObjects else { return nil }
    let renamed = assembly.addLargeObjects(of: contents)
    let scratch = try partial.directory.subdirectory(Self.largeObjectScratch)
    return try LargeObjectFiles(scratch: scratch, backup: partial.directory).move(
      renaming: Dictionary(uniqueKeysWithValues: renamed.map { ($0.from, $0.to) }),
      removing: Self.largeObjectScratch)
  }

  private func configuration() async throws -> [ConfigurationCopy.File] {
    var files = [
      try await leader.session.run { connection in
        try ConfigurationCopy.settings(on: connection)
      }
    ]
    do {
      if let globals = try await BlockingThread.run({ [program, stop] in try program.globals(stop: stop) }) {
        files.append(ConfigurationCopy.globals(globals))
      } else {
        report(
          .warning(
            "roles and tablespaces are not in the backup", detail: "pg_dumpall is not installed.",
            hint: "install PostgreSQL's client programs"))
      }
    } catch let error as BackupError where error.kind == .failed {
      report(.warning("roles and tablespaces are not in the backup", detail: error.detail, hint: error.hint))
    }
    return files
  }
}
