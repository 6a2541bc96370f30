import Archive
import Postgres
import Timekeeping

/// Everything before the new database is made: the plan, the files, the server.
struct RestorePreparation: Sendable {
  /// What a restore can begin with.
  struct Prepared: Sendable {
    let plan: RestorePlan
    let script: RestoreScript
    /// The new database's name.
    let name: String
    let database: RestoredDatabase
    /// Of the maintenance database on the server that was reached.
    let settings: ConnectionSettings
    let control: Session
    let missingRoles: [String]
    let notes: [String]
    let removedLeftovers: [String]
  }

  let run: RestoreRun
  let clock: RestoreClock

  private var source: RestoreSource { run.source }
  private var options: RestoreOptions { run.options }

  func perform() async throws -> Prepared {
    let (plan, script) = try values()
    if options.verifiesFiles {
      run.report(.phase(.verify))
      try await clock.measure(.verify) {
        try await source.verify(jobs: options.jobs) { [report = run.report] progress in
          report(.progress(.verify, done: progress.done, total: progress.total))
        }
      }
    }
    run.report(.phase(.preflight))
    return try await clock.measure(.preflight) { try await ask(plan, script) }
  }

  /// What can be decided without a server.
  private func values() throws -> (RestorePlan, RestoreScript) {
    let plan = try RestorePlan(
      source.toc, manifest: source.manifest, selection: options.selection, dataSizes: source.dataSizes)
    var script = RestoreScript.Options()
    script.noOwner = !options.selection.includesOwners
    script.noPrivileges = !options.selection.includesPrivileges
    do {
      return (plan, try RestoreScript(source.toc, options: script))
    } catch {
      throw BackupFailure.explain(error)
    }
  }

  private func ask(_ plan: RestorePlan, _ script: RestoreScript) async throws -> Prepared {
    let live: String
    switch options.target {
    case .new(let name), .beside(let name): live = name
    }
    let settings = try MaintenanceDatabase.settings(for: run.settings, avoiding: [live])
    let control = Session(settings, applicationName: "tsdb restore")
    do {
      return try await control.run { connection in
        // A role may have these set against slips of its own hand.
        try connection.execute("set default_transaction_read_only = off; set statement_timeout = 0")
        return try prepare(plan, script, settings, control, on: connection)
      }
    } catch {
      await control.close()
      throw Task.isCancelled
        ? BackupError(.interrupted, "interrupted", detail: "Nothing was changed.")
        : BackupFailure.explain(error)
    }
  }

  private func prepare(
    _ plan: RestorePlan, _ script: RestoreScript, _ settings: ConnectionSettings, _ control: Session,
    on connection: borrowing Connection
  ) throws -> Prepared {
    let database = try wantedDatabase(on: connection)
    var needs = RestoreNeeds(
      source.toc, manifest: source.manifest, plan: plan, selection: options.selection, database: database,
      jobs: options.jobs, newName: nil, dataSize: nil)
    needs.acceptsOlderServer = options.acceptsOlderServer
    let server = try RestoreServerFacts(for: needs, on: connection)
    let name = name(taken: server.databases)
    needs.newName = name
    // A lock on the server tells what is left from what is running; a pooler would break it.
    let leftovers =
      server.isPooled || server.isInRecovery
      ? [] : try RestoreLeftover.removeAll(isDryRun: options.isDryRun, on: connection)
    for leftover in leftovers where !options.isDryRun { run.report(.removedLeftover(leftover.name)) }
    var present = server
    present.databases.subtract(leftovers.map(\.name))
    let missing = needs.roles.subtracting(server.roles).sorted()
    if options.createsMissingRoles { needs.roles.subtract(missing) }
    var preflight = RestorePreflight(needs, present)
    if case .beside(let live) = options.target, options.willSwap,
      let refusal = try SwapSituation(live: live, new: live, on: connection).refusal(live: live, new: live)
    {
      let facts = (refusal.detail ?? "").split(separator: "\n").dropLast().joined(separator: " ")
      preflight.add(
        .init(
          "the new database could not be swapped in"
            + (facts.isEmpty ? ": \(refusal.message)" : ": \(facts)"),
          remedy: refusal.hint))
    }
    if let error = preflight.error {
      options.findings(preflight.problems.map { RestoreFinding(.obstacle, $0.message, remedy: $0.remedy) })
      throw error
    }
    return Prepared(
      plan: plan, script: script, name: name, database: database, settings: settings, control: control,
      missingRoles: missing, notes: preflight.notes, removedLeftovers: leftovers.map(\.name))
  }

  private func wantedDatabase(on connection: borrowing Connection) throws -> RestoredDatabase {
    if let manifest = source.manifest { return RestoredDatabase(manifest.server.database) }
    if let database = try RestoredDatabase(source.toc) { return database }
    let live: String
    switch options.target {
    case .new(let name), .beside(let name): live = name
    }
    if let database = try RestoredDatabase(named: live, on: connection) { return database }
    return RestoredDatabase(encoding: try source.toc.encoding())
  }

  private func name(taken: Set<String>) -> String {
    switch options.target {
    case .new(let name): name
    case .beside(let live):
      options.newName ?? RestoreName.make(for: live, time: UTCTime.now.compact, taken: taken)
    }
  }
}
