import Foundation
import TestSupport
import Testing

@testable import Timekeeping

@Suite struct TimeZoneRulesTests {
  static let zones = [
    "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca",
    "America/Sao_Paulo", "Europe/Dublin", "America/St_Johns", "Pacific/Apia", "Asia/Tehran",
    "Pacific/Chatham",
    "America/Nuuk", "Africa/Cairo", "Atlantic/Azores", "Antarctica/Troll", "Pacific/Kwajalein", "Asia/Gaza",
    "America/Asuncion", "Europe/London", "Etc/GMT+12",
  ]

  /// Source: the IANA database, as `zdump -v` prints it.
  @Test(arguments: [
    ("Europe/Madrid", "2026-03-29T00:59:59Z", 3600), ("Europe/Madrid", "2026-03-29T01:00:00Z", 7200),
    ("Europe/Madrid", "2026-10-25T00:59:59Z", 7200), ("Europe/Madrid", "2026-10-25T01:00:00Z", 3600),
    ("America/New_York", "2026-03-08T06:59:59Z", -18_000),
    ("America/New_York", "2026-03-08T07:00:00Z", -14_400),
    ("America/New_York", "2099-07-01T00:00:00Z", -14_400),
    ("Australia/Lord_Howe", "2026-04-04T14:59:59Z", 39_600),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 37_800),
    ("Australia/Lord_Howe", "2090-01-15T00:00:00Z", 39_600),
    ("Asia/Kolkata", "2026-06-01T00:00:00Z", 19_800), ("Asia/Kolkata", "2400-06-01T00:00:00Z", 19_800),
    ("America/Sao_Paulo", "2018-11-04T02:59:59Z", -10_800),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z", -7200),
    ("America/Sao_Paulo", "2026-12-24T00:00:00Z", -10_800), ("UTC", "2026-12-24T00:00:00Z", 0),
  ])
  func `the offset is the database's`(name: String, text: String, offset: Int) throws {
    let time = try #require(UTCTime(text))
    #expect(try TimeZoneRules(named: name).offset(at: time) == offset)
  }

  @Test func `a local time comes once, never in the hole and twice in the overlap`() throws {
    let madrid = try TimeZoneRules(named: "Europe/Madrid")
    #expect(madrid.utcTimes(ofLocal: 2026, 11, 24, 2, 30).map(\.description) == ["2026-11-24T01:30:00Z"])
    #expect(madrid.utcTimes(ofLocal: 2026, 3, 29, 2, 0).isEmpty)
    #expect(madrid.utcTimes(ofLocal: 2026, 3, 29, 2, 59).isEmpty)
    #expect(madrid.endOfHole(atLocal: 2026, 3, 29, 2, 30)?.description == "2026-03-29T01:00:00Z")
    #expect(madrid.endOfHole(atLocal: 2026, 3, 29, 3, 0) == nil)
    #expect(
      madrid.utcTimes(ofLocal: 2026, 10, 25, 2, 30).map(\.description) == [
        "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z",
      ])
    let apia = try TimeZoneRules(named: "Pacific/Apia")
    #expect(apia.utcTimes(ofLocal: 2011, 12, 30, 12, 0).isEmpty, "Samoa left a day out")
    #expect(apia.endOfHole(atLocal: 2011, 12, 30, 12, 0)?.description == "2011-12-30T10:00:00Z")
    let island = try TimeZoneRules(named: "Australia/Lord_Howe")
    #expect(island.utcTimes(ofLocal: 2026, 10, 4, 2, 15).isEmpty)
    #expect(island.endOfHole(atLocal: 2026, 10, 4, 2, 15)?.description == "2026-10-03T15:30:00Z")
    for date in [(2026, 2, 29), (2026, 13, 1), (2026, 4, 31)] {
      #expect(madrid.utcTimes(ofLocal: date.0, date.1, date.2, 0, 0).isEmpty)
    }
  }

  /// Python's zoneinfo reads the same files with code of its own.
  @Test(.enabled(if: Python.isThere)) func `random moments are as Python's zoneinfo has them`() throws {
    var generator = SeededGenerator(seed: 8536)
    var questions: [String] = []
    var zones: [Substring: TimeZoneRules] = [:]
    for name in Self.zones {
      let rules = try TimeZoneRules(named: name)
      zones[name[...]] = rules
      for _ in 0..<150 {
        questions.append("\(name) \(Int64.random(in: -2_200_000_000...7_200_000_000, using: &generator))")
      }
      // Near the changes, where the faults are.
      let changes = rules.changes(from: -2_200_000_000, to: 7_200_000_000)
      for change in changes.shuffled(using: &generator).prefix(60) {
        for delta: Int64 in [-7200, -1800, -1, 0, 1, 1800, 3600] {
          questions.append("\(name) \(change.time + delta)")
          // The digits that a clock on the wall shows then.
          questions.append("\(name) \(change.time + Int64(change.before) + delta)")
        }
      }
    }
    let answers = try Python.answers(questions)
    #expect(answers.count == questions.count && answers.count > 15_000)
    for (question, answer) in zip(questions, answers) {
      let words = question.split(separator: " ")
      let rules = try #require(zones[words[0]])
      let time = UTCTime(secondsSince1970: try #require(Int64(words[1])))
      // The offset, then the moments of the local time that has the moment's digits.
      let local = UTCTime(secondsSince1970: time.secondsSince1970 - Int64(time.clock.second))
      let moments = rules.utcTimes(
        ofLocal: local.date.year, local.date.month, local.date.day, local.clock.hour, local.clock.minute)
      let mine = [rules.offset(at: time)].map { "\($0)" } + moments.map { "\($0.secondsSince1970)" }
      #expect(mine.joined(separator: " ") == answer, "\(question)")
    }
  }

  @Test func `every zone of the system can be read`() throws {
    let directory = TimeZoneRules.systemDirectory
    let enumerator = try #require(FileManager.default.enumerator(atPath: directory))
    var count = 0
    for case let path as String in enumerator {
      guard path.first?.isUppercase == true, !path.hasPrefix("SystemV"),
        let bytes = FileManager.default.contents(atPath: "\(directory)/\(path)"),
        bytes.starts(with: Data("TZif".utf8))
      else { continue }
      count += 1
      #expect(throws: Never.self, "\(path)") { try TimeZoneRules(named: path) }
    }
    #expect(count > 300)
  }

  @Test(arguments: [
    "", "/etc/localtime", "../../../etc/passwd", "Europe/../Europe/Madrid", "Europe//Madrid",
    "Europe/Madrid/",
    "./UTC", "Europe", "Europe/Madrit", "tzdata.zi", "a\0b", String(repeating: "a", count: 5000),
  ])
  func `a name that is none is refused`(name: String) throws {
    let error = try #require(throws: TimeZoneError.self) { try TimeZoneRules(named: name) }
    #expect(error.hint.contains("Europe/Madrid"))
  }

  @Test func `UTC needs no files, another zone says what is missing`() throws {
    #expect(try TimeZoneRules(named: "UTC", directory: "/nonexistent") == .utc)
    let error = try #require(throws: TimeZoneError.self) {
      try TimeZoneRules(named: "Europe/Madrid", directory: "/nonexistent")
    }
    #expect(error.hint == "install the package tzdata, or use UTC")
  }

  @Test(arguments: [
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-07-01T00:00:00Z", 37_800),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0),
    // Summer time all year round.
    ("EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14_400),
    ("EST5EDT,0/0,J365/25", "2026-01-01T04:00:00Z", -14_400),
    // The 60th day without leap days is 1 March.
    ("AAA0BBB,J60/0,J61/0", "2028-03-01T00:00:00Z", 3600),
    ("AAA0BBB,J60/0,J61/0", "2028-02-29T12:00:00Z", 0), ("AAA0BBB,59/0,60/0", "2028-02-29T12:00:00Z", 3600),
    // Godthab before 2023: a change on the eve of the day.
    ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59Z", -10_800),
    ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00Z", -7200),
  ])
  func `the rule of a footer`(text: String, moment: String, offset: Int) throws {
    let rule = try #require(PosixTimeZone(text.utf8))
    #expect(rule.offset(at: try #require(UTCTime(moment)).secondsSince1970) == offset)
  }

  @Test func `summer time all year round changes nothing`() throws {
    let rule = try #require(PosixTimeZone("EST5EDT,0/0,J365/25".utf8))
    #expect(rule.changes(from: 0, to: 2_000_000_000).isEmpty)
  }

  @Test(arguments: [
    "", "CE-1", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x",
    "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J365", "CET-1CEST,0,366", "<+1>-1<",
    "CET-1CEST,M3.5.0/168,M10.5.0", "CET--1", "CET99999999999999999999",
  ])
  func `what is no rule is refused`(text: String) {
    #expect(PosixTimeZone(text.utf8) == nil)
  }

  @Test func `no bytes crash the reader or what it read`() throws {
    var generator = SeededGenerator(seed: 4)
    var read = 0
    for name in ["Europe/Madrid", "Africa/Casablanca", "Australia/Lord_Howe", "Etc/UTC"] {
      let path = "\(TimeZoneRules.systemDirectory)/\(name)"
      let original = [UInt8](try #require(FileManager.default.contents(atPath: path)))
      for round in 0..<3_000 {
        var bytes = original
        switch round % 4 {
        case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
        case 1:
          // Headers and footers.
          let second = bytes.indices.dropFirst(44).first { bytes[$0...].starts(with: "TZif".utf8) } ?? 44
          let places = [4..<44, second..<(second + 44), (bytes.count - 20)..<bytes.count]
          let place = try #require(places.randomElement(using: &generator))
          bytes[Int.random(in: place, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        default:
          for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[index] =
              [0, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &generator)][
                Int.random(in: 0..<5, using: &generator)]
          }
        }
        guard let rules = TimeZoneRules(name: name, bytes: bytes) else { continue }
        read += 1
        for seconds in [Int64.min, -1 << 59, -2_000_000_000, 0, 1_800_000_000, 1 << 45, Int64.max] {
          let offset = rules.offset(at: UTCTime(secondsSince1970: seconds))
          #expect(abs(offset) <= 26 * 3600)
        }
        for year in [-100_000, 1900, 2026, 100_000] {
          let moments = rules.utcTimes(ofLocal: year, 3, 31, 2, 30)
          #expect(moments == moments.sorted())
          _ = rules.endOfHole(atLocal: year, 3, 31, 2, 30)
        }
      }
    }
    #expect(read > 1_000, "most must get past the header")
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      #expect(TimeZoneRules(name: "x", bytes: bytes) == nil)
    }
  }

  @Test func `files that count leap seconds are refused`() throws {
    let path = "/usr/share/zoneinfo/right/Europe/Madrid"
    guard let data = FileManager.default.contents(atPath: path) else { return }
    #expect(TimeZoneRules(name: "right", bytes: [UInt8](data)) == nil)
  }

  @Test(arguments: zip(["2026-11-24T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-28T23:59:59Z"], [2, 4, 0]))
  func `the day of the week`(text: String, weekday: Int) throws {
    #expect(try #require(UTCTime(text)).weekday == weekday)
  }
}

