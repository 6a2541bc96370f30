import Backups
import Operations
import Timekeeping

extension BackupSummary {
  /// Such as `verified 3 d ago`.
  fileprivate func stateText(_ now: UTCTime) -> String {
    guard let time = stateTime.flatMap({ UTCTime($0) }) else { return state }
    return "\(state) \(ageText(time, now))"
  }

  fileprivate func age(_ now: UTCTime) -> String {
    started.flatMap { UTCTime($0) }.map { ageText($0, now) } ?? ""
  }
}

/// Such as `40 s ago`, `5 h ago`, `12 d ago`.
private func ageText(_ time: UTCTime, _ now: UTCTime) -> String {
  let seconds = now - time
  // A clock that was set back, or another machine's.
  if seconds < 0 { return "in the future" }
  if seconds < 60 { return "\(seconds) s ago" }
  if seconds < 3600 { return "\(seconds / 60) min ago" }
  if seconds < 172_800 { return "\(seconds / 3600) h ago" }
  return "\(seconds / 86_400) d ago"
}

private func coloured(_ text: String, state: String, _ style: Style) -> String {
  switch state {
  case "verified", "proven": style.good(text)
  case "damaged": style.bad(text)
  case "complete": text
  default: style.careful(text)
  }
}

extension BackupList.Result {
  func text(style: Style, now: UTCTime) -> String {
    if backups.isEmpty { return "no backups in \(repository); \"tsdb backup\" takes the first" }
    var table = TextTable([
      "STATE", "BACKUP", "DATABASE", "LABEL", "AGE", "TOOK", "SIZE", "TABLES", "ROWS", "SERVER", "MIGRATION",
    ])
    for backup in backups {
      let database = Terminal.printable(backup.database ?? "")
      table.add([
        backup.stateText(now), backup.id, backup.isWhole == false ? "\(database) (part)" : database,
        Terminal.printable(backup.label ?? ""), backup.age(now),
        backup.seconds.map { ProgressLine.duration(Double($0)) } ?? "",
        backup.size.map { ByteCount.text($0) } ?? "", backup.tables.map(String.init) ?? "",
        backup.rows.map(String.init) ?? "", String((backup.serverVersion ?? "").prefix { $0 != " " }),
        Terminal.printable(backup.migrationHead ?? ""),
      ])
    }
    var lines = [
      table.text(style: style) { column, cell in
        column == 0 ? coloured(cell, state: String(cell.prefix { $0 != " " }), style) : cell
      }
    ]
    for backup in backups {
      guard let detail = backup.stateDetail else { continue }
      lines.append("\(style.bad("damaged")) \(backup.id): \(Terminal.printable(detail))")
    }
    if omitted > 0 { lines.append("\(omitted) more") }
    return lines.joined(separator: "\n")
  }
}

extension BackupShow.Result {
  func text(style: Style, now: UTCTime) -> String {
    var lines = ["\(coloured(backup.stateText(now), state: backup.state, style)) \(style.bold(backup.id))"]
    func add(_ name: String, _ value: String?) {
      guard let value, !value.isEmpty else { return }
      let padding = String(repeating: " ", count: max(1, 12 - name.count))
      lines.append("\(style.faint(name))\(padding)\(Terminal.printable(value))")
    }
    add("damaged", backup.stateDetail)
    add("path", backup.path)
    add("database", backup.database)
    add("label", backup.label)
    add("started", backup.started.map { "\($0), \(backup.age(now))" })
    add("took", backup.seconds.map { ProgressLine.duration(Double($0)) })
    add("snapshot", snapshotTime.map { "\($0)\(lsn.map { " at \($0)" } ?? "")" })
    add("server", backup.serverVersion)
    add("migration", backup.migrationHead)
    add("only", onlyTables.joined(separator: ", "))
    add("without", excludedTables.joined(separator: ", "))
    if let size = backup.size, let files {
      add("size", "\(ByteCount.text(size)) in \(counted(files, "file"))")
    }
    add(
      "format", archiveVersion.map { "\($0), \(compression ?? ""), \(encoding ?? "")" })
    add("extensions", extensions.joined(separator: ", "))
    add("roles", roles.joined(separator: ", "))
    add("tool", tool)
    add("manifest", manifestSha256.map { "sha256 \($0)" })
    lines += tableLines(style)
    lines += checks.map { check in
      let server = check.serverVersion.map { " on PostgreSQL \($0)" } ?? ""
      let detail = check.detail.map { ": \(Terminal.printable($0))" } ?? ""
      return
        "\(coloured(check.kind, state: check.kind == "failed" ? "damaged" : check.kind, style)) \(check.time)"
        + " in \(ProgressLine.duration(Double(check.milliseconds) / 1000))\(server), \(check.tool)\(detail)"
    }
    if !restoreCommands.isEmpty {
      lines.append("without tsdb:")
      lines += restoreCommands.map { "  \($0)" }
    }
    return lines.joined(separator: "\n")
  }

