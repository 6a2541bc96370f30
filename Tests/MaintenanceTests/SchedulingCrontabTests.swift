import Foundation
import Maintenance
import TestSupport
import Testing
import Timekeeping

@Suite struct SchedulingCrontabTests {
  private let block = CrontabBlock(name: "app", lines: ["# note", "*/5 * * * * true"])

  @Test(arguments: [
    "", "0 0 * * * x\n", "0 0 * * * without a line end", "\n\n",
    "# tsdb begin other\n1 1 * * * y\n# tsdb end other\n",
    "# tsdb begin app-2\n1 1 * * * y\n# tsdb end app-2\n", " # tsdb begin app\n",
    "MAILTO=\"\"\r\n0 0 * * * x\r\n",
  ])
  func `what others wrote is the same byte for byte after installing and removing`(text: String) throws {
    // No valid UTF-8, which a crontab may well be.
    let before = Array(text.utf8) + (text.hasSuffix("\n") ? [0xC3, 0x28, 0x0A] : [])
    let installed = try CrontabText(before).replacing(with: block)
    #expect(try installed.block("app") == Array(block.text.utf8))
    #expect(installed.bytes.suffix(before.count) == before[...])
    // Again: nothing changes; with another text: only the block.
    #expect(try installed.replacing(with: block) == installed)
    let other = try installed.replacing(with: CrontabBlock(name: "app", lines: ["1 * * * * false"]))
    #expect(other.bytes.suffix(before.count) == before[...])
    #expect(try other.removing("app").bytes == before)
    #expect(try installed.removing("app").bytes == before)
  }

  @Test func `random lines around a block stay as they are`() throws {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<500 {
      func some() -> [UInt8] {
        (0..<Int.random(in: 0..<6, using: &random)).flatMap { _ -> [UInt8] in
          let line = (0..<Int.random(in: 0..<9, using: &random)).map { _ in
            UInt8.random(in: 11...255, using: &random)
          }
          return line + [10]
        }
      }
      let (head, tail) = (some(), some() + (Bool.random(using: &random) ? [0x78] : []))
      let text = CrontabText(head + Array(block.text.utf8) + tail)
      #expect(try text.removing("app").bytes == head + tail)
      let other = CrontabBlock(name: "app", lines: ["x"])
      #expect(try text.replacing(with: other).bytes == head + Array(other.text.utf8) + tail)
    }
  }

  @Test(arguments: [
    "# tsdb begin app\nx\n", "x\n# tsdb end app\n", "# tsdb end app\n# tsdb begin app\n",
    "# tsdb begin app\n# tsdb begin app\n# tsdb end app\n",
    "# tsdb begin app\n# tsdb end app\n# tsdb end app\n",
    "# tsdb begin app\n# tsdb begin b\n# tsdb end app\n# tsdb end b\n",
    "# tsdb begin app\nx\n# tsdb end app\n# tsdb begin app\nx\n# tsdb end app\n",
  ])
  func `damaged markers are refused with what to do`(text: String) {
    let crontab = CrontabText(Array(text.utf8))
    for change: () throws -> Void in [
      { _ = try crontab.replacing(with: block) }, { _ = try crontab.removing("app") },
    ] {
      let error = #expect(throws: MaintenanceError.self) { try change() }
      #expect(error?.hint?.contains("crontab -e") == true)
    }
  }

  @Test func `a shell gets the paths as they are, and cron no percent sign`() async throws {
    let directory = try TemporaryDirectory()
    for name in ["a b", "it's", "100 %", "$HOME", "`id`", "a;b&c", "\"q\"", "é*?[x]", "\\n", "-x"] {
      let call = try ScheduleCall(
        name: "app", executable: "/bin/echo", project: directory.path + "/" + name,
        times: try CallTimes(every: 5, offset: 3))
      let line = try #require(try CronEntry(call).block().lines.last)
      #expect(line.hasPrefix("3-59/5 * * * * PATH="))
      let command = String(line.dropFirst("3-59/5 * * * * ".count))
      // What cron hands to the shell: a percent sign that is not escaped would end it.
      #expect(!command.replacing("\\%", with: "").contains("%"))
      let result = try await ToolRun(
        executable: "/bin/sh", ["-c", command.replacing("\\%", with: "%")], environment: [:]
      ).finish()
      #expect(result.standardOutput == "-C \(directory.path)/\(name) maintain --quiet\n")
    }
  }

