/// How a probe stood one control.
public struct SelftestResult: Sendable, Equatable, Encodable {
  public let probe: String
  /// ``SelftestControl/name``.
  public let control: String
  /// What was broken, in one line.
  public let defect: String?
  /// Before anything was broken; nil where nothing is.
  public var before: ProbeState?
  public var after: ProbeState?
  /// What the probe saw at the end.
  public var observed: String?
  /// Why the control was not stood; nil where it was.
  public var problem: String?

  public var isPassed: Bool { problem == nil }

  init(_ step: SelftestStep) {
    probe = step.probe.name
    control = step.control.name
    if case .defect(let defect) = step.control { self.defect = defect.summary } else { defect = nil }
  }

  private enum CodingKeys: String, CodingKey {
    case probe, control, defect, passed, before, after, observed, problem
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(probe, forKey: .probe)
    try container.encode(control, forKey: .control)
    try container.encodeIfPresent(defect, forKey: .defect)
    try container.encode(isPassed, forKey: .passed)
    try container.encodeIfPresent(before, forKey: .before)
    try container.encodeIfPresent(after, forKey: .after)
    try container.encodeIfPresent(observed, forKey: .observed)
    try container.encodeIfPresent(problem, forKey: .problem)
  }
}

/// The results of all controls, in the plan's order.
public struct SelftestReport: Sendable, Equatable, Encodable {
  public let results: [SelftestResult]
  /// Of the plan; more than there are results where the run was interrupted.
  public let planned: Int

  public var failures: [SelftestResult] { results.filter { !$0.isPassed } }
  /// Whether every control was run and stood, and there was at least one.
  public var isPassed: Bool { !results.isEmpty && results.count == planned && failures.isEmpty }

  private enum CodingKeys: String, CodingKey {
    case passed, planned, results
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(isPassed, forKey: .passed)
    try container.encode(planned, forKey: .planned)
    try container.encode(results, forKey: .results)
  }
}
