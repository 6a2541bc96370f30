import Backups
import TestSupport
import Testing
import Timekeeping

struct RetentionTests {
  private func candidate(_ time: String, verified: Bool = false, proven: Bool = false, series: String = "app")
    throws -> RetentionPlan.Candidate
  {
    RetentionPlan.Candidate(
      id: time, series: series, time: try #require(UTCTime(time)), isVerified: verified, isProven: proven)
  }

  private let none = RetentionPolicy(last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0)

  private func kept(_ plan: RetentionPlan) -> [String: [String]] {
    Dictionary(
      uniqueKeysWithValues: plan.decisions.filter(\.isKept).map {
        ($0.candidate.id, $0.reasons.map(\.description))
      })
  }

  @Test func `a policy of nothing keeps the newest, the newest verified and the newest proven`() throws {
    let plan = RetentionPlan(
      [
        try candidate("2026-01-01T00:00:00Z", proven: true), try candidate("2026-01-02T00:00:00Z"),
        try candidate("2026-01-03T00:00:00Z", verified: true), try candidate("2026-01-04T00:00:00Z"),
        try candidate("2026-01-05T00:00:00Z"),
      ], policy: none)
    #expect(
      kept(plan) == [
        "2026-01-05T00:00:00Z": ["newest"], "2026-01-03T00:00:00Z": ["newest verified"],
        "2026-01-01T00:00:00Z": ["newest proven"],
      ])
    #expect(plan.removed.map(\.id) == ["2026-01-04T00:00:00Z", "2026-01-02T00:00:00Z"])
  }

