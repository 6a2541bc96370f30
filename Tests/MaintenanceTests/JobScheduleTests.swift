import TestSupport
import Testing
import Timekeeping

@testable import Maintenance

@Suite struct JobScheduleTests {
  static let zones = [
    "UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Africa/Casablanca",
    "America/St_Johns", "Pacific/Apia",
  ]
  static let expressions = [
    "0 * * * *", "*/15 * * * *", "30 2 * * *", "30 1 * * *", "0,30 0-3 * * *", "0 0 * * *", "59 23 * * *",
    "10 3 * * 0", "*/7 */5 1-7 * *", "0 0 13 * 5", "0 12 29 2 *", "1 0 31 * *", "* 2 * * *",
    "45 */1 1-7 3,10,11 sun",
  ]

  private static func schedule(_ text: String) throws -> JobSchedule { .cron(try CronExpression(text)) }

  /// A year in which the zone has changes of its own: Sao Paulo until 2019, St. John's one minute after midnight until
  /// 2011, Apia's missing day in 2011.
  private static func year(_ zone: String) -> Int {
    switch zone {
    case "Pacific/Apia": 2011
    case "America/St_Johns": 2010
    case "America/Sao_Paulo": 2017
    default: 2028
    }
  }

  /// What a clock on the wall shows, minute by minute.
  private static func walls(_ zone: TimeZoneRules, from start: UTCTime, to end: UTCTime) -> [UTCTime] {
    stride(from: start.secondsSince1970, to: end.secondsSince1970, by: 60).map {
      zone.local(UTCTime(secondsSince1970: $0))
    }
  }

  /// The slots that such a clock meets; knows nothing of how the schedule counts.
  private static func observed(_ expression: CronExpression, _ walls: [UTCTime], from start: UTCTime)
    -> [UTCTime]
  {
    let minutes = (0..<60).map(expression.minutes.contains)
    func matches(_ wall: UTCTime) -> Bool {
      // Years after 1970 only, and whole minutes.
      guard minutes[Int(wall.secondsSince1970 / 60 % 60)] else { return false }
      let date = wall.date
      return expression.hours.contains(wall.clock.hour)
        && expression.matches(month: date.month, day: date.day, weekday: wall.weekday)
    }
    let followsRealTime = expression.text.split(separator: " ")[1].hasPrefix("*")
    var slots: [UTCTime] = []
    var done: Set<UTCTime> = []
    var last = (walls.first ?? start) + -60
    for (index, wall) in walls.enumerated() {
      var isSlot = false
      if followsRealTime {
        isSlot = matches(wall)
      } else {
        // What the clock leaves out comes at once, what it shows again does not come again.
        var shown = last + 60
        while shown < wall {
          if matches(shown), done.insert(shown).inserted { isSlot = true }
          shown = shown + 60
        }
        if matches(wall), done.insert(wall).inserted { isSlot = true }
      }
      if isSlot { slots.append(start + Int64(index) * 60) }
      last = wall
    }
    return slots
  }

