/// The difference of two texts, as `diff -u` shows it.
public enum UnifiedDiff {
  private enum Edit {
    case keep(Substring)
    case remove(Substring)
    case add(Substring)
  }

  /// Empty where the texts are equal. Lines are compared; a missing line end at the end is shown.
  ///
  /// - Parameters:
  ///   - oldName: of the first text, as in the header.
  ///   - newName: of the second.
  public static func text(_ old: String, _ new: String, oldName: String, newName: String) -> String {
    guard old != new else { return "" }
    let (before, after) = (lines(old), lines(new))
    var output = ["--- \(oldName)", "+++ \(newName)"]
    for hunk in hunks(edits(before, after)) { output += hunk }
    return output.joined(separator: "\n") + "\n"
  }

  private static func lines(_ text: String) -> [Substring] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" {
      lines.removeLast()
    } else if let last = lines.popLast() {
      lines.append(last + "\n\\ No newline at end of file")
    }
    return lines
  }

  private static func edits(_ old: [Substring], _ new: [Substring]) -> [Edit] {
    let difference = new.difference(from: old)
    var removed: Set<Int> = []
    var added: Set<Int> = []
    for change in difference {
      switch change {
      case .remove(let offset, _, _): removed.insert(offset)
      case .insert(let offset, _, _): added.insert(offset)
      }
    }
    var edits: [Edit] = []
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      if removed.contains(i), i < old.count {
        edits.append(.remove(old[i]))
        i += 1
      } else if added.contains(j), j < new.count {
        edits.append(.add(new[j]))
        j += 1
      } else if i < old.count, j < new.count {
        edits.append(.keep(old[i]))
        (i, j) = (i + 1, j + 1)
      } else {
        break
      }
    }
    return edits
  }

  private static let context = 3

  private static func hunks(_ edits: [Edit]) -> [[String]] {
    let changed = edits.indices.filter { if case .keep = edits[$0] { false } else { true } }
    var ranges: [Range<Int>] = []
    for index in changed {
      let range = max(0, index - context)..<min(edits.count, index + context + 1)
      if let last = ranges.last, range.lowerBound <= last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    var (line, newLine, at) = (1, 1, 0)
    var hunks: [[String]] = []
    for range in ranges {
      for edit in edits[at..<range.lowerBound] {
        // Between hunks everything is kept.
        if case .keep = edit { (line, newLine) = (line + 1, newLine + 1) }
      }
      var body: [String] = []
      var (oldCount, newCount) = (0, 0)
      for edit in edits[range] {
        switch edit {
        case .keep(let text):
          body.append(" \(text)")
          (oldCount, newCount) = (oldCount + 1, newCount + 1)
        case .remove(let text):
          body.append("-\(text)")
          oldCount += 1
        case .add(let text):
          body.append("+\(text)")
          newCount += 1
        }
      }
      func place(_ start: Int, _ count: Int) -> String {
        count == 1 ? "\(start)" : "\(count == 0 ? start - 1 : start),\(count)"
      }
      hunks.append(["@@ -\(place(line, oldCount)) +\(place(newLine, newCount)) @@"] + body)
      (line, newLine, at) = (line + oldCount, newLine + newCount, range.upperBound)
    }
    return hunks
  }
}
