import Testing
import Timekeeping

@testable import Maintenance

/// The pure values of health.
@Suite struct HealthValueTests {
  @Test func `the worst is critical, then unknown, then a warning`() {
    #expect(HealthStatus.worst([.ok, .warning, .unknown, .critical]) == .critical)
    #expect(HealthStatus.worst([.warning, .unknown, .ok]) == .unknown)
    #expect(HealthStatus.worst([.ok, .warning]) == .warning)
    #expect(HealthStatus.worst([]) == .ok)
    #expect(HealthStatus.allCases.map(\.rawValue) == [0, 1, 2, 3])
  }

  @Test(arguments: [
    (
      PerformanceData("xid-age", 152_000_000, warning: 3e8, critical: 1.6e9),
      "xid_age=152000000;300000000;1600000000"
    ),
    (PerformanceData("a", 1.5, unit: .percent), "a=1.5%"),
    (PerformanceData("a", -0.25, unit: .seconds, critical: 9), "a=-0.25s;;9"),
    (PerformanceData("a", 0.05), "a=0.05"),
    (PerformanceData("a", nil, warning: 1), "a=U"),
    (PerformanceData("a", .infinity), "a=U"),
    (PerformanceData("It's|=\n ñ", 1), "it_s_____=1"),
    (
      PerformanceData("a", 1e300, unit: .bytes),
      "a=900000000000000B"
    ),
  ])
  func `performance data is written as the guidelines want`(_ data: PerformanceData, _ text: String) {
    #expect(data.text == text)
    #expect(data.text.wholeMatch(of: /[a-z0-9_]+=(U|-?[0-9]+(\.[0-9]+)?(s|%|B)?(;[-.0-9]*){0,2})/) != nil)
  }

  @Test func `limits are read by their unit`() throws {
    let known = HealthChecks.descriptions.flatMap(\.thresholds) + BackupsCheck.description.thresholds
    var limits = HealthLimits()
    try limits.set(.warning, "backup-age=30h", among: known)
    try limits.set(.critical, "slot-wal=2GB", among: known)
    try limits.set(.critical, "sequence-used=95%", among: known)
    #expect(limits.applied(to: BackupsCheck.age).warning == 108_000)
    #expect(limits.applied(to: BackupsCheck.age).critical == 180_000)
    #expect(limits.applied(to: ReplicationSlotsCheck.retained).critical == 2_147_483_648)
    #expect(limits.applied(to: SequencesCheck.used).critical == 95)
    for text in [
      "nothing", "no-such=1", "backup-age=30", "backup-age=", "slot-wal=2PB", "sequence-used=-1",
      "view-age=1e3", "=1",
    ] {
      #expect(throws: MaintenanceError.self) { try limits.set(.warning, text, among: known) }
    }
  }

  @Test func `names of checks and thresholds are unique, and every check says what it looks at`() {
    let all = HealthChecks.descriptions + [BackupsCheck.description]
    #expect(Set(all.map(\.name)).count == all.count)
    let thresholds = all.flatMap(\.thresholds).map(\.name)
    #expect(Set(thresholds).count == thresholds.count)
    #expect(all.allSatisfy { !$0.looksAt.isEmpty })
  }

