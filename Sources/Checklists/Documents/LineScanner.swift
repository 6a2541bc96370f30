/// Reads the beginning of one line: its indentation and what Markdown makes of the rest.
struct LineScanner {
  let bytes: [UInt8]
  let end: Int
  var place: Int
  /// Of `place`, counted from 0, a tab reaching to the next multiple of four.
  var column = 0

  init(_ bytes: [UInt8], _ line: DocumentLine) {
    self.bytes = bytes
    end = line.end
    place = line.start
  }

  var isAtEnd: Bool { place >= end }
  var next: UInt8? { place < end ? bytes[place] : nil }

  /// Skips blanks; returns how many columns they take.
  @discardableResult
  mutating func skipBlanks() -> Int {
    let before = column
    while let byte = next, byte == 0x20 || byte == 0x09 {
      column += byte == 0x09 ? 4 - column % 4 : 1
      place += 1
    }
    return column - before
  }

  mutating func advance(_ count: Int) {
    place += count
    column += count
  }

  /// Skips the marks of block quotes, which say nothing about items.
  mutating func skipQuoteMarks() {
    while true {
      var ahead = self
      guard ahead.skipBlanks() < 4, ahead.next == UInt8(ascii: ">") else { return }
      ahead.advance(1)
      if ahead.next == 0x20 { ahead.advance(1) }
      self = ahead
    }
  }

  func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { bytes[place..<end].starts(with: $0) }
  }

  /// How many of `byte` follow one another here.
  func run(of byte: UInt8) -> Int { bytes[place..<end].prefix { $0 == byte }.count }

  /// The length of a list item's mark here, and whether it is a number; nil where none is.
  func listMark() -> (length: Int, isNumbered: Bool)? {
    guard let byte = next else { return nil }
    let length: Int
    var isNumbered = false
    switch byte {
    case UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "+"): length = 1
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      let digits = bytes[place..<end].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
      guard digits <= 9, place + digits < end,
        [UInt8(ascii: "."), UInt8(ascii: ")")].contains(bytes[place + digits])
      else { return nil }
      (length, isNumbered) = (digits + 1, true)
    default: return nil
    }
    guard place + length >= end || Self.isBlank(bytes[place + length]) else { return nil }
    return (length, isNumbered)
  }

  /// The offset of a box's mark when a box and a blank stand here.
  func boxMark() -> Int? {
    guard place + 4 < end, bytes[place] == UInt8(ascii: "["), bytes[place + 2] == UInt8(ascii: "]"),
      Self.isBlank(bytes[place + 3]),
      [0x20, UInt8(ascii: "x"), UInt8(ascii: "X")].contains(bytes[place + 1]),
      bytes[(place + 4)..<end].contains(where: { !Self.isBlank($0) })
    else { return nil }
    return place + 1
  }

  /// The level of a heading that begins here.
  func headingLevel() -> Int? {
    let count = run(of: UInt8(ascii: "#"))
    guard (1...6).contains(count), place + count >= end || Self.isBlank(bytes[place + count]) else {
      return nil
    }
    return count
  }

  /// The mark and length of a code fence that begins here.
  func fence() -> (mark: UInt8, length: Int)? {
    guard let mark = next, mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~") else { return nil }
    let length = run(of: mark)
    guard length >= 3 else { return nil }
    if mark == UInt8(ascii: "`"), bytes[(place + length)..<end].contains(mark) { return nil }
    return (mark, length)
  }

  /// Whether the rest ends a fence of this kind.
  func closesFence(_ fence: (mark: UInt8, length: Int)) -> Bool {
    let length = run(of: fence.mark)
    return length >= fence.length && bytes[(place + length)..<end].allSatisfy(Self.isBlank)
  }

  /// The level that a line of `=` or `-` gives to the paragraph above it.
  func underlineLevel() -> Int? {
    guard let mark = next, mark == UInt8(ascii: "=") || mark == UInt8(ascii: "-") else { return nil }
    guard bytes[(place + run(of: mark))..<end].allSatisfy(Self.isBlank) else { return nil }
    return mark == UInt8(ascii: "=") ? 1 : 2
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
