import Backups
import Operations

/// Shows on standard error how a proof goes.
final class BackupProveProgress: Sendable {
  private let invocation: Invocation
  private let started = ContinuousClock.now
  /// Its documents for programs would stand before this command's own.
  private let restore: RestoreProgress?

  init(_ invocation: Invocation) {
    self.invocation = invocation
    restore = invocation.options.json ? nil : RestoreProgress(invocation)
  }

  var report: BackupProve.Reporter { { [self] id, event in show(id, event) } }

  private func show(_ id: String, _ event: BackupProve.Event) {
    switch event {
    case .verifying(let progress):
      invocation.progress.live(
        ProgressLine.text(
          done: progress.done, total: progress.total, bytes: progress.done,
          seconds: (ContinuousClock.now - started).seconds, what: id, style: invocation.errorStyle))
    case .startingServer(let version):
      invocation.progress.live("making a throwaway server of PostgreSQL \(version)")
    case .restoring(let event): restore?.report(event)
    case .runningScripts: invocation.progress.live("running verify scripts")
    case .removedLeftover(let directory):
      invocation.progress.note("removed the server in \"\(directory)\", which an interrupted proof had left")
    }
  }
}

extension BackupProve.Result {
  func text(style: Style) -> String {
    if backups.isEmpty { return "no backups to verify" }
    var lines = backups.flatMap { $0.lines(style) }
    if backups.contains(where: { $0.outcome == .damaged || $0.outcome == .failed }) {
      lines.append("hint: keep it for what can be saved, and take a new one with \"tsdb backup\"")
    }
    if backups.contains(where: { $0.outcome == .notProven && $0.restore == nil }) {
      lines.append(
        "hint: nothing is said against a backup that was not proven; any machine that can read the repository and "
          + "has what is missing here can prove it")
    }
    return lines.joined(separator: "\n")
  }
}

extension BackupProve.Result.Backup {
  fileprivate func lines(_ style: Style) -> [String] {
    var lines = [headline(style)]
    if restore != nil {
      lines.append(
        "  every row, sequence and large object is equal"
          + (comparedCatalogue ? ", and the catalogue is equal" : ""))
    }
    if outcome == .damaged {
      lines += verification.findings.map {
        "  \(Terminal.printable($0.file)): \(Terminal.printable($0.problem))"
      }
    }
    var remedies: [String] = []
    for finding in findings {
      lines.append("  \(Terminal.printable(finding.problem))")
      if let remedy = finding.remedy, !remedies.contains(remedy) { remedies.append(remedy) }
    }
    lines += remedies.map { "\(style.good("hint:")) \(Terminal.printable($0))" }
    if let scripts {
      if scripts.passed > 0 { lines.append("  \(counted(scripts.passed, "verify script")) passed") }
      lines += scripts.notChecked.map { "  not checked: \(Terminal.printable($0))" }
    }
    lines += notes.map { "note: \(Terminal.printable($0))" }
    if let kept {
      lines.append("the server runs on in \(kept.directory)")
      lines.append("  look at it:  tsdb server psql -C \(kept.directory)   or   psql '\(kept.url)'")
      lines.append("  remove it:   tsdb server destroy --yes -C \(kept.directory)")
    }
    return lines
  }

  private func headline(_ style: Style) -> String {
    let server = serverVersion.map { " on PostgreSQL \($0)" } ?? ""
    switch outcome {
    case .proven:
      let time = ProgressLine.duration(Double(restore?.milliseconds ?? 0) / 1000)
      return
        "\(style.good("proven")) \(id): \(counted(restore?.tables ?? 0, "table")), \(counted(Int(restore?.rows ?? 0), "row")), "
        + "\(ByteCount.text(restore?.bytes ?? 0)) restored\(server) in \(time)"
    case .damaged:
      return
        "\(style.bad("damaged")) \(id): \(counted(verification.findings.count, "finding")) in its files; "
        + "not restored"
    case .failed: return "\(style.bad("failed")) \(id): \(counted(findings.count, "finding"))\(server)"
    case .notProven where restore != nil:
      return
        "\(style.careful("not proven")) \(id): restored\(server), and \(counted(findings.count, "verify script")) "
        + (findings.count == 1 ? "fails" : "fail")
    case .notProven:
      return "\(style.careful("not proven")) \(id): verified, and not restored\(server), because of "
        + counted(findings.count, "obstacle")
    }
  }
}