  @Test func `a summary counts what is bad and says what was not seen`() {
    func finding(_ statuses: HealthStatus...) -> HealthFinding {
      HealthFinding(
        "x", problems: statuses.enumerated().map { HealthProblem($1, "p\($0)") }, several: "bad things",
        fine: "fine")
    }
    #expect(finding().summary == "fine")
    #expect(finding(.ok).summary == "fine")
    #expect(finding(.ok, .warning).summary == "p1")
    #expect(finding(.warning, .critical).summary == "2 bad things")
    #expect(finding(.warning, .critical, .unknown).summary == "2 bad things, 1 not to be seen")
    #expect(finding(.unknown, .unknown).summary == "p0, and 1 more that could not be seen")
    #expect(
      finding(.warning, .unknown, .critical, .ok).problems.map(\.status) == [
        .critical, .unknown, .warning, .ok,
      ])
  }

  @Test func `ages near the end of the numbers`() {
    func status(_ age: Int64, freeze: Int64 = 200_000_000, failsafe: Int64 = 1_600_000_000) -> HealthStatus {
      let facts = WraparoundCheck.Facts(
        databases: [.init(database: "app", xid: age, multixact: 0)], freezeMaxAge: freeze,
        multixactFreezeMaxAge: 400_000_000, failsafeAge: failsafe, multixactFailsafeAge: failsafe)
      return WraparoundCheck.verdict(facts, HealthContext(now: .now) { _ in .zero }).status
    }
    #expect(status(200_000_000) == .ok)
    #expect(status(300_000_001) == .warning)
    #expect(status(1_600_000_001) == .critical)
    // Settings that are too high do not hide the end.
    #expect(status(1_650_000_000, freeze: 2_000_000_000, failsafe: 2_100_000_000) == .critical)
  }

  @Test func `sequences that count down, and that begin again`() {
    func used(_ last: Int64?, ascending: Bool = true, cycles: Bool = false, type: String? = "integer")
      -> HealthStatus
    {
      let sequence = SequencesCheck.Sequence(
        label: "s", schema: "public", minimum: ascending ? 1 : Int64.min, maximum: ascending ? Int64.max : -1,
        isAscending: ascending, cycles: cycles, isVisible: true, last: last, table: "t", column: "a",
        type: type)
      return SequencesCheck.verdict([sequence], HealthContext(now: .now) { _ in .zero }).status
    }
    #expect(used(nil) == .ok)
    #expect(used(2_000_000_000) == .critical)
    #expect(used(2_000_000_000, type: "bigint") == .ok)
    #expect(used(-2_000_000_000, ascending: false) == .critical)
    #expect(used(-2_000, ascending: false) == .ok)
    // It begins again only after the column is full.
    #expect(used(2_000_000_000, cycles: true) == .critical)
    #expect(used(.max, cycles: true, type: "bigint") == .ok)
  }

  @Test(
    arguments: [
      (nil, nil, HealthStatus.critical), (3600, nil, .critical), (3600, 3600, .ok),
      (27 * 3600, 3600, .warning),
      (51 * 3600, 3600, .critical), (3600, 9 * 86_400, .warning), (3600, 31 * 86_400, .critical),
    ] as [(Int64?, Int64?, HealthStatus)])
  func `backups by the age of the newest and of its proof`(
    _ newest: Int64?, _ proven: Int64?, _ status: HealthStatus
  ) {
    let now = UTCTime(year: 2026, month: 6, day: 1)
    var facts = BackupsCheck.Facts(
      newest: newest.map { now + -$0 }, proven: proven.map { now + -$0 }, sources: ["here"])
    #expect(BackupsCheck.verdict(facts, now: now, limits: HealthLimits()).status == status)
    // What is missing may be where nobody could look.
    facts.unseen = [.init("there", reason: "no", remedy: "grant")]
    let blind = BackupsCheck.verdict(facts, now: now, limits: HealthLimits())
    #expect(blind.status == (status == .ok ? .ok : .unknown))
    facts.damaged = ["x"]
    #expect(BackupsCheck.verdict(facts, now: now, limits: HealthLimits()).status == .critical)
  }

  @Test func `a slot by its state`() {
    func status(_ state: String?, active: Bool = true, retained: Int64? = 0) -> HealthStatus {
      ReplicationSlotsCheck.verdict(
        [.init(name: "s", isActive: active, retained: retained, state: state)],
        HealthContext(now: .now) { _ in .zero }
      ).status
    }
    #expect(status("reserved") == .ok)
    #expect(status("reserved", active: false) == .warning)
    #expect(status("extended", retained: 2 << 30) == .warning)
    #expect(status("unreserved") == .critical)
    #expect(status("lost", active: false, retained: nil) == .critical)
  }
}
