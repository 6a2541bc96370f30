import Foundation
import SQLSyntax
import Testing

@testable import Migrations

/// A file of the given text, with its directives read.
func file(_ name: String, _ text: String = "select 1;", down: Bool = false) throws -> MigrationFile {
  try MigrationFile(
    name: name, path: "migrations/\(name).sql", bytes: Array(text.utf8),
    downPath: down ? "migrations/\(name).down.sql" : nil)
}

func history(
  _ file: MigrationFile, state: HistoryEntry.State = .applied, requires: [String] = [], ordinal: Int = 0
) throws -> HistoryEntry {
  HistoryEntry(
    name: file.name, checksum: file.checksum.description,
    tokenChecksum: try Checksum(ofTokens: SourceText(file.text)).description, state: state,
    isRepeatable: file.directives.isRepeatable, requirements: requires, appliedAt: "2026-01-02T03:04:05Z",
    appliedBy: "dba",
    ordinal: ordinal)
}

func plan(
  _ files: [MigrationFile], _ history: [HistoryEntry], policy: OrderPolicy = .dependencies
) throws -> MigrationPlan {
  MigrationPlan(order: try DependencyOrder(files, policy: policy), history: history) {
    try? Checksum(ofTokens: SourceText($0.text)).description
  }
}

@Suite struct `The order of files` {
  private func order(_ requirements: [String: [String]], policy: OrderPolicy = .dependencies) throws
    -> [String]
  {
    let files = try requirements.map { name, required in
      try file(name, required.map { "-- tsdb: requires \($0)\n" }.joined() + "select 1;")
    }
    return try DependencyOrder(files, policy: policy).files.map(\.name)
  }

  @Test(
    arguments: [
      ([:], []), (["b": [], "a": [], "c": []], ["a", "b", "c"]),
      (["a": ["b"], "b": ["c"], "c": []], ["c", "b", "a"]),
      (["a": ["z"], "b": [], "z": []], ["b", "z", "a"]),
      (["d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []], ["a", "b", "c", "d"]),
      (["a": ["b", "b"], "b": []], ["b", "a"]), (["10": [], "9": [], "1": ["9"]], ["10", "9", "1"]),
    ] as [([String: [String]], [String])])
  func `is topological, and by name among the free`(requirements: [String: [String]], expected: [String])
    throws
  {
    #expect(try order(requirements) == expected)
  }

  @Test(
    arguments: [
      (["a": ["a"]], "a -> a"), (["a": ["b"], "b": ["a"]], "a -> b -> a"),
      (["a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"], "0": []], "a -> c -> b -> a"),
      (["a": ["x"], "x": ["y"], "y": ["x"]], "x -> y -> x"),
    ] as [([String: [String]], String)])
  func `of a cycle is refused, and the cycle is a path`(requirements: [String: [String]], path: String) throws
  {
    let error = try #require(throws: MigrationError.self) { try order(requirements) }
    #expect(error.kind == .invalidInput && error.summary == "the requirements form a cycle: \(path)")
    #expect(error.location?.path == "migrations/\(path.prefix(1)).sql" && error.location?.column == 19)
  }

  @Test func `by names needs no requirement, and refuses one against the names`() throws {
    #expect(try order(["1_a": [], "2_b": [], "3_c": ["1_a"]], policy: .names) == ["1_a", "2_b", "3_c"])
    let error = try #require(throws: MigrationError.self) {
      try order(["1_a": ["2_b"], "2_b": []], policy: .names)
    }
    #expect(error.summary == "\"1_a\" requires \"2_b\", which comes later by name")
    #expect(
      try #require(throws: MigrationError.self) { try order(["1": ["1"]], policy: .names) }.summary.hasSuffix(
        "1 -> 1"))
  }

  @Test func `of many files is quick, and a long chain does not overflow`() throws {
    var requirements: [String: [String]] = [:]
    for number in 0..<5000 { requirements["m\(number)"] = number == 0 ? [] : ["m\(number - 1)"] }
    #expect(try order(requirements).count == 5000)
  }

  @Test func `knows what is sure to come before, also indirectly`() throws {
    let files = try [
      file("a", "-- tsdb: requires b"), file("b", "-- tsdb: requires c"), file("c"), file("d"),
    ]
    let order = try DependencyOrder(files)
    #expect(order.requires("a", "b") && order.requires("a", "c") && order.requires("b", "c"))
    #expect(
      !order.requires("c", "a") && !order.requires("a", "d") && !order.requires("a", "a")
        && !order.requires("x", "a"))
    let byName = try DependencyOrder([file("1"), file("2")], policy: .names)
    #expect(byName.requires("2", "1") && !byName.requires("1", "2"))
  }
}

