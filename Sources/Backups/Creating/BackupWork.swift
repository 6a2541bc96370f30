import Archive
import Postgres
import Processes
import SystemPackage

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
    let snapshot = try await leader.open(selection: selection)
    let courtesy = Task { [settings, report] in
      await LockCourtesy(settings: settings, report: report).run(holder: snapshot.processID)
    }
    defer { courtesy.cancel() }
    report(.phase(.schema))
    let facts = try await leader.session.run { [options] connection in
      try BackupFacts.read(
        on: connection, encoding: snapshot.encoding, historySchema: options.historySchema)
    }
    let base = try await inScratchDirectory("schema.tmp") {
      try dump.schema(snapshot: snapshot.id, into: $0)
    }
    var assembly = ArchiveAssembly(base: base)
    let (plan, sequenceEntries) = assembly.plan(snapshot.relations, serverVersion: snapshot.serverVersion)
    report(.phase(.data))
    let data = try await readData(plan, snapshot)
    let sequences = try await read(sequenceEntries, into: &assembly)
    let largeObjects = try await readLargeObjects(facts, snapshot, into: &assembly)
    report(.phase(.finishing))
    let gathered = Gathered(
      snapshot: snapshot, facts: facts, contents: assembly.contents(), plan: plan, data: data,
      sequences: sequences, largeObjects: largeObjects, configuration: try await configuration())
    try await leader.session.run { connection in _ = try connection.execute("commit") }
    try stop.check()
    return try BackupFinishing(work: self).write(gathered)
  }
}

extension BackupWork {
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

  private func readLargeObjects(
    _ facts: BackupFacts, _ snapshot: SnapshotLeader.Snapshot, into assembly: inout ArchiveAssembly
  ) async throws -> BackupManifest.LargeObjects? {
    // As pg_dump: a selection of tables has no large objects.
    guard facts.largeObjects > 0, options.tables.isEmpty else { return nil }
    report(.phase(.largeObjects))
    let name = "objects.tmp"
    let path = partial.path.appending(name)
    let contents = try await BlockingThread.run { [dump] in
      try dump.largeObjects(snapshot: snapshot.id, into: path)
    }
    let renamed = assembly.addLargeObjects(of: contents)
    return try LargeObjectFiles(scratch: partial.directory.subdirectory(name), backup: partial.directory)
      .move(renaming: Dictionary(uniqueKeysWithValues: renamed.map { ($0.from, $0.to) }), removing: name)
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