  @Test(arguments: zones) func `over a year each slot comes exactly once`(name: String) throws {
    let zone = try TimeZoneRules(named: name)
    let year = Self.year(name)
    let (start, end) = (UTCTime(year: year, month: 1, day: 1), UTCTime(year: year + 1, month: 1, day: 1))
    let walls = Self.walls(zone, from: start, to: end)
    #expect(name == "UTC" || zone.changesOffset(from: start, to: end))
    for text in Self.expressions {
      let expression = try CronExpression(text)
      let observed = Self.observed(expression, walls, from: start)
      let schedule = JobSchedule.cron(expression)
      var slots: [UTCTime] = []
      var time = start + -1
      // In portions, so that their seams are tried as well.
      while time < end {
        let next = schedule.nextSlots(after: time, count: 97, zone: zone)
        slots += next.filter { $0 < end }
        time = next.last ?? end
      }
      #expect(slots == observed, "\(text) in \(name)")
      var generator = SeededGenerator(seed: 5)
      for _ in 0..<30 where !observed.isEmpty {
        let index = Int.random(in: 0..<observed.count, using: &generator)
        let until = index + 1 < observed.count ? observed[index + 1] : end
        for time in [observed[index], until + -1] {
          #expect(
            schedule.latestSlot(atOrBefore: time, zone: zone) == observed[index],
            "\(text) in \(name) at \(time)")
        }
      }
    }
  }

  @Test(arguments: [
    // The hole: 02:30 does not exist on 29 March; the slot is 03:00 of summer time.
    ("30 2 * * *", "2026-03-29T00:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
    ("0,30 2 * * *", "2026-03-29T00:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]),
    ("30 3 * * *", "2026-03-29T00:00:00Z", ["2026-03-29T01:30:00Z", "2026-03-30T01:30:00Z"]),
    // The overlap: 02:30 comes at 00:30Z and again at 01:30Z on 25 October.
    ("30 2 * * *", "2026-10-24T12:00:00Z", ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    ("0 * * * *", "2026-03-29T00:00:00Z", ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]),
    (
      "0 * * * *", "2026-10-24T23:00:00Z",
      ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]
    ),
    ("0 0 29 2 *", "2026-01-01T00:00:00Z", ["2028-02-28T23:00:00Z", "2032-02-28T23:00:00Z"]),
    ("0 12 29 2 */7", "2076-01-01T00:00:00Z", ["2088-02-29T11:00:00Z", "2128-02-29T11:00:00Z"]),
  ])
  func `slots in Madrid`(text: String, after: String, slots: [String]) throws {
    let zone = try TimeZoneRules(named: "Europe/Madrid")
    let next = try Self.schedule(text).nextSlots(
      after: try #require(UTCTime(after)), count: slots.count, zone: zone)
    #expect(next.map(\.description) == slots)
  }

  @Test func `spans are counted from 1970`() {
    let schedule = JobSchedule.every(.seconds(900))
    func latest(_ seconds: Int64) -> Int64? {
      schedule.latestSlot(atOrBefore: UTCTime(secondsSince1970: seconds), zone: .utc)?.secondsSince1970
    }
    #expect(latest(900) == 900 && latest(1799) == 900 && latest(-1) == -900 && latest(-900) == -900)
    #expect(
      schedule.nextSlots(after: UTCTime(secondsSince1970: 900), count: 2, zone: .utc).map(\.secondsSince1970)
        == [1800, 2700])
    #expect(
      JobSchedule.every(.zero).nextSlots(after: UTCTime(secondsSince1970: 0), count: 1, zone: .utc)
        == [UTCTime(secondsSince1970: 60)])
  }

  /// A clock that callers look at: every five minutes, with gaps, and set back now and then.
  private enum Caller: CaseIterable { case everyFiveMinutes, gaps, jumps }

  @Test(arguments: ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe"])
  func `no slot is lost or done twice, however the callers come`(name: String) throws {
    let zone = try TimeZoneRules(named: name)
    let (start, end) = (UTCTime(year: 2026, month: 1, day: 1), UTCTime(year: 2027, month: 1, day: 1))
    let walls = Self.walls(zone, from: start, to: end)
    let changes = stride(from: start.secondsSince1970, to: end.secondsSince1970, by: 3600).filter {
      zone.changesOffset(from: UTCTime(secondsSince1970: $0), to: UTCTime(secondsSince1970: $0 + 3599))
    }
    #expect(changes.count == 2)
    for text in ["30 2 * * *", "30 1 * * *", "0 * * * *", "10 3 * * 0"] {
      let expression = try CronExpression(text)
      let slots = Self.observed(expression, walls, from: start)
      for caller in Caller.allCases {
        if caller == .everyFiveMinutes {
          for change in changes.map(UTCTime.init(secondsSince1970:)) {
            let (first, last) = (change + -2 * 86_400, change + 7 * 86_400)
            let done = try simulate(expression, zone, caller, slots, from: first, to: last)
            #expect(done == slots.filter { $0 > first && $0 < last }, "\(text) in \(name)")
          }
        } else {
          let done = try simulate(expression, zone, caller, slots, from: start, to: end)
          #expect(done == Set(done).sorted(), "\(text) in \(name), \(caller)")
          #expect(Set(done).isSubset(of: slots) && done.count > 30)
        }
      }
    }
  }

  /// - Returns: the slots that were done, as they were done.
  private func simulate(
    _ expression: CronExpression, _ zone: TimeZoneRules, _ caller: Caller, _ slots: [UTCTime],
    from start: UTCTime,
    to end: UTCTime
  ) throws -> [UTCTime] {
    var generator = SeededGenerator(seed: 11)
    let job = JobDefinition(name: "j", work: .check, schedule: .cron(expression))
    var history = JobHistory(lastSuccess: run(0, slot: start), lastRun: run(0, slot: start))
    var done: [UTCTime] = []
    var (time, highest, count) = (start, start, 0)
    var seen = 0
    while time < end {
      count += 1
      let decision = try #require(
        DueDecision(histories: ["j": history], now: time, zone: zone).jobs([job]).first)
      if let slot = decision.slot {
        done.append(slot)
        let run = run(Int64(count), slot: slot)
        history = JobHistory(lastSuccess: run, lastRun: run)
      }
      highest = max(highest, time)
      while seen < slots.count, slots[seen] <= highest { seen += 1 }
      // After each call the newest slot that any call has seen is done.
      let newest = seen > 0 ? max(slots[seen - 1], start) : start
      #expect(history.lastSuccess?.slot == newest, "\(expression.text) in \(zone.name) at \(time)")
      switch caller {
      case .everyFiveMinutes: time = time + 300
      case .gaps: time = time + Int64.random(in: 60...260_000, using: &generator)
      case .jumps:
        time =
          time
          + (count % 5 == 0
            ? -Int64.random(in: 1...20_000, using: &generator)
            : Int64.random(in: 300...15_000, using: &generator))
      }
    }
    return done
  }

  private func run(_ id: Int64, slot: UTCTime) -> JobHistory.Run {
    JobHistory.Run(id: id, slot: slot, started: slot + 60, ended: slot + 70, outcome: .ok)
  }
}
