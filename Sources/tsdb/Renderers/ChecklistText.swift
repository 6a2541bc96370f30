import Checklists
import Operations

/// How answers are shown.
enum ChecklistText {
  /// A mark and the word of a state: colour alone says nothing.
  static func state(_ state: ProbeState, _ style: Style) -> String {
    let word = state.words
    let text = "\(mark(state)) \(word)" + String(repeating: " ", count: max(0, 14 - word.count))
    return switch state {
    case .proved, .attested: style.good(text)
    case .failed: style.bad(text)
    case .unknown, .unbound: style.careful(text)
    case .notApplicable: style.faint(text)
    }
  }

  private static func mark(_ state: ProbeState) -> String {
    switch state {
    case .proved: "✔"
    case .failed: "✘"
    case .attested: "✎"
    case .notApplicable: "–"
    case .unknown: "?"
    case .unbound: "·"
    }
  }

  /// `42 proved, 1 failed, 3 unknown`, in the order of the states.
  static func counts(_ counts: [String: Int]) -> String {
    ProbeState.allCases.compactMap { state in
      counts[state.rawValue].map { "\($0) \(state.words)" }
    }.joined(separator: ", ")
  }

  static func name(_ phase: ChecklistPhase) -> String {
    switch phase {
    case .pre: "before the deployment"
    case .deploy: "deployment"
    case .verify: "verification"
    case .post: "after the deployment"
    case .rollback: "rollback"
    case .firstHour: "first hour"
    case .firstDay: "first day"
    case .firstWeek: "first week"
    }
  }
}

extension ChecklistRun.Result {
  /// - Parameters:
  ///   - isBrief: the verdict, and what is not as it should be.
  ///   - isVerbose: also what was asked.
  func text(style: Style, isBrief: Bool, isVerbose: Bool) -> String {
    var lines: [String] = []
    for phase in ChecklistPhase.allCases {
      let items = items.filter { $0.phase == phase }
      let shown = isBrief ? items.filter { [.failed, .unknown, .unbound].contains($0.state) } : items
      guard !shown.isEmpty else { continue }
      lines.append(
        "\(style.bold(ChecklistText.name(phase))) \(style.faint("(\(ChecklistText.counts(items.counts)))"))")
      var section = ""
      for item in shown {
        if let heading = item.headings.last, heading != section, !isBrief {
          section = heading
          lines.append("  \(style.faint(Terminal.printable(heading)))")
        }
        lines.append(
          "  \(ChecklistText.state(item.state, style)) \(item.line): \(Terminal.printable(item.item))")
        if isVerbose { lines.append("      asked: \(Terminal.printable(item.asked))") }
        lines.append("      \(style.faint(Terminal.printable(item.observed)))")
        if let remedy = item.remedy, item.state != .proved {
          lines.append("      hint: \(Terminal.printable(remedy))")
        }
      }
    }
    if let unreachable {
      lines.append("\(style.bad("the server cannot be reached:")) \(Terminal.printable(unreachable))")
    }
    let place = server.map { " on \"\($0.database)\" (PostgreSQL \($0.version))" } ?? ""
    lines.append("\(verdict(style)): \(ChecklistText.counts(counts))\(Terminal.printable(place))")
    if let output { lines.append("boxes filled in: \(Terminal.printable(output))") }
    if let evidence, let evidenceSHA256 {
      lines.append("evidence: \(Terminal.printable(evidence)), sha256 \(evidenceSHA256)")
    }
    return lines.joined(separator: "\n")
  }

  private func verdict(_ style: Style) -> String {
    if count(.failed) > 0 { return style.bad("not as it should be") }
    return hasFindings(isStrict: true)
      ? style.careful("nothing failed, not all is known") : style.good("all holds")
  }
}

extension ChecklistList.Result {
  func text(style: Style) -> String {
    var table = TextTable(["LINE", "PHASE", "BOUND TO", "BY", "ITEM"])
    for item in items {
      table.add([
        "\(item.line)", item.phase.rawValue,
        item.call.map { Self.text($0) + (item.isKnown ? "" : " (no such probe)") } ?? "unbound",
        item.boundBy ?? "", Terminal.printable(item.item),
      ])
    }
    let missing = items.count { $0.call != nil && !$0.isKnown }
    return table.text(style: style) { column, cell in
      column == 2 && (cell == "unbound" || cell.hasSuffix("(no such probe)")) ? style.careful(cell) : cell
    } + "\n\(counted(items.count, "item")), \(unbound) unbound"
      + (missing > 0 ? ", \(missing) bound to a probe that is not there" : "")
  }

  private static func text(_ call: ProbeCall) -> String {
    let arguments = call.arguments.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return Terminal.printable(([call.name] + arguments + call.operands).joined(separator: " "))
  }
}
