import Foundation
import TestSupport
import Testing

@Suite struct `A file of 5,000 statements and 900 kB` {
  /// One statement per line and a half; statement `broken`, counted from 1, fails.
  static func text(broken: Int? = nil) -> String {
    var lines = ["create table big (i int primary key, description text);"]
    for number in 2...5000 {
      let column = number == broken ? "nosuch" : "i"
      lines.append(
        "insert into big (\(column), description)\n  values (\(number), 'descripción número \(number) \(String(repeating: "x", count: 100))'); -- ñ"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }

  @Test func `is applied in bounded memory`() async throws {
    #expect(Self.text().utf8.count > 900_000)
    try await withProject(["big.sql": Self.text()]) { project, database in
      let run = try ToolRun.start(
        ["migrate", "up"], environment: project.environment(), directory: project.directory.path)
      var peak = 0
      while run.isRunning {
        peak = max(peak, Self.peakKilobytes(of: run.pid) ?? 0)
        try await Task.sleep(for: .milliseconds(5))
      }
      let result = try await run.finish()
      result.expect(0, "ok big (5000 statements")
      #expect(try await database.value("select count(*) from big") == "4999")
      #expect(peak > 0 && peak < 96 * 1024, "\(peak) kB")
    }
  }

  /// The high-water mark of a process's resident memory.
  static func peakKilobytes(of pid: pid_t) -> Int? {
    let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    return status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?
      .split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
  }

  @Test func `has the error in its statement 4,321 located`() async throws {
    try await withProject(["big.sql": Self.text(broken: 4321)]) { project, database in
      let result = try await project.tsdb("migrate up")
      // Two lines each, but one for the first.
      result.expect(
        1, "column \"nosuch\" of relation \"big\" does not exist",
        "--> migrations/big.sql:\(2 * 4321 - 2):18",
        "   | insert into big (nosuch, description)\n   |                  ^", "\"big\" was rolled back")
      #expect(try await database.value("select to_regclass('big')") == nil)
    }
  }

  @Test func `has an open quote in it located where it opens`() async throws {
    let text = Self.text().replacingOccurrences(of: "(4321, 'desc", with: "(4321, desc")
    try await withProject(["big.sql": text]) { project, database in
      // Every quote after the missing one opens and closes the wrong way round; the last is left open.
      try await project.tsdb("migrate up").expect(
        64, "unterminated quoted string", "--> migrations/big.sql:9999:",
        "an earlier one may be the one left open")
    }
  }
}
