import Testing

@testable import Deployments

@Suite struct DecisionTests {
  static func record(_ id: String, _ state: DeploymentRecord.State, upTo last: DeploymentStep? = nil)
    -> DeploymentRecord
  {
    var record = DeploymentRecord(
      id: id, database: "app", systemIdentifier: "1", host: "h", tool: "t", started: "2026-01-01T00:00:00Z")
    for step in DeploymentStep.allCases {
      guard let last, step <= last else { break }
      record.begin(step, at: "t")
      record.end(step, .done, at: "t", summary: nil)
    }
    record.state = state
    return record
  }

  @Test func `nothing recorded, and what has ended, begin anew`() {
    #expect(DeploymentDecision([]) == .start)
    for state in [DeploymentRecord.State.deployed, .rolledBack, .abandoned] {
      #expect(DeploymentDecision([Self.record("2", state)]) == .start)
    }
  }

  @Test(arguments: DeploymentStep.allCases)
  func `an interrupted or failed one continues at the step that was begun`(step: DeploymentStep) {
    let before = DeploymentStep.allCases.filter { $0 < step }.last
    for outcome in [DeploymentRecord.Outcome.running, .failed] {
      var record = Self.record("2", .running, upTo: before)
      record.begin(step, at: "t")
      if outcome == .failed { record.end(step, .failed, at: "t", summary: "no") }
      #expect(DeploymentDecision([Self.record("1", .deployed), record]) == .resume(record, at: step))
      #expect(record.state == (outcome == .failed ? .failed : .running))
    }
  }

  @Test func `a skipped step is passed over`() {
    var record = Self.record("2", .running, upTo: .preflight)
    record.skip(.backup, because: "taken by hand", at: "t")
    #expect(record.nextStep == .prove)
    #expect(record.step(.backup)?.because == "taken by hand")
  }

  @Test func `a fresh one gives up what has not reached the database, and continues what has`() {
    let untouched = Self.record("2", .failed, upTo: .backup)
    #expect(DeploymentDecision([untouched], isFresh: true) == .start)
    var begun = Self.record("2", .failed, upTo: .prove)
    begun.begin(.migrate, at: "t")
    #expect(DeploymentDecision([begun], isFresh: true) == .resume(begun, at: .migrate))
  }

  @Test func `a way back that has begun is finished first`() {
    let record = Self.record("2", .rollingBack, upTo: .migrate)
    #expect(DeploymentDecision([record], isFresh: true) == .refuse(record))
  }

  @Test func `the way back wants a changed database and a backup`() {
    #expect(RollbackDecision([]) == .none)
    let untouched = Self.record("1", .failed, upTo: .prove)
    #expect(RollbackDecision([untouched]) == .abandon(untouched))
    var changed = Self.record("2", .deployed, upTo: .report)
    #expect(RollbackDecision([untouched, changed]) == .impossible(changed))
    changed.backup = .init(id: "b", path: "/b", snapshotTime: "t")
    #expect(RollbackDecision([untouched, changed]) == .restore(changed))
    #expect(RollbackDecision([untouched, changed], id: "1") == .abandon(untouched))
    changed.state = .rolledBack
    #expect(RollbackDecision([changed]) == .alreadyDone(changed))
  }

  @Test func `the way back of one deployment is asked for by its id or the beginning of it`() {
    let records = ["10", "11", "2"].map { Self.record($0, .failed, upTo: .prove) }
    #expect(RollbackDecision(records, id: "1") == .ambiguous(["10", "11"]))
    #expect(RollbackDecision(records, id: "11") == .abandon(records[1]))
    #expect(RollbackDecision(records, id: "2") == .abandon(records[2]))
    #expect(RollbackDecision(records + [Self.record("1", .failed, upTo: .prove)], id: "1") != .none)
    for id in ["3", ""] { #expect(RollbackDecision(records, id: id) == .none) }
    // What was given up is not what a plain "tsdb rollback" means.
    #expect(RollbackDecision([records[0], Self.record("3", .abandoned)]) == .abandon(records[0]))
  }

  @Test func `another attempt at a step keeps the count and forgets the failure`() {
    var record = Self.record("1", .running, upTo: .prove)
    record.begin(.migrate, at: "a")
    record.end(.migrate, .failed, at: "b", summary: "refused", findings: ["x"])
    record.begin(.migrate, at: "c")
    let step = record.step(.migrate)
    #expect(step?.attempts == 2)
    #expect(step?.outcome == .running && step?.summary == nil && step?.findings == [] && step?.ended == nil)
    #expect(record.state == .running)
  }
}
