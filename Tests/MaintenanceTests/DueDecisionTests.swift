import Testing
import Timekeeping

@testable import Maintenance

@Suite struct DueDecisionTests {
  private let now = UTCTime(year: 2026, month: 11, day: 24, hour: 8, minute: 30)

  private func time(_ text: String) throws -> UTCTime { try #require(UTCTime(text)) }

  private func job(
    _ name: String, _ schedule: String = "0 2 * * *", after: [String] = []
  ) throws -> JobDefinition {
    var job = JobDefinition(name: name, work: .check, schedule: .cron(try CronExpression(schedule)))
    job.onlyAfter = after
    return job
  }

  private func run(
    _ id: Int64, slot: String?, started: String, ended: String? = nil, _ outcome: JobOutcome = .ok,
    reason: String? = nil
  ) throws -> JobHistory.Run {
    JobHistory.Run(
      id: id, slot: try slot.map(time), started: try time(started), ended: try time(ended ?? started),
      outcome: outcome, reason: reason)
  }

  private func decide(
    _ jobs: [JobDefinition], _ histories: [String: JobHistory] = [:], zone: TimeZoneRules = .utc
  ) throws -> [DueJob] {
    try DueDecision(histories: histories, now: now, zone: zone).jobs(jobs)
  }

  @Test func `a job that never ran is due for its newest slot`() throws {
    let due = try #require(decide([job("a")]).first)
    #expect(due.state == .due(slot: try time("2026-11-24T02:00:00Z")))
    #expect(due.reason == "slot 02:00 of 2026-11-24 not done; never ran" && due.expectedMilliseconds == nil)
  }

  @Test(arguments: [JobOutcome.ok, .partial])
  func `ten missed slots are one run, for the newest`(outcome: JobOutcome) throws {
    let success = try run(1, slot: "2026-11-14T02:00:00Z", started: "2026-11-14T02:00:13Z", outcome)
    let history = JobHistory(lastSuccess: success, lastRun: success, medianMilliseconds: 70)
    let due = try #require(decide([job("a")], ["a": history]).first)
    #expect(due.slot == (try time("2026-11-24T02:00:00Z")) && due.expectedMilliseconds == 70)
    #expect(due.reason == "slot 02:00 of 2026-11-24 not done; last success 2026-11-14T02:00:13Z")
  }

  @Test func `a slot that is done is not due again`() throws {
    let success = try run(1, slot: "2026-11-24T02:00:00Z", started: "2026-11-24T07:00:13Z")
    let due = try #require(
      decide([job("a")], ["a": JobHistory(lastSuccess: success, lastRun: success)]).first)
    #expect(due.state == .notDue(next: try time("2026-11-25T02:00:00Z")))
    #expect(due.reason == "next slot 02:00 of 2026-11-25; last success 2026-11-24T07:00:13Z")
  }

