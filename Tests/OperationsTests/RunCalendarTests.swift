import Maintenance
import Operations
import Testing
import Timekeeping

/// Which runs are missing, from schedules and records alone.
@Suite struct `The calendar of runs` {
  private static let now = UTCTime(year: 2026, month: 11, day: 24, hour: 12, minute: 30)

  private func job(_ schedule: String) throws -> JobDefinition {
    JobDefinition(name: "j", work: .check, schedule: .cron(try CronExpression(schedule)))
  }

  private func hour(_ day: Int, _ hour: Int, _ minute: Int = 0) -> UTCTime {
    UTCTime(year: 2026, month: 11, day: day, hour: hour, minute: minute)
  }

  private func run(_ slot: UTCTime?, _ outcome: JobOutcome = .ok, started: UTCTime? = nil) -> CalendarRun {
    CalendarRun(job: "j", slot: slot, started: started ?? slot ?? Self.now, outcome: outcome)
  }

  private let calendar = RunCalendar(days: 3, now: now, zone: .utc)

  @Test func `begins at local midnight`() throws {
    #expect(calendar.days == ["2026-11-22", "2026-11-23", "2026-11-24"])
    #expect(calendar.start == hour(22, 0))
    let madrid = RunCalendar(days: 2, now: hour(24, 23, 30), zone: try TimeZoneRules(named: "Europe/Madrid"))
    #expect(madrid.days == ["2026-11-24", "2026-11-25"])
    #expect(madrid.start == hour(23, 23))
  }

  @Test func `misses what no run was for, and says in which stretch`() throws {
    let runs = [run(hour(22, 3)), run(hour(24, 3))]
    let line = calendar.line(of: try job("0 3 * * *"), runs: runs, knownSince: hour(1, 0))
    #expect(line.days.map(\.expected) == [1, 1, 1] && line.days.map(\.missing) == [0, 1, 0])
    #expect(line.missing == [[hour(23, 3)]] && !line.isLatestMissing)
    let hourly = calendar.line(of: try job("0 * * * *"), runs: [run(hour(24, 5))], knownSince: hour(24, 0))
    #expect(hourly.missing.map(\.count) == [5, 6] && hourly.isLatestMissing)
  }

  @Test func `asks nothing of the time before the records, and of the last hour`() throws {
    let young = calendar.line(of: try job("0 12 * * *"), runs: [], knownSince: hour(24, 0))
    #expect(young.days.allSatisfy { $0.expected == 0 } && young.missing.isEmpty)
    let none = calendar.line(of: try job("0 * * * *"), runs: [], knownSince: nil)
    #expect(none.missing.isEmpty)
    var disabled = try job("0 * * * *")
    disabled.isEnabled = false
    #expect(calendar.line(of: disabled, runs: [], knownSince: hour(1, 0)).missing.isEmpty)
  }

  @Test func `counts the best of a slot's runs, and one by hand for the slot before it`() throws {
    let runs = [
      run(hour(22, 3), .failed), run(hour(22, 3), .ok, started: hour(22, 4)), run(hour(23, 3), .skipped),
      run(nil, started: hour(23, 9)), run(hour(24, 3), .failed),
    ]
    let line = calendar.line(of: try job("0 3 * * *"), runs: runs, knownSince: hour(1, 0))
    #expect(line.days.map(\.done) == [1, 1, 0] && line.days.map(\.failed) == [0, 0, 1])
    #expect(line.days.map(\.byHand) == [0, 1, 0] && line.missing.isEmpty)
    let skipped = calendar.line(
      of: try job("0 3 * * *"), runs: [run(hour(24, 3), .skipped)], knownSince: hour(24, 0))
    #expect(skipped.days.last?.skipped == 1 && skipped.missing.isEmpty)
  }

  @Test(arguments: ["0 0 29 2 *", "0 0 1 1 *", "* * * * *", "0 4 * * 0"])
  func `ends for any schedule`(_ schedule: String) throws {
    let line = calendar.line(of: try job(schedule), runs: [], knownSince: hour(1, 0))
    #expect(line.missing.reduce(0) { $0 + $1.count } == line.days.reduce(0) { $0 + $1.missing })
    if schedule == "* * * * *" { #expect(line.days[0].missing == 1440) }
  }
}
