import Foundation
import SQLSyntax
import Testing

@Suite(.serialized) struct LimitsTests {
  /// About 900 kB of 5,000 statements of several kinds.
  private static func bigFile(breaking: Bool = false) -> String {
    var text = ""
    for index in 0..<1_250 {
      text += """
        -- object number \(index): ñandú
        create table app.t\(index) (
          id bigint generated always as identity constraint t\(index)_pk primary key,
          name text not null default 'un nombre cualquiera; o ninguno, que también vale', parent bigint references app.t\(index / 2) (id),
          created_at timestamptz not null default now(), constraint t\(index)_name check (length(name) < 100));
        create index t\(index)_name_idx on app.t\(index) (lower(name), created_at desc) where name is not null;
        create function app.f\(index)() returns int language sql as $$ select count(*)::int from app.t\(index); $$;
        insert into app.t\(index) (name) select 'x' || g from generate_series(1, 10) g where g % 2 = 0 and not exists (select 1 from app.t\(index) where id = g);

        """
      if breaking && index % 100 == 50 {
        text += "merge into t using s on true when matched then delete returning 1;\n"
      }
    }
    return text
  }

  @Test(arguments: [false, true])
  func `a file of 5,000 statements parses quickly`(breaking: Bool) throws {
    let text = Self.bigFile(breaking: breaking)
    #expect(text.utf8.count > 850_000)
    let clock = ContinuousClock()
    var count = 0
    let duration = try clock.measure { count = try script(text).statements.count }
    #expect(count == (breaking ? 5_012 : 5_000))
    print("5,000 statements, \(text.utf8.count) bytes, some unknown: \(breaking): \(duration)")
    #if DEBUG
      #expect(duration < .seconds(10))
    #else
      #expect(duration < .seconds(1))
    #endif
  }

  @Test func `time grows with the size, not with its square`() throws {
    let small = Self.bigFile()
    let large = small + small + small + small
    let clock = ContinuousClock()
    let once = try (0..<3).map { _ in try clock.measure { _ = try script(small) } }.min() ?? .zero
    let fourfold = try clock.measure { _ = try script(large) }
    #expect(fourfold < once * 8)
  }

  @Test func `one line of many statements is no slower`() throws {
    let text = String(repeating: "insert into t (a, b) values (1, 'ññ');", count: 20_000)
    let clock = ContinuousClock()
    let duration = try clock.measure { _ = try script(text) }
    #expect(duration < .seconds(10))
  }

  @Test(arguments: [
    ("select 1" + String(repeating: "+1", count: 200_000), false),
    (
      "select " + String(repeating: "(", count: 100_000) + "1" + String(repeating: ")", count: 100_000), false
    ),
    ("select " + String(repeating: "- ", count: 200_000) + "1", false),
    ("select 1" + String(repeating: "::int", count: 200_000), false),
    ("select 1" + String(repeating: " union select 1", count: 100_000), false),
    ("select " + String(repeating: "not ", count: 100_000) + "true", false),
    ("select 1, 2" + String(repeating: " union select 1, 2", count: 100_000), false),
    ("select array[1, 2]" + String(repeating: " || array[1, 2]", count: 100_000), false),
    ("select f(1, 2)" + String(repeating: " + f(1, 2)", count: 100_000), false),
    ("select a" + String(repeating: "[1]", count: 5_500), false),
    ("select * from t" + String(repeating: " natural join t", count: 100_000), false),
    ("select 1" + String(repeating: "+1", count: 4_000), true),
    ("select true" + String(repeating: " and true", count: 10_000), true),
    ("select 1, 2" + String(repeating: " union select 1, 2", count: 2_000), true),
    ("insert into t values (1)" + String(repeating: ", (2)", count: 100_000), true),
    ("select array[1" + String(repeating: ", 1", count: 100_000) + "]", true),
  ])
  func `deep nesting neither crashes nor hides what follows`(text: String, isAnalysed: Bool) throws {
    let parsed = try script("select 1; \(text); select 2")
    #expect(parsed.statements.count == 3)
    #expect(parsed.statements.map(\.isAnalysed) == [true, isAnalysed, true])
  }

  /// Just below the limit, where the stack is used most.
  @Test(arguments: [
    "select 1" + String(repeating: "+1", count: 4_950),
    "select 1" + String(repeating: "::int", count: 2_450),
    "select " + String(repeating: "not ", count: 4_950) + "true",
    "select 1" + String(repeating: " union select 1", count: 2_450),
    "select " + String(repeating: "f(", count: 1_200) + "1" + String(repeating: ")", count: 1_200),
    "select " + String(repeating: "(select ", count: 1_200) + "1" + String(repeating: ")", count: 1_200),
    "select * from t" + String(repeating: " join t using (a)", count: 1_600),
    "select a" + String(repeating: " is null", count: 2_450),
    "select " + String(repeating: "case when true then ", count: 900) + "1"
      + String(repeating: " end", count: 900),
  ])
  func `what is just shallow enough is analysed`(text: String) throws {
    let parsed = try script("select 1; \(text); select 2")
    #expect(parsed.statements.map(\.isAnalysed) == [true, true, true])
  }

  @Test func `a deep body of an SQL function does not crash either`() throws {
    let body = "select 1" + String(repeating: "+1", count: 200_000)
    let parsed = try script("create function f() returns int language sql as $$ \(body) $$")
    #expect(parsed.statements[0].isAnalysed)
  }

  @Test func `many tasks parse at the same time`() async throws {
    let text = "create table app.t (a int, b text default 'x'); create view v as select * from app.t; selec 1"
    let expected = try script(text).statements.map(\.byteRange)
    let results = await withTaskGroup(of: Bool.self) { group in
      for task in 0..<200 {
        group.addTask {
          let failing = (try? script("select 'x \(task)")) == nil
          guard failing, let parsed = try? script(text) else { return false }
          return parsed.statements.map(\.byteRange) == expected
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.count == 200)
    #expect(!results.contains(false))
  }

  @Test func `many threads parse at the same time`() throws {
    let failures = Counter()
    let threads = (0..<1_200).map { number in
      Thread {
        if (try? script("select \(number); select 2").statements.count) != 2 { failures.add() }
        failures.finish()
      }
    }
    for thread in threads { thread.start() }
    failures.wait(for: threads.count)
    #expect(failures.count == 0)
  }

  @Test func `memory is given back`() throws {
    let text =
      "create table t (a int default 1, b text); select * from t where a > 1; create function f() returns int language sql as 'select 1'"
    for _ in 0..<500 {
      _ = try script(text)
      _ = try? script("select 'x")
      _ = try? script("selec 1")
    }
    let before = try residentKilobytes()
    for _ in 0..<20_000 { _ = try script("create table t (a int default 1)") }
    for _ in 0..<2_000 { _ = try script(text) }
    for _ in 0..<5_000 { _ = try? script("select 'x") }
    for _ in 0..<5_000 {
      _ = try? script("selec 1; create function f() returns int begin atomic select; end")
    }
    let grown = try residentKilobytes() - before
    #expect(grown < 8_192)
  }

  private func residentKilobytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return try #require(line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
  }
}

/// Counts failures over threads.
private final class Counter: Sendable {
  private let condition = NSCondition()
  nonisolated(unsafe) private var failures = 0
  nonisolated(unsafe) private var finished = 0

  var count: Int { condition.withLock { failures } }
  func add() { condition.withLock { failures += 1 } }

  func finish() {
    condition.withLock { finished += 1 }
    condition.signal()
  }

  func wait(for expected: Int) {
    condition.withLock {
      while finished < expected { condition.wait() }
    }
  }
}
