extension DeploymentRecord {
  /// Notes that a step begins; recorded before anything of it is done.
  public mutating func begin(_ step: DeploymentStep, at time: String) {
    state = .running
    ended = nil
    Self.begin(step, at: time, in: &steps)
  }

  /// Notes how the step that was begun ended.
  public mutating func end(
    _ step: DeploymentStep, _ outcome: Outcome, at time: String, summary: String?, findings: [String] = []
  ) {
    Self.end(step, outcome, at: time, summary: summary, findings: findings, in: &steps)
    if outcome == .failed { state = .failed }
  }

  /// Notes that a step is left out.
  public mutating func skip(_ step: DeploymentStep, because: String, at time: String) {
    steps.removeAll { $0.step == step }
    var entry = Step(step, .skipped, started: time, attempts: 0)
    entry.ended = time
    entry.because = because
    steps.append(entry)
  }

  public mutating func begin(_ step: RollbackStep, at time: String) {
    state = .rollingBack
    ended = nil
    guard var rollback else { return }
    Self.begin(step, at: time, in: &rollback.steps)
    self.rollback = rollback
  }

  public mutating func end(
    _ step: RollbackStep, _ outcome: Outcome, at time: String, summary: String?, findings: [String] = []
  ) {
    guard var rollback else { return }
    Self.end(step, outcome, at: time, summary: summary, findings: findings, in: &rollback.steps)
    self.rollback = rollback
  }

  private static func begin<Name: Equatable>(_ step: Name, at time: String, in steps: inout [Step<Name>]) {
    guard let index = steps.firstIndex(where: { $0.step == step }) else {
      steps.append(Step(step, .running, started: time))
      return
    }
    steps[index].outcome = .running
    steps[index].started = time
    steps[index].ended = nil
    steps[index].summary = nil
    steps[index].findings = []
    steps[index].because = nil
    steps[index].attempts += 1
  }

  private static func end<Name: Equatable>(
    _ step: Name, _ outcome: Outcome, at time: String, summary: String?, findings: [String],
    in steps: inout [Step<Name>]
  ) {
    guard let index = steps.firstIndex(where: { $0.step == step }) else { return }
    steps[index].outcome = outcome
    steps[index].ended = time
    steps[index].summary = summary
    steps[index].findings = findings
  }
}