/// Answers from Python's zoneinfo.
private enum Python {
  static let isThere =
    (try? run("import zoneinfo; zoneinfo.ZoneInfo('Europe/Madrid'); print('yes')", "")) == "yes\n"

  /// For each `zone seconds`: the offset, and the moments whose local time has the minute that the seconds have in UTC.
  static func answers(_ questions: [String]) throws -> [String] {
    let script = """
      import sys, zoneinfo
      from datetime import datetime, timedelta, timezone
      epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
      for line in sys.stdin:
        name, seconds = line.split()
        zone = zoneinfo.ZoneInfo(name)
        moment = epoch + timedelta(seconds=int(seconds))
        answer = [int(moment.astimezone(zone).utcoffset().total_seconds())]
        wall = (moment - timedelta(seconds=moment.second)).replace(tzinfo=zone)
        found = set()
        for fold in (0, 1):
          there = wall.replace(fold=fold)
          utc = there.astimezone(timezone.utc)
          if utc.astimezone(zone).replace(tzinfo=None, fold=0) == there.replace(tzinfo=None, fold=0):
            found.add(int((utc - epoch).total_seconds()))
        print(*answer, *sorted(found))
      """
    return try run(script, questions.joined(separator: "\n") + "\n").split(separator: "\n").map(String.init)
  }

  private static func run(_ script: String, _ input: String) throws -> String {
    let directory = FileManager.default.temporaryDirectory.appending(path: "tsdb-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try input.write(to: directory.appending(path: "in"), atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    process.standardInput = try FileHandle(forReadingFrom: directory.appending(path: "in"))
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }
}