  @Test func `the newest of each day, week, month and year is kept`() throws {
    let times = [
      "2024-12-30T10:00:00Z", "2025-06-01T10:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z",
      "2026-01-04T23:59:59Z", "2026-01-05T00:00:00Z", "2026-01-05T00:30:00Z",
    ]
    var policy = none
    (policy.daily, policy.weekly, policy.yearly) = (2, 2, 9)
    let plan = RetentionPlan(try times.map { try candidate($0) }, policy: policy)
    #expect(
      kept(plan) == [
        "2026-01-05T00:30:00Z": ["newest", "daily 2026-01-05", "weekly 2026-W02", "yearly 2026"],
        "2026-01-04T23:59:59Z": ["daily 2026-01-04", "weekly 2026-W01"],
        "2025-12-31T23:59:59Z": ["yearly 2025"], "2024-12-30T10:00:00Z": ["yearly 2024"],
      ])
    policy = none
    (policy.monthly, policy.hourly, policy.last) = (3, 1, 2)
    #expect(
      kept(RetentionPlan(try times.map { try candidate($0) }, policy: policy)) == [
        "2026-01-05T00:30:00Z": [
          "newest", "one of the last 2", "hourly 2026-01-05 00h", "monthly 2026-01",
        ],
        "2026-01-05T00:00:00Z": ["one of the last 2"], "2025-12-31T23:59:59Z": ["monthly 2025-12"],
        "2025-06-01T10:00:00Z": ["monthly 2025-06"],
      ])
  }

  /// Source: ISO 8601; 2020 and 2026 have 53 weeks.
  @Test(arguments: [
    ("2021-01-03T12:00:00Z", "2020-W53"), ("2021-01-04T12:00:00Z", "2021-W01"),
    ("2026-12-31T12:00:00Z", "2026-W53"), ("2024-12-30T12:00:00Z", "2025-W01"),
    ("1969-12-29T00:00:00Z", "1970-W01"), ("1969-12-28T23:59:59Z", "1969-W52"),
    ("1969-12-22T00:00:00Z", "1969-W52"), ("1969-12-21T23:59:59Z", "1969-W51"),
  ])
  func `weeks are those of ISO 8601`(time: String, week: String) throws {
    var policy = none
    policy.weekly = 1
    let plan = RetentionPlan([try candidate(time)], policy: policy)
    #expect(kept(plan).values.first == ["newest", "weekly \(week)"])
  }

  @Test func `backups of different databases do not count against one another`() throws {
    let plan = RetentionPlan(
      [
        try candidate("2026-01-01T00:00:00Z", series: "a"),
        try candidate("2026-01-02T00:00:00Z", series: "b"),
      ], policy: none)
    #expect(plan.removed.isEmpty)
  }

  /// Histories of up to 60 backups at random times, often equal or close, in up to three series.
  private func history(_ generator: inout SeededGenerator) -> [RetentionPlan.Candidate] {
    let span = [3_600, 86_400 * 3, 86_400 * 40, 86_400 * 900].randomElement(using: &generator) ?? 0
    let step = [1, 60, 3_600, 43_200].randomElement(using: &generator) ?? 1
    return (0..<Int.random(in: 0...60, using: &generator)).map { number in
      let offset = Int.random(in: 0...span, using: &generator) / step * step
      return RetentionPlan.Candidate(
        id: "b\(number)", series: "s\(Int.random(in: 0...2, using: &generator))",
        time: UTCTime(secondsSince1970: 1_790_000_000 + Int64(offset)),
        isVerified: Int.random(in: 0..<4, using: &generator) == 0,
        isProven: Int.random(in: 0..<8, using: &generator) == 0)
    }
  }

  private func policy(_ generator: inout SeededGenerator) -> RetentionPolicy {
    func count() -> Int { Int.random(in: 0...8, using: &generator) / 2 }
    return RetentionPolicy(
      last: count(), hourly: count(), daily: count(), weekly: count(), monthly: count(), yearly: count())
  }

  @Test func `whatever the history, the invariants hold, and pruning twice is pruning once`() {
    var generator = SeededGenerator(seed: 20_261_124)
    for round in 0..<5_000 {
      let candidates = history(&generator)
      let policy = policy(&generator)
      let plan = RetentionPlan(candidates, policy: policy)
      let kept = plan.kept
      #expect(
        Set(kept.map(\.id)).union(plan.removed.map(\.id)) == Set(candidates.map(\.id)), "round \(round)")
      #expect(kept.count + plan.removed.count == candidates.count, "round \(round)")
      #expect(RetentionPlan(kept, policy: policy).removed.isEmpty, "round \(round)")
      #expect(RetentionPlan(candidates.shuffled(using: &generator), policy: policy) == plan, "round \(round)")
      for series in Set(candidates.map(\.series)) {
        let all = candidates.filter { $0.series == series }
        let keptOnes = kept.filter { $0.series == series }
        check(all, keptOnes, policy, round)
      }
    }
  }

  private func check(
    _ all: [RetentionPlan.Candidate], _ kept: [RetentionPlan.Candidate], _ policy: RetentionPolicy,
    _ round: Int
  ) {
    func newest(_ list: [RetentionPlan.Candidate]) -> UTCTime? { list.map(\.time).max() }
    #expect(newest(kept) == newest(all), "round \(round)")
    #expect(newest(kept.filter(\.isVerified)) == newest(all.filter(\.isVerified)), "round \(round)")
    #expect(newest(kept.filter(\.isProven)) == newest(all.filter(\.isProven)), "round \(round)")
    // By an independent way: the days' texts, and the newest time in each of the last few.
    let days = Set(all.map { String($0.time.description.prefix(10)) }).sorted().suffix(policy.daily)
    for day in days {
      let ofDay = all.filter { $0.time.description.hasPrefix(day) }
      #expect(kept.contains { $0.time == newest(ofDay) }, "round \(round)")
    }
    let months = Set(all.map { String($0.time.description.prefix(7)) }).sorted().suffix(policy.monthly)
    for month in months {
      let ofMonth = all.filter { $0.time.description.hasPrefix(month) }
      #expect(kept.contains { $0.time == newest(ofMonth) }, "round \(round)")
    }
    // Never more than the policy's numbers and the three that are always kept.
    let most =
      policy.last + policy.hourly + policy.daily + policy.weekly + policy.monthly + policy.yearly + 3
    #expect(kept.count <= most, "round \(round)")
    #expect(kept.count >= min(policy.last, all.count), "round \(round)")
  }
}
