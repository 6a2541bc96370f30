import Checklists
import Operations

extension SelftestResult {
  /// The probe and what was done, on one line.
  var line: String {
    let what: String =
      switch control {
      case "empty-database": "an empty database"
      case "no-server": "no server"
      default: defect ?? control
      }
    return Terminal.printable("\(probe): \(what)")
  }
}

extension ChecklistSelftest.Result {
  /// - Parameter isBrief: the verdict, and what did not stand its controls.
  func text(style: Style, isBrief: Bool) -> String {
    var lines: [String] = []
    var names: [String] = []
    for result in results where !names.contains(result.probe) { names.append(result.probe) }
    for name in names {
      let own = results.filter { $0.probe == name }
      let failed = own.filter { !$0.isPassed }
      if failed.isEmpty {
        if !isBrief { lines.append("\(style.good("✔ red")) \(name) \(style.faint(Self.summary(own)))") }
        continue
      }
      lines.append("\(style.bad("✘ not red")) \(name)")
      for result in failed {
        lines.append("    \(result.line): \(Terminal.printable(result.problem ?? ""))")
        if let observed = result.observed {
          lines.append("      \(style.faint("it saw: " + Terminal.printable(observed)))")
        }
      }
    }
    let failures = failures.count
    let verdict =
      passed
      ? style.good("every probe turns red") : style.bad("\(counted(failures, "control")) not stood")
    lines.append(
      "\(verdict): \(counted(probes, "probe")), \(counted(controls, "control")), PostgreSQL \(serverVersion), "
        + "\(milliseconds / 1000) s")
    return lines.joined(separator: "\n")
  }

  private static func summary(_ results: [SelftestResult]) -> String {
    let before = results.first { $0.before != nil }?.before
    return "on \(counted(results.count { $0.control == "defect" }, "defect"))"
      + (before.map { "; \($0.words) before" } ?? "")
  }
}
