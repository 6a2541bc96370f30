import Checklists
import Deployments
import Operations

/// Shows how a deployment goes, on standard error: a line for each step, or with `--json` one document a line.
final class DeployProgress: Sendable {
  private let invocation: Invocation
  private let backup: BackupProgress
  private let proof: BackupProveProgress
  private let maintenance: MaintainProgress
  private var isJSON: Bool { invocation.options.json }

  init(_ invocation: Invocation) {
    self.invocation = invocation
    backup = BackupProgress(invocation)
    proof = BackupProveProgress(invocation)
    maintenance = MaintainProgress(invocation)
  }

  var report: Deploy.Reporter { { [self] event in show(event) } }

  /// The result: the last document of the stream, or the ladder of steps.
  func finished(_ result: Deploy.Result) {
    invocation.progress.finish()
    Terminal.writeOutput(
      isJSON ? JSONText.encodeLine(FinishedLine(result: result)) : result.text(style: invocation.outputStyle))
  }

  private func show(_ event: Deploy.Event) {
    switch event {
    case .backup(let event): backup.report(event)
    case .proof(let id, let event): proof.report(id, event)
    case .maintenance(let event):
      if case .warning(let message, let detail, let hint) = event {
        warn(message, detail, hint)
      } else {
        maintenance.report(event)
      }
    case .warning(let message, let detail, let hint): warn(message, detail, hint)
    case .note(let text):
      if isJSON { write(Line(event: "note", message: text)) } else { invocation.progress.note(text) }
    case .item(let item):
      if isJSON {
        write(Line(event: "item", message: item.item, item: item))
      } else {
        invocation.progress.live("report: \(Terminal.printable(item.item))")
      }
    case .began(let record, let isResumed): showBeginning(record, isResumed)
    case .stepBegan(let step):
      if isJSON {
        write(Line(event: "step", step: step, outcome: .running))
      } else {
        invocation.progress.live(step.rawValue)
      }
    case .stepEnded(let entry):
      if isJSON {
        write(
          Line(
            event: "step", step: entry.step, outcome: entry.outcome, message: entry.summary ?? entry.because,
            findings: entry.findings))
      } else {
        invocation.progress.note(entry.brief(style: invocation.errorStyle))
      }
    }
  }

  private func showBeginning(_ record: DeploymentRecord, _ isResumed: Bool) {
    if isJSON {
      write(
        Line(event: isResumed ? "resumed" : "began", message: record.id, database: record.database))
    } else {
      invocation.progress.note(
        "\(isResumed ? "continuing" : "deployment") \(record.id) of \"\(Terminal.printable(record.database))\""
      )
    }
  }

  private func warn(_ message: String, _ detail: String?, _ hint: String?) {
    if isJSON {
      write(Line(event: "warning", message: message, detail: detail, hint: hint))
    } else {
      invocation.progress.warning(message, detail: detail, hint: hint)
    }
  }

  /// One document for a program to follow.
  private struct Line: Encodable {
    var event: String
    var step: DeploymentStep?
    var outcome: DeploymentRecord.Outcome?
    var message: String?
    var database: String?
    var detail: String?
    var hint: String?
    var findings: [String]?
    var item: ItemOutcome?
  }

  private func write(_ line: Line) { Terminal.writeOutput(JSONText.encodeLine(line)) }
}
