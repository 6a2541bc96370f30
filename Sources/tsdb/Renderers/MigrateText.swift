import Migrations
import Operations

extension MigrateUp.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    if !applied.isEmpty {
      let milliseconds = applied.reduce(0) { $0 + $1.milliseconds }
      lines.append("applied \(counted(applied.count, "migration")) to \"\(database)\" in \(milliseconds) ms")
    }
    if !appliedElsewhere.isEmpty {
      lines.append("\(counted(appliedElsewhere.count, "migration")) applied by another run at the same time")
    }
    if applied.isEmpty, appliedElsewhere.isEmpty {
      lines.append("nothing to do: \(counted(upToDate, "migration")) applied to \"\(database)\"")
    }
    for name in cosmeticEdits {
      lines.append(
        "note: \"\(name)\" was edited in comments or layout only; \"tsdb migrate accept \(name)\" takes the new text over"
      )
    }
    return lines.joined(separator: "\n")
  }
}

extension MigrateUp.DryRun {
  func text(style: Style) -> String {
    if files.isEmpty { return "nothing to do on \"\(database)\"" }
    var lines: [String] = []
    for file in files {
      let mode = file.transactional ? "one transaction" : "statement by statement, with a journal"
      lines.append(
        "\(style.bold(file.name)) \(style.faint("(\(counted(file.statements.count, "statement")), \(mode))"))"
      )
      for statement in file.statements {
        lines.append("  line \(statement.line): \(statement.command.lowercased())")
      }
      if file.notAnalysed > 0 {
        lines.append("  not analysed: \(counted(file.notAnalysed, "statement")); the server will decide")
      }
    }
    lines.append("would apply \(counted(files.count, "migration")) to \"\(database)\"; nothing was changed")
    return lines.joined(separator: "\n")
  }
}

extension MigrateStatus.Result {
  func text(style: Style) -> String {
    if migrations.isEmpty { return "no migrations; \"tsdb migrate new NAME\" writes the first" }
    var table = TextTable(["STATE", "MIGRATION", "VERSION", "APPLIED", "BY", "TIME"])
    for migration in migrations {
      table.add([
        migration.state, migration.name, migration.version ?? "", migration.appliedAt ?? "",
        migration.appliedBy ?? "",
        migration.appliedAt == nil ? "" : migration.milliseconds.map { "\($0) ms" } ?? "",
      ])
    }
    let counts = MigrationPlan.Standing.allCases
      .map { ($0, count($0)) }
      .filter { $0.1 > 0 }
      .map { "\($0.1) \($0.0.rawValue)" }
    return table.text(style: style) { column, cell in
      guard column == 0 else { return cell }
      return switch MigrationPlan.Standing(rawValue: cell) {
      case .applied: style.good(cell)
      case .edited, .missing, .interrupted: style.bad(cell)
      default: style.careful(cell)
      }
    } + "\n\(counts.joined(separator: ", ")) in \"\(database)\" (PostgreSQL \(serverVersion / 10_000))"
  }
}

extension MigrateVerify.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    for migration in migrations {
      let mark = migration.script == "passed" ? style.good("ok") : style.careful(migration.script)
      switch MigrationPlan.Standing(rawValue: migration.state) {
      case .edited, .missing, .interrupted:
        lines.append(
          "\(style.bad(migration.state)) \(migration.name)"
            + (migration.script == "passed" ? " (its verify script passed)" : ""))
      default:
        lines.append("\(migration.script == "failed" ? style.bad("failed") : mark) \(migration.name)")
      }
      if migration.script == "failed" {
        lines.append("  \(migration.message ?? "")")
        if let location = migration.location { lines.append("  --> \(location)") }
        lines += (migration.excerpt ?? "").split(separator: "\n").map { "   | \($0)" }
      }
    }
    for drift in drift {
      lines.append("\(style.bad(drift.change)) \(drift.kind) \(drift.object)")
      if let expected = drift.expected, drift.change == "changed" {
        lines.append("  expected: \(oneLine(expected))")
      }
      if let found = drift.found, drift.change == "changed" { lines.append("  found:    \(oneLine(found))") }
    }
    let failed = migrations.count { $0.script == "failed" }
    let unproved = migrations.count { $0.script == "no-script" }
    var verdict = hasFindings ? style.bad("not verified") : style.good("verified")
    verdict += ": \(counted(migrations.count { $0.script == "passed" }, "verify script")) passed"
    if failed > 0 { verdict += ", \(failed) failed" }
    let absent = migrations.count { $0.script == "not-applied" }
    if absent > 0 { verdict += ", \(counted(absent, "migration")) not applied" }
    if unproved > 0 { verdict += ", \(counted(unproved, "migration")) without one" }
    verdict += drift.isEmpty ? ", no drift" : ", \(counted(drift.count, "object")) drifted"
    lines.append(verdict)
    if !drift.isEmpty {
      lines.append(
        "hint: undo the change, put it into a migration, or take it over with \"tsdb migrate accept --catalog\""
      )
    }
    return lines.joined(separator: "\n")
  }

  private func oneLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }
      .joined(separator: " ")
    return line.count > 160 ? line.prefix(159) + "…" : line
  }
}

/// `3 files`, `1 file`.
func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