  private func tableLines(_ style: Style) -> [String] {
    guard !tables.isEmpty else { return [] }
    var table = TextTable(["TABLE", "ROWS", "TEXT", "FILE", "STORED", "PIECES"])
    for row in tables {
      table.add([
        Terminal.printable("\(row.schema).\(row.name)"), "\(row.rows)", ByteCount.text(row.bytes), row.file,
        ByteCount.text(row.size), "\(row.pieces)",
      ])
    }
    let more = [
      sequences.map { counted($0, "sequence") }, largeObjects.map { counted(Int($0), "large object") },
    ].compactMap { $0 }
    return [table.text(style: style), (["\(counted(tables.count, "table"))"] + more).joined(separator: ", ")]
  }
}

extension BackupVerify.Result {
  func text(style: Style) -> String {
    if backups.isEmpty { return "no backups to verify" }
    var lines: [String] = []
    for backup in backups {
      let time = ProgressLine.duration(Double(backup.milliseconds) / 1000)
      guard !backup.verified else {
        lines.append(
          "\(style.good("verified")) \(backup.id): \(counted(backup.files, "file")), "
            + "\(ByteCount.text(backup.bytes)), \(counted(backup.tables, "table")), \(counted(Int(backup.rows), "row")), \(time)"
        )
        continue
      }
      lines.append(
        "\(style.bad("damaged")) \(backup.id): \(counted(backup.findings.count, "finding")), \(time)")
      lines += backup.findings.map {
        "  \(Terminal.printable($0.file)): \(Terminal.printable($0.problem))"
      }
    }
    if hasFindings {
      lines.append("hint: keep it for what can be saved, and take a new one with \"tsdb backup\"")
    }
    return lines.joined(separator: "\n")
  }
}

extension BackupPrune.Result {
  func text(style: Style) -> String {
    var lines: [String] = []
    var series: String?
    for backup in backups {
      if backup.series != series {
        series = backup.series
        lines.append(style.bold(Terminal.printable(backup.series)))
      }
      if backup.keep {
        lines.append("  \(style.good("keep"))    \(backup.id)  \(backup.reasons.joined(separator: ", "))")
      } else {
        let verb = isDryRun ? "remove " : backup.removed ? "removed" : "left   "
        lines.append(
          "  \(style.careful(verb)) \(backup.id)  \(ByteCount.text(backup.size)), no rule keeps it")
      }
    }
    lines += damaged.map {
      "\(style.bad("damaged")) \($0): it does not count, and is left for you to look at"
    }
    lines += leftovers.map {
      "\(isDryRun ? "would remove" : "removed") \($0), which an interrupted run had left"
    }
    let gone = backups.filter { isDryRun ? !$0.keep : $0.removed }
    let size = ByteCount.text(gone.reduce(0) { $0 + $1.size })
    if isDryRun {
      lines.append(
        gone.isEmpty
          ? "nothing to remove: \(counted(backups.count, "backup"))"
          : "would remove \(counted(gone.count, "backup")), \(size); nothing was changed")
    } else {
      lines.append("removed \(counted(gone.count, "backup")), \(size)")
    }
    return lines.joined(separator: "\n")
  }
}
