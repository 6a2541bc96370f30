import Backups
import Deployments
import Operations
import Postgres
import Timekeeping

extension RollbackPreview {
  private var window: String {
    windowSeconds.map { "all writes of the last \(ProgressLine.duration(Double($0)))" }
      ?? "all writes since \(backup.snapshotTime)"
  }

  private var rows: String {
    guard let written = writes.sinceDeployment else {
      guard let written = writes.sinceBackup else {
        return "how many rows is not known (\(writes.gap ?? "the server does not say"))"
      }
      return "about \(Self.text(written)), with those that the deployment itself wrote"
    }
    var text = "about \(Self.text(written)) since the deployment's end"
    if let all = writes.sinceBackup, all.total > written.total {
      text +=
        "; before it, since the backup, \(all.total - written.total), with those that the deployment itself wrote"
    }
    return text
  }

  /// `7 rows (5 inserted, 2 deleted)`.
  private static func text(_ written: WrittenRows) -> String {
    let parts = [
      (written.inserted, "inserted"), (written.updated, "updated"), (written.deleted, "deleted"),
    ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return counted(Int(written.total), "row") + (parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))")
  }

  private var ended: String {
    guard sessions > 0 else { return "no session, for now" }
    let names = applications.prefix(6).map { "\($0.name.isEmpty ? "(no name)" : $0.name) \($0.sessions)" }
    let rest = applications.count - names.count
    return "\(counted(sessions, "session")): \(names.joined(separator: ", "))"
      + (rest > 0 ? ", \(rest) more" : "")
  }

  private var space: String {
    let needed = neededSpace.map(ByteCount.text) ?? "-"
    return "\(needed) for the restored database; "
      + (freeSpace.map { "\(ByteCount.text($0)) free" } ?? "what is free cannot be seen from here")
  }

  var question: String {
    if isSwapped {
      return "This finishes the rollback of \"\(database)\", whose databases are swapped already."
    }
    return
      "This replaces \"\(database)\" by its state of \(backup.snapshotTime): \(window) are lost to it, "
      + "\(rows). The present database is kept."
  }

  func text(style: Style) -> String {
    var lines = [
      ("rollback", "deployment \(deployment) of \"\(database)\", \(state.rawValue)"),
      (
        "to",
        "backup \(backup.id), state of \(backup.snapshotTime), "
          + (backup.isProven ? "restored on trial" : style.careful("never restored on trial"))
      ),
    ]
    if isSwapped {
      lines.append(("goes on", "the databases were swapped before it was interrupted; nothing more is lost"))
      if let kept { lines.append(("keeps", "the failed database, as \"\(kept)\"")) }
    } else {
      lines.append(("loses", "\(window), \(rows)"))
      lines.append(("ends", ended))
      lines.append(("space", space))
      lines.append(("keeps", "the present database, as \"\(database)_before_restore_…\""))
      if let restored {
        lines.append(("goes on", "with \"\(restored)\", which it restored before it was interrupted"))
      }
      if !laterDeployments.isEmpty {
        lines.append(("undoes too", "the later deployments \(laterDeployments.joined(separator: ", "))"))
      }
    }
    let width = lines.map(\.0.count).max() ?? 0
    return lines.map { label, text in
      style.faint(label + String(repeating: " ", count: width - label.count)) + "  "
        + Terminal.printable(text)
    }.joined(separator: "\n")
  }
}

/// What `tsdb rollback` did.
struct RollbackResult: Encodable {
  enum Action: String, Encodable {
    case rolledBack = "rolled-back"
    case abandoned
    case wouldAbandon = "would-abandon"
    case alreadyDone = "already-done"
  }

  let action: Action
  let deployment: DeploymentRecord
  /// nil where nothing was restored.
  let preview: RollbackPreview?
  /// Of the live database, for what a person types next.
  private let settings: ConnectionSettings

  init(
    _ deployment: DeploymentRecord, _ action: Action, _ settings: ConnectionSettings,
    _ preview: RollbackPreview? = nil
  ) {
    self.action = action
    self.deployment = deployment
    self.settings = settings
    self.preview = preview
  }

