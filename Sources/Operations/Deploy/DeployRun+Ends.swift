import Checklists
import Deployments
import SystemPackage

extension DeployRun {
  func warnOfNoWayBack() {
    guard record.backup == nil, !record.hasChangedDatabase else { return }
    report(
      .warning(
        "this deployment has no way back: it has no backup of its own", detail: nil,
        hint: "interrupt it now if that was not meant"))
  }

  func interrupted(_ step: DeploymentStep) -> DeploymentError {
    let state =
      record.hasChangedDatabase
      ? "Whatever had begun is whole or undone." : "Nothing of it has reached the database."
    return DeploymentError(
      .interrupted, "interrupted at the step \"\(step.rawValue)\"",
      detail: "The deployment \(record.id) is kept. \(state)",
      hint: "type the same command again to continue"
        + (record.hasChangedDatabase && record.backup != nil ? ", or go back: tsdb rollback" : ""))
  }

  mutating func finish() async throws -> Deploy.Result {
    record.writesAtEnd = await DeploymentWrites.count(access, waitsForOwn: true)
    // A server that went away during a step that only looks must not pass for a deployed one.
    do {
      record.headAfter = try await DeploymentFacts.read(access).migrationHead
    } catch {
      let failure = StepFailure(error)
      throw DeploymentError(
        failure.kind,
        "every step is done, and the server does not answer: \(redaction.clean(failure.message))",
        detail: "The deployment \(record.id) is kept.", hint: "type the same command again to continue")
    }
    record.state = .deployed
    record.ended = now
    try await keep()
    await writePage()
    return result(nil)
  }

  /// The deployment is over; a page that cannot be written is no failure of it.
  private mutating func writePage() async {
    guard let write = deploy.writeReport else { return }
    let path = store.directory(of: record).appending("report.html")
    do {
      try await write(path)
      reportPath = path.string
    } catch {
      let failure = StepFailure(error)
      report(
        .warning(
          "the page was not written: \(redaction.clean(failure.message))", detail: failure.detail,
          hint: failure.hint ?? "tsdb report --html FILE"))
    }
  }

  mutating func failed(_ step: DeploymentStep, _ failure: StepFailure) async throws -> Deploy.Result {
    let state = await DeployState.read(record, access)
    record.headAfter = state.head ?? record.headAfter
    if record.hasChangedDatabase {
      record.writesAtEnd = await DeploymentWrites.count(access, waitsForOwn: true)
    }
    record.ended = now
    try store.save(record)
    if record.hasChangedDatabase { await publish() }
    let error = explained(failure, at: step, state)
    guard let rollback = deploy.rollback, failure.kind == .failed, record.backup != nil,
      step >= .migrate, step <= .smoke
    else { return result(error, isUntouched: state.isUntouched(by: record)) }
    if state.isUntouched(by: record) {
      report(
        .note(
          "nothing of the deployment is applied, so there is nothing to go back from: writes since are kept"))
      return result(error, isUntouched: true)
    }
    report(
      .warning(
        "the step \"\(step.rawValue)\" failed; going back to the backup \(record.backup?.id ?? "")",
        detail: nil, hint: nil))
    do {
      await databaseLock.release()
      record = try await rollback(record)
    } catch let obstacle {
      // Whatever it has done stands in its own record.
      record =
        (try? store.records(of: record.database, systemIdentifier: record.systemIdentifier))?
        .first { $0.id == record.id } ?? record
      return result(Self.notBack(after: error, StepFailure(obstacle)))
    }
    return result(
      DeploymentError(
        .failed, error.message,
        detail: [
          error.detail, "It was rolled back by itself: the database is what it was before the deployment.",
        ].compactMap { $0 }.joined(separator: "\n"),
        hint: record.rollback?.keptDatabase.map { "the failed database is kept as \"\($0)\", for a look" }))
  }

  private static func notBack(after error: DeploymentError, _ obstacle: StepFailure) -> DeploymentError {
    DeploymentError(
      obstacle.kind == .invalidInput ? .failed : obstacle.kind, error.message,
      detail: [error.detail, "Going back did not come to its end: \(obstacle.message).", obstacle.detail]
        .compactMap { $0 }.joined(separator: "\n"),
      hint: obstacle.hint ?? "to go back: tsdb rollback")
  }

  /// What failed, in what state the database is, and what to type next.
  private func explained(
    _ failure: StepFailure, at step: DeploymentStep, _ state: DeployState
  ) -> DeploymentError {
    let facts = failure.detail.map { detail in
      RowText.withoutValues(detail, sqlState: failure.sqlState).split(
        separator: "\n", omittingEmptySubsequences: false
      ).map { redaction.clean(String($0)) }
        .joined(separator: "\n")
    }
    let isFree = failure.kind == .tryAgain
    var hints = [failure.hint.map { redaction.clean($0) }].compactMap { $0 }
    hints.append(
      isFree
        ? "type the same command again to continue" : "once mended, the same command continues at this step")
    if record.hasChangedDatabase, record.backup != nil, !state.isUntouched(by: record) {
      hints.append("to go back: tsdb rollback")
    }
    return DeploymentError(
      isFree ? .tryAgain : .failed,
      "deployment \(record.id) failed at the step \"\(step.rawValue)\": \(redaction.clean(failure.message))",
      detail: [facts, state.text(record)].compactMap { $0 }.joined(separator: "\n"),
      hint: hints.joined(separator: "\n"),
      sqlState: failure.sqlState)
  }

  /// - Parameter isUntouched: whether nothing of the deployment is in the database, so that going back would only
  ///   lose what others wrote.
  private func result(_ failure: DeploymentError?, isUntouched: Bool = false) -> Deploy.Result {
    Deploy.Result(
      record: record, isResumed: isResumed, directory: store.directory(of: record).string,
      checklist: checklist, report: reportPath,
      hasWayBack: record.backup != nil && record.hasChangedDatabase && record.state != .rolledBack
        && !isUntouched,
      failure: failure)
  }
}