  @Test func `a file of cron d has a user, no mail that was not asked for, and a line end at the end`() throws
  {
    let call = try ScheduleCall(
      name: "app", executable: "/usr/bin/tsdb", project: "/srv/app",
      times: try CallTimes(every: 60, offset: 7),
      environmentFile: "/etc/tsdb/app.env")
    let text = try CronEntry(call).systemFile(user: "app", mailTo: nil)
    #expect(
      text == """
        # tsdb begin app
        # Made by "tsdb schedule install"; "tsdb schedule remove" takes it out. Changes in here are lost.
        SHELL=/bin/sh
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        MAILTO="app"
        7 * * * * app set -a; . /etc/tsdb/app.env && set +a && TSDB_TRIGGER=cron /usr/bin/tsdb -C /srv/app maintain --quiet
        # tsdb end app

        """)
    #expect(throws: MaintenanceError.self) { try CronEntry(call).systemFile(user: "a b", mailTo: nil) }
    #expect(throws: MaintenanceError.self) { try CronEntry(call).systemFile(user: "a", mailTo: "x\nroot") }
  }

  @Test func `what cron cannot hold is refused`() throws {
    let times = try CallTimes(every: 5, offset: 0)
    for (name, path) in [
      ("App", "/a"), ("", "/a"), ("a.b", "/a"), ("../x", "/a"), ("a b", "/a"),
      (String(repeating: "a", count: 41), "/a"),
      ("app", "relative"), ("app", "/a\nb"),
    ] {
      #expect(throws: MaintenanceError.self, "\(name) \(path)") {
        try ScheduleCall(name: name, executable: "/bin/x", project: path, times: times)
      }
    }
    let long = try ScheduleCall(
      name: "a", executable: "/x", project: "/" + String(repeating: "p", count: 990), times: times)
    #expect(throws: MaintenanceError.self) { try CronEntry(long).block() }
  }

  @Test(arguments: [
    "My App", "app", "9lives", "ñandú", "", "a--b__c", String(repeating: "x", count: 90), "...-",
  ])
  func `any directory's name gives a name for an entry`(text: String) {
    #expect(ScheduleCall.isName(ScheduleCall.name(from: text)), "\(ScheduleCall.name(from: text))")
  }

  @Test(arguments: [(0, 5), (61, 0), (7, 0), (5, 5), (5, -1), (-5, 0), (60, 60)])
  func `minutes that do not fit an hour are refused`(every: Int, offset: Int) {
    #expect(throws: MaintenanceError.self) { try CallTimes(every: every, offset: offset) }
  }

  @Test func `the minute depends on host and database, and on nothing else`() {
    let hosts = (0..<200).map { CallTimes.stableOffset(every: 5, host: "host\($0)", database: "app") }
    #expect(Set(hosts) == [0, 1, 2, 3, 4])
    // Fixed: what is installed must not move with a new version.
    #expect(CallTimes.stableOffset(every: 60, host: "db1", database: "app") == 5)
    #expect((0..<60).contains(CallTimes.stableOffset(every: 60, host: "", database: "")))
  }

  @Test func `times that are installed are read back`() throws {
    for every in [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60] {
      for offset in 0..<every {
        let times = try CallTimes(every: every, offset: offset)
        #expect(CallTimes(installed: "# x\n\(times.cronMinutes) * * * * true\n") == times)
        #expect(CallTimes(installed: "[Timer]\nOnCalendar=\(times.calendar)\n") == times)
      }
    }
    #expect(CallTimes(installed: "7-40/3 * * * * true") == nil)
  }

  @Test func `a diff is one that patch understands`() async throws {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<60 {
      func some() -> String {
        let lines = (0..<Int.random(in: 0..<14, using: &random)).map { _ in
          ["a", "b", "c", "", "d é"].randomElement(using: &random) ?? ""
        }
        return lines.joined(separator: "\n") + (Bool.random(using: &random) ? "\n" : "")
      }
      let (old, new) = (some(), some())
      let diff = UnifiedDiff.text(old, new, oldName: "a", newName: "b")
      guard old != new else {
        #expect(diff.isEmpty)
        continue
      }
      let directory = try TemporaryDirectory()
      try directory.write("a", old)
      try directory.write("b", new)
      let theirs = try await ToolRun(
        executable: "diff", ["-u", "--label", "a", "--label", "b", "a", "b"],
        environment: ToolRun.searchPaths, directory: directory.path
      ).finish()
      // The same counts in the headers, whichever of several shortest differences is taken.
      func changes(_ text: String) -> Int {
        text.split(separator: "\n").filter { $0.hasPrefix("+") || $0.hasPrefix("-") }.count
      }
      #expect(changes(diff) == changes(theirs.standardOutput), "\(diff)\n\(theirs.standardOutput)")
      #expect(Self.apply(diff, to: old) == new, "\(diff)")
    }
  }

  /// Applies a diff strictly: kept and removed lines have to be there, and the counts have to be right.
  private static func apply(_ diff: String, to old: String) -> String? {
    func lines(_ text: String) -> [String] {
      text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    var source = lines(old)
    let endsWithLineEnd = source.last == ""
    if endsWithLineEnd { source.removeLast() }
    var (result, at, lacksLineEnd, sawEnd) = ([String](), 0, false, false)
    var last: Character = " "
    for line in lines(diff).dropLast().dropFirst(2) {
      if line.hasPrefix("@@") {
        guard let match = line.wholeMatch(of: /@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/),
          let start = Int(match.1)
        else { return nil }
        let target = match.2 == "0" ? start : start - 1
        guard target >= at, target <= source.count else { return nil }
        result += source[at..<target]
        at = target
      } else if line.hasPrefix("\\") {
        if last != "-" { lacksLineEnd = true }
        sawEnd = true
      } else {
        last = line.first ?? " "
        let text = String(line.dropFirst())
        if last != "+" {
          guard at < source.count, source[at] == text else { return nil }
          at += 1
        }
        if last != "-" { result.append(text) }
      }
    }
    result += source[at...]
    let lacks = sawEnd ? lacksLineEnd : !endsWithLineEnd
    return result.joined(separator: "\n") + (lacks || result.isEmpty ? "" : "\n")
  }
}
