import Testing

@testable import Migrations

@Suite struct `The directives of a file` {
  private func parse(_ text: String) throws -> Directives { try Directives(parsing: text) }

  private func refusal(_ text: String) throws -> Directives.Refusal {
    try #require(throws: Directives.Refusal.self) { try Directives(parsing: text) }
  }

  @Test func `are all read from the leading comments`() throws {
    let directives = try parse(
      """

      -- What it does.
      --tsdb:version 1.2.3-rc1
        -- tsdb: requires a, b.sql\tc
      --- tsdb: requires "d e" "f""g" h
      \t-- tsdb: transaction OFF

      -- tsdb: lock-timeout 500ms
      -- tsdb: statement-timeout 2h
      -- tsdb: repeatable
      select 1;
      """)
    #expect(directives.version == "1.2.3-rc1")
    #expect(directives.requirements.map(\.name) == ["a", "b", "c", "d e", "f\"g", "h"])
    #expect(!directives.isTransactional)
    #expect(directives.isRepeatable)
    #expect(directives.lockTimeout == .milliseconds(500))
    #expect(directives.statementTimeout == .seconds(7200))
  }

  @Test func `have defaults`() throws {
    let directives = try parse("select 1;")
    #expect(directives == Directives())
    #expect(directives.isTransactional && !directives.isRepeatable && directives.version == nil)
  }

  @Test(arguments: [
    ("-- tsdb: requires first second", 2, 1, 25), ("\n  -- tsdb: requires  x,y", 2, 2, 24),
    ("-- tsdb: requires \"ñ é\" y", 2, 1, 25),
  ])
  func `know where each requirement stands, in characters`(text: String, index: Int, line: Int, column: Int)
    throws
  {
    let requirement = try parse(text).requirements[index - 1]
    #expect(requirement.line == line && requirement.column == column, "\(requirement)")
  }

  @Test(arguments: [
    ("/* one line */ -- tsdb: version 9\nselect 1;", nil),
    ("/* a\n b */\n-- tsdb: version 1\nselect 1;", "1"),
    ("/* a /* nested */ still */ -- rest\n-- tsdb: version 2\nselect 1;", "2"),
    ("-- /* not open\n-- tsdb: version 3\nselect 1;", "3"),
    ("/**/-- x\n-- tsdb: version 4", "4"), ("\u{FEFF}select 1;", nil),
    ("-- tsdb: version 5", "5"), ("", nil), ("-- TSDB: version 6\n", "6"), ("-- tsdb : version 7\n", nil),
  ])
  func `may stand behind block comments`(text: String, version: String?) throws {
    #expect(try parse(text).version == version)
  }

  @Test(arguments: [
    ("-- tsdb:", "the directive is empty", 1, 1),
    ("-- x\n   -- tsdb: foo", "unknown directive \"foo\"", 2, 4),
    (
      "select 1;\n-- tsdb: version 1", "a directive stands after the first statement, where it has no effect",
      2, 1
    ),
    (
      "/* a */ select 1;\n-- tsdb: version 1",
      "a directive stands after the first statement, where it has no effect", 2, 1
    ),
    ("-- tsdb: version", "directive \"version\" takes one value", 1, 1),
    ("-- tsdb: version 1 2", "directive \"version\" takes one value", 1, 1),
    ("-- tsdb: requires", "directive \"requires\" takes one or more names", 1, 1),
    ("-- tsdb: transaction", "directive \"transaction\" takes \"on\" or \"off\"", 1, 1),
    ("-- tsdb: repeatable yes", "directive \"repeatable\" takes no value", 1, 1),
    ("-- tsdb: lock-timeout", "directive \"lock-timeout\" takes a duration", 1, 1),
    ("-- tsdb: lock-timeout 1.5s", "directive \"lock-timeout\" takes a duration", 1, 1),
    ("-- tsdb: repeatable\n-- tsdb: repeatable", "directive \"repeatable\" is given twice", 2, 1),
  ])
  func `that cannot be read are refused with their place`(
    text: String, message: String, line: Int, column: Int
  ) throws {
    let refusal = try refusal(text)
    #expect(refusal.message == message && refusal.line == line && refusal.column == column, "\(refusal)")
  }

  @Test(arguments: [
    ("require", "requires"), ("Transactions", "transaction"), ("lock_timeout", "lock-timeout"),
    ("repetable", "repeatable"),
  ])
  func `that are mistyped get a suggestion`(written: String, meant: String) throws {
    #expect(try refusal("-- tsdb: \(written) x").hint == "did you mean \"\(meant)\"?")
  }

  @Test(arguments: ["plain", "with space", "a,b", "say \"hi\"", "tab\there", "ñ", "v1.2"])
  func `take a name as they write it`(name: String) throws {
    let requirements = try parse("-- tsdb: requires \(Directives.written(name)) after").requirements
    #expect(requirements.map(\.name) == [name, "after"])
  }
}