@Suite struct `A plan` {
  @Test func `tells how each file and the history relate`() throws {
    let (same, old, cosmetic) = (try file("same"), try file("old"), try file("cosmetic", "select 1"))
    let (view, oldView) = (
      try file("view", "-- tsdb: repeatable\nselect 2;"), try file("view", "-- tsdb: repeatable\nselect 1;")
    )
    let (new, half, gone) = (try file("new"), try file("half"), try file("gone"))
    let plan = try plan(
      [same, try file("old", "select 2;"), try file("cosmetic", "-- c\nselect 1 "), view, new, half],
      [
        history(same, ordinal: 1), history(old, ordinal: 2), history(cosmetic, ordinal: 3),
        history(oldView, ordinal: 4),
        history(half, state: .running, ordinal: 5), history(gone, ordinal: 6),
      ])
    let standings = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.name, $0.standing) })
    #expect(
      standings == [
        "same": .applied, "old": .edited, "cosmetic": .cosmeticEdit, "view": .changedRepeatable,
        "new": .pending,
        "half": .interrupted, "gone": .missing,
      ])
    #expect(plan.toRun.map(\.name) == ["half", "new", "view"])
    #expect(plan.entries.first?.name == "gone", "missing files come first")
    #expect(plan.refusal()?.summary == "\"old\" was edited after it was applied")
  }

  @Test func `with nothing to refuse refuses nothing`() throws {
    let a = try file("a")
    #expect(try plan([a, file("b")], [history(a)]).refusal() == nil)
    #expect(try plan([], []).refusal() == nil)
  }

  @Test func `of an edited file says when and by whom it was applied`() throws {
    let refusal = try plan([file("a", "select 2;")], [history(file("a"))]).refusal()
    #expect(refusal?.kind == .historyMismatch)
    #expect(refusal?.detail?.contains("migrations/a.sql was applied at 2026-01-02T03:04:05Z by dba") == true)
    #expect(refusal?.hint?.contains("tsdb migrate accept a") == true)
    let missing = try plan([], [history(file("a"))]).refusal()
    #expect(
      missing?.summary == "\"a\" was applied, but its file is missing"
        && missing?.hint?.contains("accept a --missing") == true)
  }

  @Test func `refuses a half applied file that is one transaction now`() throws {
    let half = try file("a", "-- tsdb: transaction off\nselect 1;")
    let running = try history(half, state: .running)
    #expect(try plan([half], [running]).refusal() == nil)
    let refusal = try plan([file("a")], [running]).refusal()
    #expect(refusal?.kind == .historyMismatch)
    #expect(refusal?.hint?.contains("back at the top of migrations/a.sql") == true)
  }

  @Test func `asks for token checksums of changed files only`() throws {
    let files = try (0..<50).map { try file("m\($0)") }
    var asked: [String] = []
    let changed = try file("m7", "select 2;")
    _ = MigrationPlan(
      order: try DependencyOrder(files.filter { $0.name != "m7" } + [changed]),
      history: try files.map { try history($0) }
    ) {
      asked.append($0.name)
      return nil
    }
    #expect(asked == ["m7"])
  }

  @Test func `up to a name ends with it`() throws {
    let plan = try plan([file("a", "-- tsdb: requires c"), file("b"), file("c"), file("d")], [])
    #expect(try plan.toRun(upTo: "a").map(\.name) == ["b", "c", "a"])
    #expect(try plan.toRun(upTo: "b.sql").map(\.name) == ["b"])
    #expect(try plan.toRun(upTo: nil).count == 4)
    let error = try #require(throws: MigrationError.self) { try plan.toRun(upTo: "e") }
    #expect(error.kind == .invalidInput && error.summary == "there is no migration \"e\"")
  }

  @Test func `up to a missing file is refused`() throws {
    let plan = try plan([file("b")], [history(file("a"))])
    #expect(throws: MigrationError.self) { try plan.toRun(upTo: "a") }
  }
}

