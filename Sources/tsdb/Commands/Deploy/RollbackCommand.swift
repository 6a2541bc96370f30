import ArgumentParser
import Backups
import Deployments
import Operations
import Timekeeping

struct RollbackCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Go back to the backup that a deployment began with.",
    discussion: """
      Restores the deployment's own backup beside the live database, compares every row, and swaps the two names \
      in one transaction. What was written since the backup is lost to the live database; the failed database is \
      kept, to be looked at. Before anything is done it says how long that window is, about how many rows were \
      written in it and whose sessions are ended, and asks; scripts pass --yes.

      At every moment the live name belongs to the failed database or to the restored one, complete. Killed, the \
      same command continues. A deployment that has not reached the database is only given up.

      EXAMPLES
        tsdb rollback --dry-run
        tsdb rollback
        tsdb rollback 20261124T1530 --yes
        tsdb restore --drop-old

      EXIT STATUS
        0    gone back, given up, or nothing to do
        1    failed; the message says which database is live and what to type next
        2    gone back, and the checklist found something
        64   bad usage or configuration
        75   try again later: another run, sessions that stay, or no server
        130  interrupted: the same command continues
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The deployment, or the beginning of its id; else the last.", valueName: "id"))
  var id: String?

  @Option(
    help: ArgumentHelp(
      "How long sessions may go on with their transactions, up to 4s (default: 500ms).", valueName: "duration"
    ))
  var grace: DurationArgument?

  @Option(name: .shortAndLong, help: "Connections that restore.")
  var jobs: Int?

  @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be done, and do nothing.")
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func validate() throws {
    if let grace, grace.duration > DatabaseSwap.longestGrace {
      throw ValidationError("--grace takes at most 4s: longer than that the server does not wait")
    }
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 64") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access()
    let store = DeploymentStore(project: access.project)
    // Looking does not keep others away.
    let lock = isDryRun ? nil : try store.lock()
    defer { withExtendedLifetime(lock) {} }
    let facts = try await DeploymentFacts.read(access)
    let records = try store.records(of: facts.database, systemIdentifier: facts.systemIdentifier)
    switch RollbackDecision(records, id: id) {
    case .none: throw missing(facts.database, known: records.map(\.id))
    case .ambiguous(let ids):
      throw DeploymentError(
        .invalidInput, "\"\(id ?? "")\" is the beginning of \(ids.count) deployments",
        detail: ids.joined(separator: ", ") + ".", hint: "write more of it")
    case .impossible(let record): throw Rollback.impossible(record)
    case .abandon(let record): try abandon(record, store, invocation, access)
    case .alreadyDone(let record):
      // It may have been killed before the copy was written.
      if !isDryRun {
        await store.publish(record, access) { invocation.progress.warning($0, detail: $1, hint: $2) }
      }
      invocation.print(RollbackResult(record, .alreadyDone, access.settings)) { $0.text(style: $1) }
    case .restore(let record):
      try await goBack(record, later: records.filter { $0.id > record.id }, store, invocation, access)
    }
  }
}

extension RollbackCommand {
  private func missing(_ database: String, known: [String]) -> DeploymentError {
    if let id {
      return DeploymentError(
        .invalidInput, "there is no deployment \"\(id)\" of \"\(database)\"",
        detail: (known.isEmpty
          ? "None is recorded in \".tsdb/deployments\" of this project."
          : "The last recorded are \(known.suffix(5).joined(separator: ", ")).") + " Nothing was changed.",
        hint: "list them where the deployment was run: ls .tsdb/deployments")
    }
    return DeploymentError(
      .failed, "there is nothing to go back from: no deployment of \"\(database)\" is recorded",
      detail: "Records are kept beside the project, in \".tsdb/deployments\". Nothing was changed.",
      hint: "run it where the deployment was run, or see \"tsdb backup list\" and \"tsdb restore ID --swap\"")
  }

  private func abandon(
    _ record: DeploymentRecord, _ store: DeploymentStore, _ invocation: Invocation,
    _ access: DatabaseAccess
  ) throws {
    var record = record
    if !isDryRun, record.state != .abandoned {
      record.state = .abandoned
      record.ended = UTCTime.now.description
      try store.save(record)
    }
    invocation.print(RollbackResult(record, isDryRun ? .wouldAbandon : .abandoned, access.settings)) {
      $0.text(style: $1)
    }
  }

  private func goBack(
    _ record: DeploymentRecord, later: [DeploymentRecord], _ store: DeploymentStore, _ invocation: Invocation,
    _ access: DatabaseAccess
  ) async throws {
    var rollback = Rollback()
    if !isDryRun {
      let databaseLock = DatabaseLock(access)
      try await databaseLock.require()
      rollback.databaseLock = databaseLock
    }
    rollback.grace = grace?.duration ?? DatabaseSwap.defaultGrace
    rollback.jobs = jobs
    rollback.environment = Invocation.environment
    rollback.checklist = access.project.deploymentChecklist
    rollback.writePage = DeploymentPage(invocation, access).write
    let progress = RollbackProgress(invocation)
    let prepared = try await rollback.prepare(record, later: later, access, report: progress.report)
    let preview = prepared.preview
    if isDryRun {
      progress.finished(preview) { $0.text(style: $1) + "\nnothing was changed" }
      return
    }
    if !global.json, !global.quiet {
      invocation.progress.finish()
      Terminal.writeError(preview.text(style: invocation.errorStyle))
    }
    try confirm(preview)
    let done = try await rollback.run(prepared, access, store: store, report: progress.report)
    let result = RollbackResult(done, .rolledBack, access.settings, preview)
    progress.finished(result) { $0.text(style: $1) }
    if result.hasFindings { throw Findings(status: .findings) }
  }

  private func confirm(_ preview: RollbackPreview) throws {
    if yes { return }
    guard Terminal.isInputTerminal else {
      throw DeploymentError(
        .invalidInput, "rolling back deployment \(preview.deployment) needs to be confirmed",
        detail: "\(preview.question) Nothing was changed.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    guard Terminal.confirm(preview.question) else {
      throw DeploymentError(.interrupted, "not confirmed", detail: "Nothing was changed.")
    }
  }
}
