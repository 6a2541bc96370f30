import SQLSyntax
import Testing

@Suite struct SyntaxErrorTests {
  static let unterminated: [(String, SQLSyntaxError.Reason, String)] = [
    ("select 1;\nselect 'é😀;\nselect 2;", .unterminatedString, "2:8"),
    ("select E'a\\'", .unterminatedString, "1:8"),
    ("select '😀', 'x", .unterminatedString, "1:13"),
    ("select 1;\r\n\tselect $a$ ; $b$ ; $A$", .unterminatedDollarQuote, "2:9"),
    ("do $$ begin null; end", .unterminatedDollarQuote, "1:4"),
    ("select \"é ; ", .unterminatedIdentifier, "1:8"),
    ("select 1; /* é /* */ ; ", .unterminatedComment, "1:11"),
    ("select U&'a", .unterminatedString, "1:8"),
    ("select U&\"a", .unterminatedIdentifier, "1:8"),
    ("selec 1; select 'x", .unterminatedString, "1:17"),
  ]

  @Test(arguments: unterminated)
  func `what is never closed is reported where it opens`(
    text: String, reason: SQLSyntaxError.Reason, place: String
  ) {
    let error = #expect(throws: SQLSyntaxError.self) { try script(text) }
    #expect(error?.reason == reason)
    #expect(error?.position.description == place)
    #expect(error?.message.contains("\n") == false)
    #expect(error?.message.contains("at or near") == false)
  }

  static let invalid: [(String, SQLSyntaxError.Reason, String)] = [
    ("select E'\\uD83D'", .invalidToken, "1:16"),
    ("select 12abc", .invalidToken, "1:8"),
    ("select 'é', 0x", .invalidToken, "1:13"),
    ("select 1__0", .invalidToken, "1:8"),
    ("select 1_", .invalidToken, "1:8"),
    ("select 0b12", .invalidToken, "1:8"),
    ("select 0xFFg", .invalidToken, "1:8"),
    ("select 1;\nselect '\u{0}'", .nulByte, "2:9"),
    ("\u{0}", .nulByte, "1:1"),
  ]

  @Test(arguments: invalid)
  func `what no scanner accepts is an error with its place`(
    text: String, reason: SQLSyntaxError.Reason, place: String
  ) {
    let error = #expect(throws: SQLSyntaxError.self) { try script(text) }
    #expect(error?.reason == reason)
    #expect(error?.position.description == place)
  }

  @Test func `bytes that are not UTF-8 are an error with their place`() {
    let source = SourceText(utf8: Array("select 'é".utf8) + [0xFF] + Array("'".utf8))
    let error = #expect(throws: SQLSyntaxError.self) { try SQLScript.parse(source) }
    #expect(error?.reason == .invalidUTF8)
    #expect(error?.position.description == "1:10")
  }

  static let psql: [(String, SQLSyntaxError.Reason, String)] = [
    ("select 1;\n\\i other.sql\nselect 2;", .psqlMetaCommand("i"), "2:1"),
    ("\\restrict abc\nselect 1;", .psqlMetaCommand("restrict"), "1:1"),
    ("-- ñ\n  \\set x 'unbalanced\n", .psqlMetaCommand("set"), "2:3"),
    ("\\echo it's\nselect 1", .psqlMetaCommand("echo"), "1:1"),
    ("select 'é' \\gset", .psqlMetaCommand("gset"), "1:12"),
    ("\\c db", .psqlMetaCommand("c"), "1:1"),
    ("\\d+ t", .psqlMetaCommand("d+"), "1:1"),
    ("\\! rm", .psqlMetaCommand("!"), "1:1"),
    ("create table t (a int);\ncopy t from stdin;\n1\tit's\n\\.\n", .copyFromStdin, "2:1"),
    ("COPY public.t (a, b) FROM STDIN WITH (format csv);", .copyFromStdin, "1:1"),
    ("copy t from stdin;\n1\\2\n\\.", .copyFromStdin, "1:1"),
  ]

  @Test(arguments: psql)
  func `what only psql understands is an error that says so`(
    text: String, reason: SQLSyntaxError.Reason, place: String
  ) {
    let error = #expect(throws: SQLSyntaxError.self) { try script(text) }
    #expect(error?.reason == reason)
    #expect(error?.position.description == place)
    #expect(error?.hint?.isEmpty == false)
  }

  @Test(arguments: [
    "select '\\i x'", "select $$\n\\i x\n$$", "-- \\i x\nselect 1", "/*\n\\i x\n*/ select 1",
    "select \"\\i\"",
    "select 'a\\'", "copy t to stdout", "copy t from '/f'", "copy (select * from stdin) to '/f'",
    "select stdin from stdin", "copy t from program 'x'",
  ])
  func `a backslash or stdin elsewhere is no psql input`(text: String) throws {
    #expect(try script(text).statements.count == 1)
  }

  @Test func `an unterminated string in the middle of a big file costs no copy of it in the message`() {
    let text = "select 'x;\n" + String(repeating: "select 1;\n", count: 10_000)
    let error = #expect(throws: SQLSyntaxError.self) { try script(text) }
    #expect(error?.message == "unterminated quoted string")
  }
}