@Suite struct `A plan for undoing` {
  private func threePlan() throws -> MigrationPlan {
    let files = try [
      file("a", down: true), file("b", "-- tsdb: requires a\nselect 1;", down: true), file("c", down: true),
    ]
    return try plan(
      files,
      [
        history(files[0], ordinal: 1), history(files[1], requires: ["a"], ordinal: 2),
        history(files[2], ordinal: 3),
      ])
  }

  @Test(arguments: [
    (DownPlan.Target.steps(1), ["c"]), (.steps(2), ["c", "b"]), (.steps(9), ["c", "b", "a"]),
    (.all, ["c", "b", "a"]),
    (.to("a"), ["c", "b"]), (.to("c"), []),
  ])
  func `goes newest first`(target: DownPlan.Target, names: [String]) throws {
    #expect(try DownPlan(threePlan(), target: target).entries.map(\.name) == names)
  }

  @Test func `of nothing is empty`() throws {
    #expect(try DownPlan(plan([file("a")], []), target: .all).entries.isEmpty)
  }

  @Test func `to what is not applied or not known is refused`() throws {
    let pending = try plan([file("a")], [])
    #expect(throws: MigrationError.self) { try DownPlan(pending, target: .to("a")) }
    #expect(
      try #require(throws: MigrationError.self) { try DownPlan(pending, target: .to("b")) }.summary
        == "there is no migration \"b\"")
  }

  @Test func `needs the down file, and the file`() throws {
    let a = try file("a")
    #expect(
      try #require(throws: MigrationError.self) { try DownPlan(plan([a], [history(a)]), target: .all) }.kind
        == .invalidInput)
    #expect(
      try #require(throws: MigrationError.self) { try DownPlan(plan([], [history(a)]), target: .all) }.kind
        == .historyMismatch)
  }

  @Test func `keeps what something that stays requires`() throws {
    let (a, b) = (try file("a", down: true), try file("b", down: true))
    // "a" is repeatable and ran again after "b".
    let plan = try plan([a, b], [history(b, requires: ["a"], ordinal: 1), history(a, ordinal: 2)])
    let error = try #require(throws: MigrationError.self) { try DownPlan(plan, target: .steps(1)) }
    #expect(error.summary == "\"a\" cannot be undone: \"b\" requires it and stays applied")
    #expect(try DownPlan(plan, target: .steps(2)).entries.map(\.name) == ["a", "b"])
  }
}

@Suite struct `Inferred requirements` {
  private func check(_ files: [MigrationFile], _ name: String, policy: OrderPolicy = .dependencies) throws
    -> MigrationError?
  {
    var inference = RequirementInference(order: try DependencyOrder(files, policy: policy))
    for file in files {
      inference.add(try PreparedScript(file).script.statements.flatMap(\.creates), createdBy: file.name)
    }
    let file = try #require(files.first { $0.name == name })
    return inference.check(try PreparedScript(file).script, of: file)
  }

  @Test(arguments: [
    "create view v as select * from t;", "create view v as select * from public.t;",
    "alter table t add j int;",
    "create index on t (i);", "insert into t values (1);", "create table u (i int references t (i));",
    "create trigger x before insert on t for each row execute function f();", "comment on table t is 'x';",
    "create table p partition of t for values in (1);",
    "create function g() returns setof t language sql as 'select 1';",
    "with x as (select 1) select * from x, T;", "select nextval('other'), (select count(*) from t);",
  ])
  func `of a table are missed`(use: String) throws {
    let files = try [file("a", "create table t (i int);"), file("b", "select 1;\n" + use)]
    let error = try #require(try check(files, "b"))
    #expect(
      error.kind == .invalidInput
        && error.summary
          == "\"b\" uses t of \"a\" without requiring it".replacingOccurrences(
            of: " t ", with: use.contains("public.t") ? " public.t " : " t ")
    )
    #expect(error.location == SourceLocation(path: "migrations/b.sql", line: 2, column: 1))
    #expect(error.hint?.hasSuffix("\n      -- tsdb: requires a") == true)
    let declared = try [files[0], file("b", "-- tsdb: requires a\n" + use)]
    #expect(try check(declared, "b") == nil)
    #expect(try check([file("a", "create table t (i int);"), file("b", use)], "b", policy: .names) == nil)
  }

  @Test(arguments: [
    "create table t (i int); insert into t values (1);", "select * from other_schema.t;",
    "select t from x t;",
    "with t as (select 1) select * from t;", "create temp table t (i int);", "select 't';", "-- t\nselect 1;",
  ])
  func `are not seen where there are none`(text: String) throws {
    #expect(try check([file("a", "create table t (i int);"), file("b", text)], "b") == nil)
  }

  @Test func `against the order of names are not mended by a requirement`() throws {
    let files = try [file("b", "create table t (i int);"), file("a", "select * from t;")]
    let error = try #require(try check(files, "a", policy: .names))
    #expect(error.hint == "rename migrations/a.sql so that it comes after \"b\"")
  }

  @Test func `are covered indirectly, and by any of several creators`() throws {
    let files = try [
      file("a", "create table t (i int);"), file("b", "-- tsdb: requires a\nselect 1;"),
      file("c", "-- tsdb: requires b\ninsert into t values (1);"),
      file("d", "create table if not exists t (i int);"),
      file("e", "-- tsdb: requires d\ninsert into t values (1);"),
    ]
    #expect(try check(files, "c") == nil)
    #expect(try check(files, "e") == nil)
  }
}

