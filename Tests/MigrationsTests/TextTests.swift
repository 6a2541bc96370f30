import SQLSyntax
import Testing

@testable import Migrations

@Suite struct `Normalised text` {
  @Test(
    arguments: [
      ([], ""), (Array("a\nb".utf8), "a\nb"), (Array("a\r\nb\r\n".utf8), "a\nb\n"),
      (Array("a\rb\r".utf8), "a\nb\n"),
      (Array("a\r\r\nb\n\r".utf8), "a\n\nb\n\n"), ([0xEF, 0xBB, 0xBF] + Array("ñ".utf8), "ñ"),
      ([0xEF, 0xBB, 0xBF], ""),
      (Array("a\u{FEFF}b".utf8), "a\u{FEFF}b"), (Array("\u{2028}".utf8), "\u{2028}"),
    ] as [([UInt8], String)])
  func `has no mark and only line feeds`(bytes: [UInt8], text: String) throws {
    #expect(try Array(NormalizedText.decode(bytes).utf8) == Array(text.utf8))
  }

  @Test(
    arguments: [
      ([0x61, 0], "contains a NUL byte", 1, 2), ([0x61, 0x0A, 0xFF], "is not valid UTF-8", 2, 1),
      ([0xC3], "is not valid UTF-8", 1, 1),
      ([0xEF, 0xBB, 0xBF, 0x0A, 0xED, 0xA0, 0x80], "is not valid UTF-8", 2, 1),
      ([0xFF, 0xFE], "is encoded as UTF-16, not UTF-8", 1, 1),
      ([0xFE, 0xFF, 0], "is encoded as UTF-16, not UTF-8", 1, 1),
      ([0, 0, 0xFE, 0xFF], "is encoded as UTF-32, not UTF-8", 1, 1),
      ([0xF5, 0x80, 0x80, 0x80], "is not valid UTF-8", 1, 1),
    ] as [([UInt8], String, Int, Int)])
  func `of bytes that are no text is refused at the first of them`(
    bytes: [UInt8], reason: String, line: Int, column: Int
  ) throws {
    let refusal = try #require(throws: NormalizedText.Refusal.self) { try NormalizedText.decode(bytes) }
    #expect(refusal.reason == reason && refusal.line == line && refusal.column == column, "\(refusal)")
  }
}

@Suite struct `Checksums` {
  @Test func `are SHA-256 with the name of the algorithm`() {
    // From FIPS 180-2, appendix B.1, and the well-known hash of nothing.
    #expect(
      Checksum(ofText: "abc").description
        == "sha256-lf-v1:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(Checksum(ofText: "").value == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test(arguments: ["sha256-lf-v1:00ff", "other:x", "a:b:c"])
  func `are read back as they were written`(text: String) {
    #expect(Checksum(text)?.description == text)
  }

  @Test(arguments: ["", "abc", ":abc"])
  func `without a name are none`(text: String) { #expect(Checksum(text) == nil) }

  private func tokens(_ text: String) throws -> String { try Checksum(ofTokens: SourceText(text)).value }

  @Test(arguments: [
    ("select 1;", "select  1 ;\n"), ("select 1;", "-- c\nselect /* d */ 1;"),
    ("select a from b", "select\n\ta\nfrom b"),
  ])
  func `of tokens are the same for the same statements`(left: String, right: String) throws {
    #expect(try tokens(left) == tokens(right))
  }

  @Test(arguments: [
    ("select 1", "select 2"), ("select 'a'", "select 'a '"), ("select $$a$$", "select $$a -- b$$"),
    ("select a", "select \"A\""),
    ("select ab", "select a b"), ("select 1; select 2", "select 2; select 1"), ("select '--'", "select ''"),
  ])
  func `of tokens differ where a statement does`(left: String, right: String) throws {
    #expect(try tokens(left) != tokens(right))
  }
}

@Suite struct `Durations` {
  @Test(
    arguments: [
      ("0", 0), ("500ms", 500), ("2s", 2000), ("5min", 300_000), ("1h", 3_600_000), ("1d", 86_400_000),
      ("0s", 0),
      ("2147483647ms", 2_147_483_647),
    ] as [(String, Int64)])
  func `are read with their unit`(text: String, milliseconds: Int64) {
    #expect(Duration(settingText: text)?.milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "1", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1m", "2147483648ms", "99999999999999999999s", "25d",
    "٣s", "1ss",
  ])
  func `without one, or too long, are refused`(text: String) { #expect(Duration(settingText: text) == nil) }
}

@Suite struct `The nearest word` {
  @Test(arguments: [
    ("requries", "requires"), ("verison", "version"), ("lock-timeuot", "lock-timeout"), ("a", "b"),
  ])
  func `is suggested when little differs`(word: String, nearest: String) {
    #expect(EditDistance.nearest(to: word, in: ["requires", "version", "lock-timeout", "b"]) == nearest)
  }

  @Test func `is not suggested when much differs`() {
    #expect(EditDistance.nearest(to: "frobnicate", in: ["requires", "version"]) == nil)
    #expect(EditDistance.nearest(to: "x", in: []) == nil)
  }

  @Test func `is the first by name among equals`() {
    #expect(EditDistance.nearest(to: "ab", in: ["ac", "aa", "ad"]) == "aa")
  }

  @Test(arguments: [
    ("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("año", "ano", 1), ("abc", "abc", 0),
  ])
  func `counts insertions, deletions and replacements`(left: String, right: String, distance: Int) {
    #expect(EditDistance.distance(left, right) == distance)
    #expect(EditDistance.distance(right, left) == distance)
  }
}

@Suite struct `A pattern with asterisks` {
  @Test(arguments: [
    ("cron.job", "cron.job"), ("cron.job", "cron.*"), ("cron.job", "*job"), ("cron.job", "*"), ("", "*"),
    ("", ""), ("cron.job", "c*n.*b"),
    ("aaa", "a*a"), ("aa", "a*a"), ("abcabc", "*bc*c"), ("table public.año", "*año"), ("a*b", "a*b"),
    ("abab", "ab*ab"),
  ])
  func `matches`(text: String, pattern: String) { #expect(Wildcard.matches(text, pattern: pattern)) }

  @Test(arguments: [
    ("cron.job", "cron"), ("cron.job", "job"), ("a", "a*a"), ("cron.job", "Cron.*"), ("cron.job", ""),
    ("abc", "*b"), ("abc", "b*"),
    ("ab", "a?"), ("a.b", "a*c*b"), ("aba", "ab*ba"),
  ])
  func `does not match`(text: String, pattern: String) { #expect(!Wildcard.matches(text, pattern: pattern)) }
}

@Suite struct `A place in a file` {
  @Test func `is shown with a caret under the column`() {
    let source = SourceText("select 1;\nselect año, nosuch;\n")
    #expect(source.excerpt(line: 2, column: 13) == "select año, nosuch;\n            ^")
    #expect(source.excerpt(line: 1, column: 1) == "select 1;\n^")
    #expect(source.excerpt(line: 9, column: 1).isEmpty)
    #expect(SourceLocation(path: "a.sql", line: 2, column: 13).description == "a.sql:2:13")
  }
}
