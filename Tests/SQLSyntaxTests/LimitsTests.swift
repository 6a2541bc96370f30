import Foundation
import SQLSyntax
import Testing

@Suite(.serialized) struct LimitsTests {
  /// Four statements per group; 1,250 groups are about 900 kB.
  private static func bigFile(groups: Int = 1_250, breaking: Bool = false) -> String {
    var text = ""
    for index in 0..<groups {
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
    #if DEBUG
      #expect(duration < .seconds(30))
    #else
      #expect(duration < .seconds(5))
    #endif
  }

  @Test func `time grows with the size, not with its square`() throws {
    let small = Self.bigFile(groups: 250)
    let large = Self.bigFile(groups: 1_000)
    let clock = ContinuousClock()
    func best(of text: String) throws -> Duration {
      try (0..<3).map { _ in try clock.measure { _ = try script(text) } }.min() ?? .zero
    }
    let once = try best(of: small)
    let fourfold = try best(of: large)
    #expect(fourfold < once * 8)
  }

  @Test func `one line of many statements is no slower`() throws {
    let text = String(repeating: "insert into t (a, b) values (1, 'ññ');", count: 20_000)
    let clock = ContinuousClock()
    let duration = try clock.measure { _ = try script(text) }
    #expect(duration < .seconds(30))
  }

  @Test(arguments: [
    Nest("select 1", "+1", 60_000), Nest("select ", "(", 60_000, "1", ")"),
    Nest("select ", "- ", 60_000, "1"),
    Nest("select 1", "::int", 60_000), Nest("select 1, 2", " union select 1, 2", 60_000),
    Nest("select ", "not ", 60_000, "true"), Nest("select array[1, 2]", " || array[1, 2]", 60_000),
    Nest("select f(1, 2)", " + f(1, 2)", 60_000), Nest("select a", "[1]", 5_500),
    Nest("select * from t", " natural join t", 60_000),
  ])
  func `what nests too deeply neither crashes nor hides what follows`(nest: Nest) throws {
    let parsed = try script("select 1; \(nest.text); select 2")
    #expect(parsed.statements.map(\.isAnalysed) == [true, false, true])
  }

  /// Just below the limit, where the stack is used most.
  @Test(arguments: [
    Nest("select 1", "+1", 4_950), Nest("select 1", "::int", 2_450), Nest("select ", "not ", 4_950, "true"),
    Nest("select 1", " union select 1, 2", 2_450), Nest("select ", "f(", 2_400, "1", ")"),
    Nest("select ", "(select ", 1_200, "1", ")"), Nest("select * from t", " join t using (a)", 1_600),
    Nest("select a", " is null", 2_450), Nest("select ", "case when true then ", 900, "1", " end"),
  ])
  func `what is just shallow enough is analysed`(nest: Nest) throws {
    let parsed = try script("select 1; \(nest.text); select 2")
    #expect(parsed.statements.map(\.isAnalysed) == [true, true, true])
  }

  @Test(arguments: [
    Nest("select true", " and true", 10_000), Nest("insert into t values (1)", ", (2)", 20_000),
    Nest("select array[1", ", 1", 20_000, "]"), Nest("select 1", " + 1, 1", 10_000),
  ])
  func `what is only long is analysed`(nest: Nest) throws {
    let parsed = try script("select 1; \(nest.text); select 2")
    #expect(parsed.statements.map(\.isAnalysed) == [true, true, true])
  }

  @Test func `a deep body of an SQL function does not crash either`() throws {
    let body = "select 1" + String(repeating: "+1", count: 60_000)
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
    // What other tests of this process take meanwhile is counted too, but not in every round; a leak is.
    var least = Int.max
    for _ in 0..<6 where least >= 4_096 {
      let before = try residentKilobytes()
      for _ in 0..<10_000 { _ = try script("create table t (a int default 1)") }
      for _ in 0..<1_000 { _ = try script(text) }
      for _ in 0..<3_000 { _ = try? script("select 'x") }
      for _ in 0..<3_000 {
        _ = try? script("selec 1; create function f() returns int begin atomic select; end")
      }
      least = min(least, try residentKilobytes() - before)
    }
    #expect(least < 4_096)
  }

  private func residentKilobytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    return try #require(line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
  }
}

/// A statement that repeats a part, shown in a test's name by its parts and not in full.
struct Nest: Sendable, CustomTestStringConvertible {
  let text: String
  let testDescription: String

  init(_ head: String, _ part: String, _ count: Int, _ middle: String = "", _ closing: String = "") {
    text =
      head + String(repeating: part, count: count) + middle + String(repeating: closing, count: count)
    testDescription = "\(head)(\(part)) × \(count)"
  }
}

/// Counts failures over threads.
private final class Counter: Sendable {
  // Both counts are touched only while the condition's lock is held.
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