@Suite struct `A template` {
  @Test func `writes three files with the directives`() throws {
    var template = MigrationTemplate(name: "add_x")
    template.requirements = ["a", "b c"]
    template.isTransactional = false
    template.isRepeatable = true
    #expect(template.files.map(\.name) == ["add_x.sql", "add_x.down.sql", "add_x.verify.sql"])
    let directives = try Directives(parsing: template.files[0].content)
    #expect(
      directives.requirements.map(\.name) == ["a", "b c"] && !directives.isTransactional
        && directives.isRepeatable)
    #expect(template.files[0].content.contains("-- Statement by statement, with a journal; no BEGIN"))
    #expect(
      MigrationTemplate(name: "x").files[0].content.contains("\n-- One transaction with its history row; no"))
    #expect(try Directives(parsing: MigrationTemplate(name: "x").files[0].content) == Directives())
  }

  @Test(arguments: ["a", "0001_init", "A-b.c", "v1.2.3"])
  func `takes plain names`(name: String) { #expect(MigrationTemplate.refusal(ofName: name) == nil) }

  @Test(arguments: ["", ".a", "a.down", "a.verify", "a b", "a/b", "ñ", "a\n", "a\"b"])
  func `refuses others`(name: String) { #expect(MigrationTemplate.refusal(ofName: name) != nil) }
}

@Suite struct `What the server is` {
  @Test(arguments: [
    (90_624, false), (130_014, false), (139_999, false), (140_000, true), (150_020, true), (180_001, true),
  ])
  func `must be PostgreSQL 14 or later`(version: Int, isNewEnough: Bool) {
    let facts = ServerFacts(versionNumber: version)
    #expect((facts.refusalToRead() == nil) == isNewEnough)
    #expect((facts.refusalToWrite() == nil) == isNewEnough)
    guard !isNewEnough else { return }
    let refusal = facts.refusalToRead()
    #expect(
      refusal?.kind == .failed
        && refusal?.summary == "the server is PostgreSQL \(version / 10_000); tsdb needs 14 or later")
    #expect(
      refusal?.detail == "Nothing was changed." && refusal?.hint?.contains("upgrade the server") == true)
  }

  @Test func `may be read but not written on a standby or with read-only transactions`() {
    let standby = ServerFacts(versionNumber: 150_000, isInRecovery: true, isReadOnly: true)
    #expect(
      standby.refusalToRead() == nil
        && standby.refusalToWrite()?.summary == "the server is a read-only standby")
    let readOnly = ServerFacts(versionNumber: 150_000, database: "app", isReadOnly: true)
    #expect(readOnly.refusalToRead() == nil)
    #expect(readOnly.refusalToWrite()?.summary == "the database \"app\" is set to read-only transactions")
    #expect(ServerFacts(versionNumber: 150_000).refusalToWrite() == nil)
  }
}

@Suite struct `The pause between attempts` {
  @Test(arguments: [(1, 250), (2, 375), (3, 562), (100, 5000)])
  func `grows by half up to a limit, and varies by half`(attempt: Int, milliseconds: Int64) {
    let pauses = (0..<200).map { _ in RunOptions().pause(afterAttempt: attempt).milliseconds }
    #expect(pauses.allSatisfy { $0 >= milliseconds / 2 - 1 && $0 <= milliseconds * 3 / 2 + 1 })
    #expect(Set(pauses).count > 20)
  }
}
