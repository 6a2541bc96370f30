import Backups
import Deployments
import Postgres
import Timekeeping

extension Rollback {
  /// Goes back, or goes on with it.
  ///
  /// - Parameter store: whose lock the caller holds.
  /// - Returns: the record of what was done, which is saved.
  /// - Throws: `DeploymentError`; its detail says which database has the live name.
  public func run(
    _ prepared: Prepared, _ access: DatabaseAccess, store: DeploymentStore,
    report: @escaping RollbackReporter
  ) async throws -> DeploymentRecord {
    var journal = RollbackJournal(prepared.record, cause: cause, store: store)
    var step = RollbackStep.restore
    do {
      var situation = prepared.situation
      if case .swapped = situation {
      } else {
        situation = try await restore(prepared, &journal, access, report: report)
        step = .swap
        try Task.checkCancellation()
      }
      try await swap(prepared, situation, &journal, report: report)
      try undoLater(prepared, journal, store)
      step = .verify
      try await verify(prepared, &journal, access, report: report)
      step = .report
      try await self.report(prepared, &journal, access, store, report)
      return journal.record
    } catch {
      let state = Self.state(journal.record, at: step)
      if Task.isCancelled {
        throw DeploymentError(
          .interrupted, "interrupted", detail: state, hint: "run the same command again: it continues")
      }
      let failure = DeploymentError(error, during: state)
      // The failure itself is what has to be told.
      try? journal.end(step, .failed, failure.message)
      throw failure
    }
  }

  /// Which database has the live name.
  static func state(_ record: DeploymentRecord, at step: RollbackStep) -> String {
    if step.isBeforeSwap {
      return
        "The live database \"\(record.database)\" is the one that the deployment left; it was not changed."
    }
    let kept = record.rollback?.keptDatabase.map { " The failed one is kept as \"\($0)\"." } ?? ""
    return "The live database \"\(record.database)\" is the restored one.\(kept)"
  }

  // MARK: - Restore

  private func restore(
    _ prepared: Prepared, _ journal: inout RollbackJournal, _ access: DatabaseAccess,
    report: @escaping RollbackReporter
  ) async throws -> RollbackSituation {
    report(.step(.restore))
    try journal.begin(.restore)
    var findings: [String] = []
    if case .restored(let name, let objectID) = prepared.situation {
      // Somebody may have used it since.
      let compared = try await comparison(prepared, access, database: name, report: report).run()
      if compared.isEqual {
        try journal.note { $0.restoredOid = objectID }
        try journal.end(.restore, .done, "\"\(name)\" was restored before the interruption, and is equal")
        return prepared.situation
      }
      let finding =
        "\"\(name)\", restored before the interruption, is no longer equal to the backup and was left alone"
      findings.append(finding)
      report(.warning(finding, detail: compared.content.first ?? compared.schema.first, hint: nil))
    }
    let taken = try await prepared.target.perform { connection in
      Set(try connection.query("select datname from pg_catalog.pg_database").rows().compactMap { $0[0] })
    }
    var options = prepared.archive.options
    let name = RestoreName.make(for: prepared.record.database, time: UTCTime.now.compact, taken: taken)
    options.newName = name
    // Looked at just now; every row is compared again in the end.
    options.verifiesFiles = prepared.situation != .untouched
    try journal.note {
      $0.restoredDatabase = name
      $0.restoredOid = nil
    }
    let restored = try await RestoreArchive(
      archive: prepared.archive.archive, target: .beside, options: options, acceptsRows: false
    ).run(prepared.opened, access, report: { report(.restore($0)) }, swapReport: { _ in })
    let objectID = try await prepared.target.perform { connection in
      try connection.query("select oid from pg_catalog.pg_database where datname = $1", [name]).integer(0, 0)
    }
    guard let objectID else {
      throw BackupError(.tryAgain, "the restored database \"\(name)\" is gone")
    }
    try journal.note { $0.restoredOid = objectID }
    try journal.end(
      .restore, .done,
      "\(counted(restored.restore.rows, "row")) of \(counted(restored.restore.tables, "table")) into \"\(name)\", every row compared",
      findings: findings + restored.restore.notes)
    return .restored(name: name, objectID: objectID)
  }

  private func comparison(
    _ prepared: Prepared, _ access: DatabaseAccess, database: String, report: @escaping RollbackReporter
  ) -> RestoreComparison {
    var settings = access.settings
    settings["dbname"] = database
    return RestoreComparison(
      source: prepared.opened.source, settings: settings, jobs: prepared.archive.options.jobs,
      historySchema: access.project.configuration.historySchema, report: { report(.restore($0)) })
  }

  // MARK: - Swap

  private func swap(
    _ prepared: Prepared, _ situation: RollbackSituation, _ journal: inout RollbackJournal,
    report: @escaping RollbackReporter
  ) async throws {
    switch situation {
    case .untouched: throw BackupError(.tryAgain, "the restored database is gone")
    case .swapped(let kept):
      guard !journal.isDone(.swap) else { return }
      try journal.note { $0.keptDatabase = kept }
      try journal.begin(.swap)
      try journal.end(.swap, .done, "the names had been swapped before the interruption")
    case .restored(let name, _):
      report(.step(.swap))
      try journal.begin(.swap)
      await databaseLock?.release()
      let swap = DatabaseSwap(
        live: prepared.record.database, new: name, backupID: prepared.backup.id, grace: grace)
      let result = try await SwapTarget(prepared.target, avoiding: name).run(swap) { report(.swap($0)) }
      try journal.note {
        $0.keptDatabase = result.kept
        $0.withoutServiceMilliseconds = result.cutoffMilliseconds
      }
      let count = result.sessionsEnded.count
      try journal.end(
        .swap, .done,
        "\(count) session\(count == 1 ? "" : "s") ended, new ones held back for \(result.cutoffMilliseconds) ms; "
          + "the failed database is kept as \"\(result.kept)\"", findings: result.notes)
    }
  }

  /// Later deployments went with the database; none of them is to be continued or gone back to.
  private func undoLater(
    _ prepared: Prepared, _ journal: RollbackJournal, _ store: DeploymentStore
  ) throws {
    for var record in prepared.later {
      record.state = .rolledBack
      record.rollback = DeploymentRecord.Rollback(
        started: journal.record.rollback?.started ?? UTCTime.now.description,
        cause: "the rollback of \(prepared.record.id)")
      record.rollback?.keptDatabase = journal.record.rollback?.keptDatabase
      try store.save(record)
    }
  }
}