  private enum CodingKeys: String, CodingKey {
    case action, deployment, preview
  }

  /// Whether the checklist found something.
  var hasFindings: Bool {
    deployment.rollback?.steps.contains { $0.step == .report && !$0.findings.isEmpty } ?? false
  }

  func text(style: Style) -> String {
    let name = "deployment \(deployment.id)"
    switch action {
    case .abandoned:
      return "\(style.good("given up")) \(name): nothing of it has reached \"\(deployment.database)\""
    case .wouldAbandon:
      return
        "would give up \(name): nothing of it has reached \"\(deployment.database)\"; nothing was changed"
    case .alreadyDone:
      return ["\(name) was rolled back before\(deployment.ended.map { ", \($0)" } ?? "")"].joined()
        + kept.map { "\n" + $0 }.joined()
    case .rolledBack: return done(name, style)
    }
  }

  private var kept: [String] {
    guard let kept = deployment.rollback?.keptDatabase else { return [] }
    return [
      "the failed database is kept as \"\(kept)\"",
      "look into it with: \(TypedCommand.psql(settings, database: kept))",
      "and drop it with: \(TypedCommand.tsdb("restore --drop-old", kept))",
    ]
  }

  private func done(_ name: String, _ style: Style) -> String {
    let rollback = deployment.rollback
    let steps = rollback?.steps ?? []
    var lines = ["\(style.good("rolled back")) \(name)"]
    lines += steps.map { step in
      let took =
        duration(step).map { style.faint(" (\($0))") } ?? ""
      return "  \(step.step.rawValue): \(step.summary ?? step.outcome.rawValue)\(took)"
    }
    lines += steps.flatMap(\.findings).map { "note: \($0)" }
    lines.append(
      "without service: "
        + (rollback?.withoutServiceMilliseconds.map { "new sessions were held back for \($0) ms" }
          ?? "not measured, as the swap was interrupted"))
    return Terminal.printable((lines + kept).joined(separator: "\n"))
  }

  private func duration(_ step: DeploymentRecord.Step<RollbackStep>) -> String? {
    guard let start = UTCTime(step.started), let end = step.ended.flatMap({ UTCTime($0) }), end - start > 0
    else { return nil }
    return ProgressLine.duration(Double(end - start))
  }
}

/// Shows how a rollback goes, on standard error.
final class RollbackProgress: Sendable {
  private let invocation: Invocation
  private let restore: RestoreProgress

  init(_ invocation: Invocation) {
    self.invocation = invocation
    restore = RestoreProgress(invocation)
  }

  var report: RollbackReporter { { [self] event in show(event) } }

  func finished<Result: Encodable>(_ result: Result, text: (Result, Style) -> String) {
    restore.finished(result, text: text)
  }

  private struct Line: Encodable {
    var event: String
    var step: RollbackStep?
    var message: String?
  }

  private func show(_ event: RollbackEvent) {
    switch event {
    case .restore(let event): restore.report(event)
    case .step(let step):
      if invocation.options.json {
        Terminal.writeOutput(JSONText.encodeLine(Line(event: "step", step: step)))
      } else {
        invocation.progress.note("\(invocation.errorStyle.faint("--")) \(Self.title(step))")
      }
    case .swap(.note(let text)): invocation.progress.warning(text, detail: nil, hint: nil)
    case .swap(.retrying(let attempt, let total, let reason, let sessions)):
      let who = sessions.map(\.description).joined(separator: "; ")
      invocation.progress.note(
        Terminal.printable(
          "not swapped yet: \(reason)\(who.isEmpty ? "" : " (\(who))"): attempt \(attempt) of \(total)"))
    case .warning(let message, let detail, let hint):
      invocation.progress.warning(message, detail: detail, hint: hint)
    }
  }

  private static func title(_ step: RollbackStep) -> String {
    switch step {
    case .restore: "restoring the backup beside the live database"
    case .swap: "ending sessions and swapping the names"
    case .verify: "comparing the live database with the backup"
    case .report: "recording"
    }
  }
}
