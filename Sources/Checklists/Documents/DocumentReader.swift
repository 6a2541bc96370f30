/// Reads a document line by line.
///
/// Source: CommonMark 0.31 and GitHub Flavored Markdown, as far as they say where an item, a heading, code and a
/// comment are.
struct DocumentReader {
  private let bytes: [UInt8]
  private let source: DocumentPlace
  private(set) var items: [ChecklistItem] = []
  private(set) var marks: [Int: Int] = [:]

  private var headings: [(level: Int, text: String)] = []
  private var fence: (mark: UInt8, length: Int)?
  /// Where the contents of the list around the fence begin: a line further left ends both.
  private var fenceColumn = 0
  /// Behind the end of a comment that goes on beyond its line.
  private var commentEnd = 0
  /// Where the contents of the lists around begin.
  private var listColumns: [Int] = []
  /// A paragraph that a line below it may make a heading.
  private var paragraph: (text: String, line: Int)?
  /// The item whose words, or whose binding, the next line may hold.
  private var open: OpenItem?

  private struct OpenItem {
    let line: Int
    let offset: Int
    let hasBox: Bool
    let isTicked: Bool
    var text: String
    var lastLine: Int
    var binding: ProbeCall?
  }

  init(_ bytes: [UInt8], path: String) {
    self.bytes = bytes
    source = DocumentPlace(bytes: bytes, path: path)
  }

  mutating func read(_ line: DocumentLine, number: Int) throws(ChecklistError) {
    // A comment ends its line as well: what stands behind it there belongs to it.
    guard line.start >= commentEnd else { return }
    var scanner = LineScanner(bytes, line)
    scanner.skipQuoteMarks()
    let indentation = scanner.skipBlanks()
    if let fence {
      guard !scanner.isAtEnd, scanner.column < fenceColumn else {
        if indentation - fenceColumn < 4, scanner.closesFence(fence) { self.fence = nil }
        return
      }
      self.fence = nil
    }
    guard !scanner.isAtEnd else {
      try close()
      paragraph = nil
      return
    }
    while let column = listColumns.last, scanner.column < column { listColumns.removeLast() }
    // Code, or a further line of a paragraph.
    let isIndented = scanner.column - (listColumns.last ?? 0) >= 4
    let rest = scanner.place..<bytes.count
    if InlineText.isComment(bytes, rest), !isIndented || open != nil {
      // One that does not end hides all that follows.
      try readComment(rest.lowerBound..<(InlineText.commentEnd(bytes, rest) ?? bytes.count), line: number)
      return
    }
    guard !isIndented else {
      try continueText(scanner, line: number)
      return
    }
    if let fence = scanner.fence() {
      try close()
      paragraph = nil
      self.fence = fence
      fenceColumn = listColumns.last ?? 0
    } else if let level = scanner.headingLevel() {
      try close()
      scanner.advance(level)
      heading(level, headingText(scanner))
    } else if let paragraph, paragraph.line == number - 1, listColumns.isEmpty,
      let level = scanner.underlineLevel()
    {
      heading(level, paragraph.text)
    } else if scanner.listMark() != nil, !isThematicBreak(scanner) {
      try close()
      paragraph = nil
      try listItem(&scanner, line: number)
    } else {
      try continueText(scanner, line: number)
    }
  }

  mutating func finish() throws(ChecklistError) { try close() }

  private mutating func heading(_ level: Int, _ text: String) {
    while let last = headings.last, last.level >= level { headings.removeLast() }
    headings.append((level, text))
    listColumns = []
    paragraph = nil
  }

  private func headingText(_ scanner: LineScanner) -> String {
    var text = InlineText(bytes, scanner.place..<scanner.end).text[...]
    if let last = text.split(separator: " ").last, last.allSatisfy({ $0 == "#" }) {
      text = text.dropLast(last.count)
      while text.last == " " { text.removeLast() }
    }
    return String(text)
  }

  private func isThematicBreak(_ scanner: LineScanner) -> Bool {
    guard let mark = scanner.next, mark == UInt8(ascii: "-") || mark == UInt8(ascii: "*") else {
      return false
    }
    let rest = bytes[scanner.place..<scanner.end].filter { !LineScanner.isBlank($0) }
    return rest.count >= 3 && rest.allSatisfy { $0 == mark }
  }

  private var phase: ChecklistPhase {
    headings.reversed().lazy.compactMap { ChecklistPhase(heading: $0.text) }.first ?? .pre
  }

  private mutating func listItem(_ scanner: inout LineScanner, line: Int) throws(ChecklistError) {
    var isNumbered = false
    while let mark = scanner.listMark() {
      isNumbered = mark.isNumbered
      scanner.advance(mark.length)
      let markEnd = scanner.column
      let blanks = scanner.skipBlanks()
      listColumns.append(blanks > 4 || scanner.isAtEnd ? markEnd + 1 : scanner.column)
      // Code, or nothing.
      guard (1...4).contains(blanks), !scanner.isAtEnd else { return }
    }
    let mark = scanner.boxMark()
    // The steps of a plan, not what is listed below one of them.
    let isStep = mark == nil && isNumbered && listColumns.count == 1 && phase == .rollback
    guard mark != nil || isStep else { return }
    if mark != nil { scanner.advance(3) }
    let inline = InlineText(bytes, scanner.place..<scanner.end)
    open = OpenItem(
      line: line, offset: scanner.place, hasBox: mark != nil,
      isTicked: mark.map { bytes[$0] != 0x20 } ?? false, text: inline.text, lastLine: line)
    if let mark { marks[line] = mark }
    for comment in inline.comments { try bind(comment) }
  }

  private mutating func continueText(_ scanner: LineScanner, line: Int) throws(ChecklistError) {
    let inline = InlineText(bytes, scanner.place..<scanner.end)
    if let item = open, item.lastLine != line - 1 { try close() }
    for comment in inline.comments { try bind(comment) }
    if open != nil {
      if !inline.text.isEmpty { open?.text += " " + inline.text }
      open?.lastLine = line
    } else if paragraph?.line == line - 1, let text = paragraph?.text {
      paragraph = (text + " " + inline.text, line)
    } else {
      paragraph = (inline.text, line)
    }
  }

  private mutating func readComment(_ range: Range<Int>, line: Int) throws(ChecklistError) {
    commentEnd = range.upperBound
    paragraph = nil
    if let item = open, item.lastLine != line - 1 { try close() }
    try bind(range)
    try close()
  }

  /// Takes a comment's binding for the item above it, if it is one.
  private mutating func bind(_ comment: Range<Int>) throws(ChecklistError) {
    guard let call = try BindingReader(bytes, comment, source).read() else { return }
    guard let item = open else {
      throw source.error(
        "the binding belongs to no item", at: comment.lowerBound,
        hint: "put it on the line of an item, or on the line below")
    }
    guard item.binding == nil else {
      throw source.error(
        "the item on line \(item.line) has a second binding", at: comment.lowerBound, hint: "keep one of them"
      )
    }
    open?.binding = call
  }

  private mutating func close() throws(ChecklistError) {
    guard let item = open else { return }
    open = nil
    items.append(
      ChecklistItem(
        line: item.line, text: item.text, phase: phase, headings: headings.map(\.text), hasBox: item.hasBox,
        isTicked: item.isTicked, binding: item.binding))
  }
}