  @Test(arguments: [("2026-11-24T02:00:00Z", false), ("2026-11-24T01:59:59Z", true)])
  func `a success by hand counts with its start`(started: String, isDue: Bool) throws {
    let success = try run(1, slot: nil, started: started)
    let due = try #require(
      decide([job("a")], ["a": JobHistory(lastSuccess: success, lastRun: success)]).first)
    #expect((due.slot != nil) == isDue)
  }

  @Test(arguments: [
    // Of the same slot: five minutes.
    ("2026-11-24T02:00:00Z" as String?, "2026-11-24T08:25:01Z", false),
    ("2026-11-24T02:00:00Z", "2026-11-24T08:25:00Z", true),
    // Of an older slot: at once.
    ("2026-11-23T02:00:00Z", "2026-11-24T08:29:00Z", true),
    // By hand, after the slot.
    (nil, "2026-11-24T08:29:00Z", false),
    // The clock was set back.
    ("2026-11-24T02:00:00Z", "2026-11-24T12:00:00Z", true),
    ("2026-11-24T02:00:00Z", "2026-11-24T08:30:02Z", false),
  ])
  func `a failed run is tried again after a while`(slot: String?, ended: String, isDue: Bool) throws {
    let failed = try run(2, slot: slot, started: ended, ended: ended, .failed, reason: "no table")
    let due = try #require(decide([job("a")], ["a": JobHistory(lastRun: failed)]).first)
    #expect((due.slot != nil) == isDue)
    if isDue {
      #expect(due.reason == "slot 02:00 of 2026-11-24 not done; last run failed (no table); never ended well")
    } else if case .waiting(let reason) = due.state {
      #expect(reason.hasPrefix("failed at \(ended) (no table); tried again after 2026-11-24T08:3"))
      #expect(due.reason.hasSuffix(reason))
    } else {
      Issue.record("\(due)")
    }
  }

  @Test func `a run that has not ended leaves its job due: the lock decides`() throws {
    let running = try run(2, slot: "2026-11-24T02:00:00Z", started: "2026-11-24T08:29:59Z", .running)
    let due = try #require(decide([job("a")], ["a": JobHistory(lastRun: running)]).first)
    #expect(due.slot != nil && due.reason.contains("a run of 2026-11-24T08:29:59Z has not ended"))
  }

  @Test func `a success in the future is said`() throws {
    let success = try run(1, slot: "2030-01-01T02:00:00Z", started: "2026-11-24T02:00:13Z")
    let due = try #require(
      decide([job("a")], ["a": JobHistory(lastSuccess: success, lastRun: success)]).first)
    #expect(due.state == .notDue(next: try time("2026-11-25T02:00:00Z")))
    #expect(due.reason.contains("done up to 02:00 of 2030-01-01, which is in the future: a clock was wrong"))
  }

  @Test func `a slot is told in the zone's time`() throws {
    let due = try #require(decide([job("a")], zone: TimeZoneRules(named: "Europe/Madrid")).first)
    #expect(due.reason == "slot 02:00 of 2026-11-24 Europe/Madrid not done; never ran")
    #expect(due.slot == (try time("2026-11-24T01:00:00Z")))
  }

  @Test func `a disabled job is not run`() throws {
    var disabled = try job("a")
    disabled.isEnabled = false
    let jobs = try decide([disabled, job("b", after: ["a"])])
    #expect(jobs[0].state == .disabled)
    #expect(jobs[1].state == .waiting(reason: "runs only after \"a\", which is disabled"))
    #expect(jobs[1].unmet == ["a"])
  }

  @Test func `a job waits for those before it, and is due once they ended well since its last success`()
    throws
  {
    let jobs = [try job("b", after: ["a"]), try job("a")]
    let first = try decide(jobs)
    #expect(first.map(\.job.name) == ["a", "b"])
    #expect(first[0].slot != nil)
    #expect(first[1].state == .waiting(reason: "runs only after \"a\", which has not ended well since"))
    func history(_ id: Int64, _ day: Int) throws -> JobHistory {
      let success = try run(id, slot: "2026-11-\(day)T02:00:00Z", started: "2026-11-\(day)T02:00:13Z")
      return JobHistory(lastSuccess: success, lastRun: success)
    }
    #expect(try decide(jobs, ["a": history(1, 24)])[1].slot != nil, "it never ran itself")
    // In the same second, as quick jobs do: the records' order counts.
    #expect(try decide(jobs, ["a": history(1, 23), "b": history(2, 23)])[1].unmet == ["a"])
    #expect(try decide(jobs, ["a": history(3, 24), "b": history(2, 23)])[1].slot != nil)
  }

  @Test func `the order is as given, but none comes before those it waits for`() throws {
    let jobs = [
      try job("vacuum", after: ["retention", "refresh"]), try job("refresh"),
      try job("retention", after: ["backup"]), try job("check"), try job("backup"),
    ]
    #expect(
      try DueDecision.ordered(jobs).map(\.name) == ["refresh", "check", "backup", "retention", "vacuum"])
  }

  @Test func `circles, unknown names and names given twice are refused`() throws {
    func fault(_ jobs: [JobDefinition]) throws -> MaintenanceError {
      try #require(throws: MaintenanceError.self) { try DueDecision.ordered(jobs) }
    }
    let circle = try fault([job("x", after: ["a"]), job("a", after: ["b"]), job("b", after: ["a"])])
    #expect(circle.kind == .invalidInput)
    #expect(circle.message == "jobs are to run only after each other: \"a\" after \"b\" after \"a\"")
    #expect(try fault([job("a", after: ["a"])]).message.hasSuffix("\"a\" after \"a\""))
    let unknown = try fault([job("a", after: ["bakup"]), job("backup")])
    #expect(unknown.message == "the job \"a\" is to run only after \"bakup\", which does not exist")
    #expect(unknown.hint == "the jobs are: a, backup")
    #expect(try fault([job("a"), job("a")]).message == "the job \"a\" is given twice")
  }
}
