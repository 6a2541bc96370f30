import Testing
import Timekeeping

@testable import Maintenance

@Suite struct PartitionsPlanTests {
  @Test(arguments: [
    (2026, 12, 31, "2026_12_31", "2026_w53", "2026_12", "2026"),
    (2027, 1, 1, "2027_01_01", "2026_w53", "2027_01", "2027"),
    (2024, 12, 30, "2024_12_30", "2025_w01", "2024_12", "2024"),
    (2024, 2, 29, "2024_02_29", "2024_w09", "2024_02", "2024"),
    (1969, 12, 29, "1969_12_29", "1970_w01", "1969_12", "1969"),
    (1965, 1, 3, "1965_01_03", "1964_w53", "1965_01", "1965"),
  ])
  func `periods are named by the calendar, weeks by ISO 8601`(
    _ year: Int, _ month: Int, _ day: Int, _ dayName: String, _ week: String, _ monthName: String,
    _ yearName: String
  ) {
    let time = UTCTime(year: year, month: month, day: day, hour: 23, minute: 59, second: 59)
    let expected: [PartitionRule.Interval: String] = [
      .day: dayName, .week: week, .month: monthName, .year: yearName,
    ]
    for interval in PartitionRule.Interval.allCases {
      let period = PartitionPeriod(interval, containing: time)
      #expect(period.suffix(interval) == expected[interval])
      #expect(period.start <= time && time < period.end)
    }
  }

  @Test(arguments: PartitionRule.Interval.allCases)
  func `periods follow one another without a gap for twenty years`(_ interval: PartitionRule.Interval) {
    let start = UTCTime(year: 2015, month: 3, day: 5)
    let periods = PartitionPeriod.periods(interval, from: start, ahead: 7300)
    #expect(zip(periods, periods.dropFirst()).allSatisfy { $0.end == $1.start })
    #expect(Set(periods.map { $0.suffix(interval) }).count == periods.count)
  }

  @Test func `names keep within 63 bytes, and stay apart`() {
    let long = String(repeating: "ñ", count: 31)
    let names = [
      PartitionNaming.partition(of: long, "2026_11"), PartitionNaming.partition(of: long, "2026_12"),
      PartitionNaming.partition(of: String(long.dropLast()) + "n", "2026_11"),
      PartitionNaming.part("\(long)_a", of: long, for: PartitionNaming.partition(of: long, "2026_11")),
      PartitionNaming.part("\(long)_b", of: long, for: PartitionNaming.partition(of: long, "2026_11")),
    ]
    #expect(names.allSatisfy { $0.utf8.count <= 63 })
    #expect(Set(names).count == names.count)
    #expect(names[0].hasSuffix("_2026_11"))
    #expect(PartitionNaming.part("t_pkey", of: "t", for: "t_2026") == "t_2026_pkey")
    #expect(PartitionNaming.part("odd", of: "t", for: "t_2026") == "t_2026_odd")
  }

  @Test(arguments: [nil, "", "two\nlines", "tsdb: retired from x"])
  func `a mark is read as it was written`(_ original: String?) {
    let parent = CataloguedRelation(oid: 1, schema: "a, rows before b", name: "c\"; to be dropped")
    let mark = PartitionMark(parent: parent, end: UTCTime(year: 2026, month: 1, day: 1), original: original)
    #expect(PartitionMark(mark.comment) == mark)
  }

  @Test(arguments: [
    nil, "", "Auditoría", "tsdb: retired from", "tsdb: retired from \"a\".\"b\"; to be dropped",
    "tsdb: retired from \"a\".\"b\", rows before 2026-13-01T00:00:00Z; to be dropped",
    "x tsdb: retired from \"a\".\"b\", rows before 2026-01-01T00:00:00Z; to be dropped",
    "tsdb: retired from \"a\".\"b\", rows before 2026-01-01T00:00:00Z; to be dropped or not",
  ])
  func `no other comment is a mark`(_ comment: String?) {
    #expect(PartitionMark(comment) == nil)
  }

  private static func day(_ day: Int) -> UTCTime { UTCTime(year: 2026, month: 11, day: day) }

  private static func partition(_ start: Int?, _ end: Int?) -> PartitionFacts.Partition {
    PartitionFacts.Partition(
      relation: CataloguedRelation(oid: 9, schema: "s", name: "p"), start: start.map(day), end: end.map(day))
  }

  @Test func `gaps are what no partition holds`() {
    let period = PartitionPeriod(start: Self.day(1), end: Self.day(30))
    func gaps(_ partitions: PartitionFacts.Partition...) -> [[Int]] {
      PartitionPlan.gaps(in: period, partitions).map { [$0.start.date.day, $0.end.date.day] }
    }
    #expect(gaps() == [[1, 30]])
    #expect(gaps(Self.partition(1, 30)) == [])
    #expect(gaps(Self.partition(nil, nil)) == [])
    #expect(gaps(Self.partition(nil, 3), Self.partition(20, nil)) == [[3, 20]])
    #expect(gaps(Self.partition(10, 12), Self.partition(5, 10)) == [[1, 5], [12, 30]])
  }

  @Test func `the plan says which locks are taken`() {
    var facts = PartitionFacts(
      table: CataloguedRelation(oid: 1, schema: "public", name: "t"), column: "at", keyType: .timestamptz,
      partitions: [Self.partition(nil, 2)])
    let rule = PartitionRule(table: "public.t", interval: .month, ahead: 0, keep: .seconds(86_400))
    let plain = PartitionPlan(rule, facts, now: Self.day(24)).steps(facts)
    #expect(plain.map(\.action) == ["create", "drop"])
    #expect(plain[0].locks == ["SHARE UPDATE EXCLUSIVE on public.t"])
    #expect(plain[1].locks[0].hasPrefix("SHARE UPDATE EXCLUSIVE on public.t"))
    facts.defaultPartition = CataloguedRelation(oid: 2, schema: "public", name: "t_default")
    let guarded = PartitionPlan(rule, facts, now: Self.day(24)).steps(facts)
    #expect(guarded[0].locks.contains("ACCESS EXCLUSIVE on public.t_default (briefly)"))
    #expect(guarded[1].locks[0] == "ACCESS EXCLUSIVE on public.t (briefly)")
  }
}
