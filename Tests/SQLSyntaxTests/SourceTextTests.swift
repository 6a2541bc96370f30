import SQLSyntax
import Testing

@Suite struct SourceTextTests {
  @Test(arguments: [
    ("a\nb", 2, 2, 1), ("a\r\nb", 3, 2, 1), ("a\rb", 2, 2, 1), ("a\r\r\nb", 4, 3, 1), ("ab", 2, 1, 3),
    ("", 0, 1, 1), ("\n", 1, 2, 1), ("\tx", 1, 1, 2), ("é😀x", 6, 1, 3), ("é😀x", 4, 1, 2), ("ab", 99, 1, 3),
    ("ab", -1, 1, 1),
  ])
  func `a byte offset has a line and a column in characters`(
    text: String, offset: Int, line: Int, column: Int
  ) {
    let position = SourceText(text).position(at: offset)
    #expect(position.line == line)
    #expect(position.column == column)
  }

  @Test func `columns are right far into a very long line`() {
    let source = SourceText("x\n" + String(repeating: "é", count: 10_000) + "!")
    #expect(source.position(at: 2 + 20_000).column == 10_001)
    #expect(source.position(at: 2 + 20_000).line == 2)
    #expect(source.position(at: 2 + 2 * 5_000).column == 5_001)
  }

  @Test func `a position that the server counts in characters is found in the file`() {
    let source = SourceText("-- ü\nselect 'é😀', nope")
    let statement = 6
    let position = source.position(ofCharacter: 14, from: statement)
    #expect(position.line == 2)
    #expect(position.column == 14)
    #expect(source.text(in: position.byteOffset..<source.utf8.count) == "nope")
  }

  @Test func `a byte order mark is dropped and not counted`() {
    let source = SourceText(utf8: [0xEF, 0xBB, 0xBF] + Array("select 1".utf8))
    #expect(source.text == "select 1")
    #expect(source.position(at: 7).column == 8)
  }

  @Test func `lines come without their ends`() {
    let source = SourceText("a\r\nb\n\nc")
    #expect(source.lineCount == 4)
    #expect((1...5).map(source.line) == ["a", "b", "", "c", ""])
    #expect(source.line(0) == "")
  }

  @Test(arguments: [
    ("select x frm t", 9, "select x frm t\n         ^"),
    ("\tx\ty", 3, "\tx\ty\n\t \t^"),
    ("'漢字' x", 9, "'漢字' x\n       ^"),
    ("'e\u{301}' x", 6, "'e\u{301}' x\n    ^"),
    ("'😀' x", 7, "'😀' x\n     ^"),
    ("ab", 2, "ab\n  ^"),
    ("", 0, "\n^"),
    ("a\nbc\nd", 3, "bc\n ^"),
    ("a\u{1B}[2Jb", 5, "a\u{FFFD}[2Jb\n     ^"),
    ("a\u{202E}b", 4, "a\u{FFFD}b\n  ^"),
  ])
  func `an excerpt puts the caret under the character`(text: String, offset: Int, expected: String) {
    let source = SourceText(text)
    #expect(source.excerpt(at: source.position(at: offset)) == expected)
  }

  @Test(arguments: [0, 10, 4_000, 7_990, 8_000])
  func `an excerpt of a long line is a window around the caret`(offset: Int) throws {
    let source = SourceText(String(repeating: "abcdefgh", count: 1_000))
    let lines = source.excerpt(at: source.position(at: offset)).split(separator: "\n")
    try #require(lines.count == 2)
    #expect(lines[0].count <= 102)
    #expect(lines[0].count >= 60)
    #expect(lines[1].last == "^")
    let under = Array(lines[0])
    let column = lines[1].count - 1
    if offset < 8_000 {
      #expect(under[column] == Array("abcdefgh")[offset % 8])
    }
    #expect((lines[0].first == "…") == (offset > 100))
    #expect((lines[0].last == "…") == (offset < 7_900))
  }
}
