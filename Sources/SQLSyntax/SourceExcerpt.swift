extension SourceText {
  /// The source line of a position and, below it, a caret under the character: two lines joined by LF.
  ///
  /// Tabs are copied into the caret line, so that the caret stands right whatever the tab width; wide
  /// characters take two columns and combining ones none. A long line is cut to about `columns` columns
  /// around the caret, with `…` where something was left out. Control characters and the marks that
  /// reorder text are shown as U+FFFD, because a source file must not command the terminal.
  public func excerpt(at position: SourcePosition, columns: Int = 100) -> String {
    guard let range = byteRange(ofLine: position.line) else { return "\n^" }
    let caret = max(range.lowerBound, min(position.byteOffset, range.upperBound))
    // Four bytes a character at most: reading this much always fills the window.
    let reach = columns * 4 + 4
    let before = cells(in: characterBoundary(max(range.lowerBound, caret - reach))..<caret)
    let after = cells(in: caret..<characterBoundary(min(range.upperBound, caret + reach)))

    let complete = before.width + after.width <= columns
    let wholeBefore = caret - reach <= range.lowerBound
    let leftBudget = complete ? columns : max(columns * 6 / 10, columns - after.width)
    let left = before.suffix(width: leftBudget)
    let right = after.prefix(width: columns - left.width)

    let cutLeft = left.count < before.count || !wholeBefore
    let cutRight = right.count < after.count || caret + reach < range.upperBound
    var source = cutLeft ? "…" : ""
    var pointer = cutLeft ? " " : ""
    for cell in left.cells {
      source.unicodeScalars.append(cell.shown)
      if cell.shown == "\t" {
        pointer.append("\t")
      } else {
        pointer.append(String(repeating: " ", count: cell.width))
      }
    }
    for cell in right.cells { source.unicodeScalars.append(cell.shown) }
    return source + (cutRight ? "…" : "") + "\n" + pointer + "^"
  }

  private func characterBoundary(_ offset: Int) -> Int {
    var offset = offset
    while offset > 0, offset < utf8.count, utf8[offset] & 0xC0 == 0x80 { offset -= 1 }
    return offset
  }

  private func cells(in range: Range<Int>) -> CellRow {
    guard !range.isEmpty else { return CellRow(cells: []) }
    return CellRow(cells: text(in: range).unicodeScalars.map(Cell.init))
  }
}

/// A character as a terminal shows it.
private struct Cell {
  let shown: Unicode.Scalar
  let width: Int

  init(_ scalar: Unicode.Scalar) {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .control where scalar != "\t", .lineSeparator, .paragraphSeparator, .surrogate:
      shown = "\u{FFFD}"
      width = 1
    case .format where Self.reordersText(scalar):
      shown = "\u{FFFD}"
      width = 1
    case .nonspacingMark, .enclosingMark, .format:
      shown = scalar
      width = 0
    default:
      shown = scalar
      width = scalar == "\t" ? 8 : (properties.isEmojiPresentation || Self.isWide(scalar) ? 2 : 1)
    }
  }

  private static func reordersText(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x200E, 0x200F, 0x061C, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  /// The blocks of Unicode's East Asian Width W and F, without the emoji, which have a property of their own.
  private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x17000...0x18CFF,
      0x1B000...0x1B2FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }
}

private struct CellRow {
  let cells: [Cell]
  let width: Int

  init(cells: [Cell]) {
    self.cells = cells
    width = cells.reduce(0) { $0 + $1.width }
  }

  var count: Int { cells.count }

  func prefix(width limit: Int) -> CellRow {
    var used = 0
    return CellRow(
      cells: Array(
        cells.prefix { cell in
          used += cell.width
          return used <= limit
        }))
  }

  func suffix(width limit: Int) -> CellRow {
    var used = 0
    var start = cells.count
    while start > 0, used + cells[start - 1].width <= limit {
      start -= 1
      used += cells[start].width
    }
    return CellRow(cells: Array(cells[start...]))
  }
}
