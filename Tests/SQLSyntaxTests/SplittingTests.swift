import SQLSyntax
import Testing

/// A statement of no PostgreSQL: makes the whole text unknown to the grammar, so that statements are parsed
/// one by one.
private let unknown = "selec 1"

@Suite struct SplittingTests {
  /// Texts that are one statement each, with what leads other splitters astray.
  static let single = [
    "select 1",
    "select ';', E'\\';', \";\", $$;$$, $a$;$b$;$$;$a$, U&'\\003b;', B'01', N';'",
    "select $a$ one $b$ ; $b$ two; $a$",
    "select /* ; /* ; */ ; */ 1 -- ; \n + 1",
    "select 'it''s; fine'",
    "select 'a\\'",
    "select 'a;'\n'b;'",
    "select E'a\\\nb;\\''",
    "create function f() returns int begin atomic select 1; select 2; end",
    "create or replace function f() returns int begin atomic select case when true then 1 else 2 end; select 3; end",
    "create procedure p() begin atomic insert into t values (1); insert into u values (';'); end",
    "create function f() returns int language sql begin atomic select 1 as \"end\"; select 2 as end; select t.end from t; end",
    "create function f() returns int begin atomic select 1 end; select 2; end",
    "create function f() returns int begin atomic select 1 case; select 2; end",
    "create function f() returns int language plpgsql as $f$ begin perform 1; return 2; end; $f$",
    "create function f() returns int language plpgsql as $f$ begin execute $q$ select ';' $q$; end; $f$",
    "create function atomic() returns int language sql as 'select 1;'",
    "create function f(atomic int) returns int return atomic",
    "create table atomic (begin_atomic int, atomic text default ';')",
    "select atomic from non_atomic",
    "create rule r as on insert to t do also (insert into a values (1); insert into b values (2))",
    "create rule r as on delete to t do instead (delete from a; delete from b;)",
    "do $$ begin raise notice ';'; end $$",
    "do $x$ declare a text := $y$;$y$; begin null; end; $x$",
    "create table t (a text default $$;$$, check (a <> ';'))",
    "insert into t values ('1;2'), ($$3;4$$)",
    "comment on table t is 'a; b'",
    "select 1 as \"a;b\"\"c;\"",
    "with x as (select ';') select * from x",
    "select '\\', ';' ",
  ]

  @Test(arguments: single)
  func `a semicolon inside a statement does not end it`(text: String) throws {
    let trimmed = text.hasSuffix(" ") ? String(text.dropLast()) : text
    #expect(try statements(text) == [trimmed])
    #expect(try statements(text + ";") == [trimmed])
    #expect(try statements(text + "; select 2;") == [trimmed, "select 2"])
  }

  @Test(arguments: single)
  func `it does not either when another statement is unknown to the grammar`(text: String) throws {
    let trimmed = text.hasSuffix(" ") ? String(text.dropLast()) : text
    let parsed = try script("\(unknown);\n\(text);\n\(unknown); select 3; \(unknown)")
    #expect(parsed.statements.map(\.text) == [unknown, trimmed, unknown, "select 3", unknown])
    #expect(parsed.statements.map(\.isAnalysed) == [false, true, false, true, false])
  }

  @Test(arguments: [
    "", " ", "\n\r\n\t", "-- only a comment", "/* a /* b */ c */", ";;;", " ; -- x\n ;", "\u{FEFF}",
  ])
  func `a text without statements has none`(text: String) throws {
    #expect(try statements(text).isEmpty)
  }

  @Test func `empty statements are left out`() throws {
    #expect(try statements(";; select 1;; ; select 2 ;") == ["select 1", "select 2"])
  }

  @Test func `a statement starts and ends at its own tokens`() throws {
    let text = "-- head\n  /* c */ select 1 -- tail\n ; \n\n  select 'é'/* x */;\r\nselect\r\n3\r\n-- end"
    let parsed = try script(text)
    #expect(parsed.statements.map(\.text) == ["select 1", "select 'é'", "select\r\n3"])
    #expect(parsed.statements.map(\.start.description) == ["2:11", "5:3", "6:1"])
    for statement in parsed.statements {
      #expect(parsed.source.text(in: statement.byteRange) == statement.text)
      #expect(parsed.source.position(at: statement.byteRange.lowerBound) == statement.start)
    }
  }

  @Test func `a unicode escaped constant belongs to its statement to the end`() throws {
    #expect(
      try statements(
        "select U&'d!0061t!0061' uescape '!'; select U&\"d\\0061ta\" ; \(unknown); select U&'\\0061';")
        == ["select U&'d!0061t!0061' uescape '!'", "select U&\"d\\0061ta\"", unknown, "select U&'\\0061'"])
  }

  @Test func `an unbalanced parenthesis does not swallow what follows`() throws {
    let parsed = try script("create table a (x int;\ncreate table b (y int);\nselect 1")
    #expect(parsed.statements.map(\.text) == ["create table a (x int", "create table b (y int)", "select 1"])
    #expect(parsed.statements.map(\.isAnalysed) == [false, true, true])
  }

  @Test func `a routine whose body is newer than the grammar stays whole`() throws {
    let routine = """
      create function f() returns int begin atomic
        merge into t using s on t.a = s.a when matched then delete returning t.a;
        select case when true then 1 else 2 end;
      end
      """
    let parsed = try script("\(routine); select 1")
    #expect(parsed.statements.map(\.text) == [routine, "select 1"])
    #expect(parsed.statements.map(\.isAnalysed) == [false, true])
  }

  @Test func `a statement without any keyword is not lost`() throws {
    let parsed = try script("select 1; foo; select 2; bar")
    #expect(parsed.statements.map(\.text) == ["select 1", "foo", "select 2", "bar"])
  }

  @Test func `the message and place of an unknown statement are kept`() throws {
    let parsed = try script("-- ñ\nselect 1;\n\tselect 'é😀' frm 😀 x y;")
    let statement = try #require(parsed.statements.last)
    guard case .notAnalysed(let problem) = statement.analysis else {
      Issue.record("it should not parse")
      return
    }
    #expect(problem.message == "syntax error")
    #expect(problem.position.description == "3:18")
    #expect(
      parsed.source.excerpt(at: problem.position)
        == "\tselect 'é😀' frm 😀 x y;\n\t                 ^")
    #expect(statement.isOpaque)
  }

  @Test func `statements far into a long line and a big file are placed right`() throws {
    let count = 3_000
    let parsed = try script((0..<count).map { "select 'é', \($0);" }.joined())
    #expect(parsed.statements.count == count)
    let last = try #require(parsed.statements.last)
    #expect(last.text == "select 'é', 2999")
    #expect(last.start.line == 1)
    #expect(last.start.column == parsed.source.text.unicodeScalars.count - last.text.unicodeScalars.count)
  }

  /// Whatever a text is cut off at, each of its tokens is in exactly one statement, or it is refused.
  @Test(arguments: single)
  func `no token is lost or invented in any beginning of a statement`(text: String) throws {
    let whole = "select 1; \(text); selec 2; \(text)"
    for length in 0...whole.count {
      let beginning = String(whole.prefix(length))
      guard let parsed = try? script(beginning) else {
        #expect(throws: SQLSyntaxError.self) { try script(beginning) }
        continue
      }
      let again = parsed.statements.map(\.text).joined(separator: " ;\n")
      #expect(
        try SQLScript.tokenFingerprintInput(SourceText(again))
          == SQLScript.tokenFingerprintInput(SourceText(beginning)))
      #expect(try statements(again) == parsed.statements.map(\.text))
    }
  }
}
