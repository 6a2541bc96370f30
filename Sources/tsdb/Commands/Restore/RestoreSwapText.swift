import Backups
import Operations

/// A number of bytes for people.
enum SizeText {
  /// `8.2 MB`, in powers of 1024 as `pg_size_pretty` has them.
  static func text(_ bytes: Int64) -> String {
    var value = Double(bytes)
    for unit in ["bytes", "kB", "MB", "GB", "TB"] {
      if value < 1024 || unit == "TB" {
        if unit == "bytes" { return "\(bytes) bytes" }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(unit)"
      }
      value /= 1024
    }
    return "\(bytes) bytes"
  }
}

extension KeptDatabase {
  /// `3 h 12 min`.
  var age: String {
    switch secondsAgo {
    case ..<120: "\(secondsAgo) s"
    case ..<7200: "\(secondsAgo / 60) min"
    case ..<172_800: "\(secondsAgo / 3600) h \(secondsAgo % 3600 / 60) min"
    default: "\(secondsAgo / 86400) days"
    }
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
        kept.name, kept.size.map(SizeText.text) ?? "?", String(kept.mark.at.prefix(19)) + "Z", kept.age,
        kept.isHalfDropped ? "half dropped" : kept.mark.reason == .restored ? "restore" : "undo",
        kept.mark.backup ?? "-", String(kept.sessions),
      ])
    }
    return Terminal.printable(table.text(style: style))
  }
}
