import Backups
import Operations

extension KeptDatabase {
  fileprivate var age: String { ProgressLine.duration(Double(secondsAgo)) }
}

extension RestoreSwap.Preview {
  var question: String {
    let state =
      if let stateTime, let age {
        "It holds the state of \(stateTime); all writes of the last \(ProgressLine.duration(Double(age))) are lost to it."
      } else {
        "It does not say up to when it holds writes."
      }
    return
      "This gives \"\(new)\" the name \"\(database)\" and ends the sessions of both. \(state) The database that has the name now is kept."
  }
}

extension RestoreUndo.Preview {
  private var lost: String {
    "What was written to \"\(database)\" since \(kept.mark.at), \(kept.age) ago, stays in the database kept as \"\(database)_undone_…\" only."
  }

  var question: String {
    "This gives the name \"\(database)\" back to \"\(kept.name)\" and ends the sessions of both. \(lost)"
  }

  func text(style: Style) -> String {
    if isAlreadyDone { return RestoreSwap.Result.done(database, kept.name) }
    return
      "would give the name \"\(database)\" back to \"\(kept.name)\"; nothing was changed\n\(lost)"
  }
}

extension RestoreSwap.Result {
  fileprivate static func done(_ database: String, _ kept: String) -> String {
    "done before: \"\(database)\" has its name, and the other database is kept as \"\(kept)\""
  }

  func text(style: Style) -> String {
    if isAlreadyDone { return Self.done(database, kept) }
    return [
      "\(style.good("swapped")) \"\(database)\" in \(cutoffMilliseconds ?? 0) ms, ending \(counted(sessionsEnded.count, "session"))",
      "the other database is kept as \"\(kept)\"",
    ].joined(separator: "\n")
  }
}

extension RestoreKept.List {
  func text(style: Style) -> String {
    if kept.isEmpty { return "no database is kept of \"\(database)\"" }
    var table = TextTable(["DATABASE", "SIZE", "SWAPPED OUT", "AGO", "WHY", "BACKUP", "SESSIONS"])
    for kept in kept {
      table.add([
        kept.name, kept.size.map(ByteCount.text) ?? "?", String(kept.mark.at.prefix(19)) + "Z", kept.age,
        kept.isHalfDropped ? "half dropped" : kept.mark.reason == .restored ? "restore" : "undo",
        kept.mark.backup ?? "-", String(kept.sessions),
      ])
    }
    return Terminal.printable(table.text(style: style))
  }
}
