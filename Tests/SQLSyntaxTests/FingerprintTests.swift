import SQLSyntax
import Testing

private func fingerprint(_ text: String) throws -> [UInt8] {
  try SQLScript.tokenFingerprintInput(SourceText(text))
}

@Suite struct FingerprintTests {
  @Test(arguments: [
    ("select 1", "SELECT\n\t1"), ("select 1", "select 1;"), ("select 1;", ";;select 1;;;"),
    ("select a.b from t", "Select A . B From T -- comment"), ("select 1", "/* a /* b */ c */ select/**/1"),
    ("select 1;\nselect 2", "select 1;select 2"), ("select 1;\r\nselect 2\r\n", "select 1;\nselect 2\n"),
    ("create table T (A int)", "CREATE TABLE t(a INT)"), ("select f(1,2)", "select f ( 1 , 2 )"),
    ("selec  x", "SELEC x"), ("", "-- nothing"), ("select a+b", "select a + b"),
    ("select 'x'::text", "select 'x' :: TEXT"), ("select 0xFF , 1_000", "select 0xFF, 1_000"),
    ("select U&'\\0041' , 1", "select U&'\\0041',1"), ("create table é (x int)", "CREATE TABLE é (X int)"),
  ])
  func `layout, comments and the case of words are cosmetic`(before: String, after: String) throws {
    #expect(try fingerprint(before) == fingerprint(after))
  }

  @Test(arguments: [
    ("select 1", "select 2"), ("select 'a'", "select 'A'"), ("select 'a b'", "select 'a  b'"),
    ("select \"a\"", "select \"A\""), ("select \"a\"", "select a"), ("select a, b", "select ab"),
    ("select a b", "select ab"), ("select 1 + 2", "select 1 - 2"), ("select 'ab'", "select 'a' 'b'"),
    ("select 'a'\n'b'", "select 'ab'"), ("select E'a'", "select 'a'"), ("select B'1'", "select X'1'"),
    ("select U&'a'", "select 'a'"), ("select $$a$$", "select 'a'"), ("select $$a -- x\n$$", "select $$a\n$$"),
    ("select $a$x$a$", "select $b$x$b$"), ("select 1; select 2", "select 1 select 2"),
    ("select a.b", "select a . b . c"), ("select - -1", "select 1"), ("select 0xFF", "select 0xFE"),
    ("select 1_000", "select 1000"), ("select a = b", "select a <> b"), ("select é", "select É"),
    ("select '1:a'", "select '1:' a"), ("select U&'\\0041'", "select U&'\\0042'"),
    ("select U&\"a\"", "select U&\"b\""),
    (
      "create function f() language sql as $$ select 1 /* x */ $$",
      "create function f() language sql as $$ select 1 $$"
    ),
  ])
  func `every other change is of substance`(before: String, after: String) throws {
    #expect(try fingerprint(before) != fingerprint(after))
  }

  @Test func `tokens are written with their lengths`() throws {
    #expect(try fingerprint("SELECT 'é' -- x\n, \"A\"") == Array("6:select4:'é'1:,3:\"A\"1:;".utf8))
  }

  @Test func `a text the scanner refuses has no fingerprint`() {
    #expect(throws: SQLSyntaxError.self) { try fingerprint("select 'x") }
    #expect(throws: SQLSyntaxError.self) { try fingerprint("\\i x") }
  }
}
