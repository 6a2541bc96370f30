import Archive
import Backups
import Checklists
import Deployments
import Postgres
import SystemPackage
import Timekeeping

extension Rollback {
  /// Compares what now has the live name with the backup.
  ///
  /// Before the swap every row was compared. By now the application writes again, so other rows are told of, while
  /// another schema, another migration or an empty view is a failure.
  func verify(
    _ prepared: Prepared, _ journal: inout RollbackJournal, _ access: DatabaseAccess,
    report: @escaping RollbackReporter
  ) async throws {
    report(.step(.verify))
    try journal.begin(.verify)
    try await expectRestored(journal.record, access)
    let facts = try await DeploymentFacts.read(access)
    guard let manifest = prepared.opened.source.manifest, facts.migrationHead == manifest.migrations?.head
    else {
      throw BackupError(
        .failed, "the live database is at the migration \(facts.migrationHead ?? "none"), the backup is not")
    }
    let found = try await RestoreComparison(
      source: prepared.opened.source, settings: access.settings, jobs: prepared.archive.options.jobs,
      historySchema: access.project.configuration.historySchema, report: { report(.restore($0)) }
    ).run()
    guard found.schema.isEmpty else {
      throw BackupError(
        .failed, "the live database is not what the backup says",
        detail: found.schema.joined(separator: "\n"),
        hint: "find out who changes it; the failed database is still there: \"tsdb restore --list-old\"")
    }
    let count = found.content.count
    try journal.end(
      .verify, .done,
      "the schema is the backup's, the last migration \(facts.migrationHead ?? "none"); "
        + (count == 0 ? "every row is equal" : "\(count) written to since the swap"),
      findings: found.content)
  }

  /// Sessions under the live name reach the restored database, also through what stands between.
  private func expectRestored(_ record: DeploymentRecord, _ access: DatabaseAccess) async throws {
    let session = Session(access.settings, applicationName: "tsdb rollback")
    do {
      let objectID = try await session.run { connection in
        try connection.query(
          "select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()"
        ).integer(0, 0)
      }
      await session.close()
      guard objectID == record.rollback?.restoredOid else {
        throw BackupError(
          .failed, "\"\(record.database)\" is not the restored database",
          hint: "see \"tsdb restore --list-old\" for what was swapped meanwhile")
      }
    } catch {
      await session.close()
      throw error
    }
  }

  /// Tells others, and asks the checklist. Nothing here can fail the rollback: the database is good.
  func report(
    _ prepared: Prepared, _ journal: inout RollbackJournal, _ access: DatabaseAccess,
    _ store: DeploymentStore, _ report: @escaping RollbackReporter
  ) async throws {
    report(.step(.report))
    try journal.begin(.report)
    let left = try? await prepared.target.perform { connection in
      try RestoreLeftover.removeAll(isDryRun: false, on: connection)
    }
    for leftover in left ?? [] { report(.restore(.removedLeftover(leftover.name))) }
    let warn: RepositoryAccess.WarningReporter = { report(.warning($0, detail: $1, hint: $2)) }
    await recordBackup(prepared, access, warn)
    var findings: [String] = []
    var summary: [String] = []
    if let checklist = checklist ?? access.project.configuration.deploy.checklist.map(access.project.path) {
      let (counts, failed) = try await ask(checklist, journal.record, access, store)
      summary.append("checklist: \(counts)")
      findings += failed
    }
    try Task.checkCancellation()
    try journal.end(
      .report, .done, summary.isEmpty ? nil : summary.joined(separator: "; "), findings: findings)
    try journal.finish()
    if let writePage {
      do {
        try await writePage(journal.record)
      } catch {
        let parts = DeploymentError.parts(of: error)
        warn("the page was not written: \(parts.message)", parts.detail, parts.hint)
      }
    }
    await store.publish(journal.record, access, warn: warn)
  }

  /// The restored database was made before its own backup was recorded.
  private func recordBackup(
    _ prepared: Prepared, _ access: DatabaseAccess, _ warn: @escaping RepositoryAccess.WarningReporter
  ) async {
    let repository = RepositoryAccess(
      project: access.project, path: prepared.opened.source.path.removingLastComponent().string,
      settings: access.settings, warn: warn)
    guard let entry = try? repository.entry(prepared.opened.source.path.string, database: nil) else { return }
    // A database without any migration has no place for records.
    guard prepared.opened.source.manifest?.migrations != nil else { return }
    await repository.record { records, connection in
      records.record(entry, at: RepositoryAccess.place(of: entry), on: connection)
    }
  }

  private func ask(
    _ checklist: String, _ record: DeploymentRecord, _ access: DatabaseAccess, _ store: DeploymentStore
  ) async throws -> (counts: String, failed: [String]) {
    var run = ChecklistRun(file: checklist, environment: environment)
    run.phases = [.rollback]
    run.deploymentStart = UTCTime(record.started)
    let attempt = record.rollback?.steps.first { $0.step == .report }?.attempts ?? 1
    run.evidence = store.directory(of: record).appending("rollback-\(attempt).jsonl").string
    run.isPrivate = true
    do {
      guard try ChecklistFile.read(checklist).items.contains(where: { $0.phase == .rollback }) else {
        return ("no items of the rollback", [])
      }
      let result = try await run.run(access)
      let counts = result.counts.sorted { $0.key < $1.key }.map {
        "\($0.value) \(ProbeState(rawValue: $0.key)?.words ?? $0.key)"
      }
      let failed = result.items.filter { $0.state == .failed }.map { "line \($0.line): \($0.item)" }
      return (counts.joined(separator: ", "), failed)
    } catch let error as ChecklistError where error.kind != .interrupted {
      return ("not asked", ["the checklist was not asked: \(error.message)"])
    }
  }
}
