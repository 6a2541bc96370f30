/// Which relations are vacuumed or analyzed, the neediest first, and which need nothing.
public struct VacuumPlan: Sendable, Equatable {
  public enum Work: String, Sendable, Equatable {
    case vacuum
    case vacuumAnalyze = "vacuum and analyze"
    case analyze

    /// The lock on the relation and whom it keeps waiting.
    public var lock: String {
      "SHARE UPDATE EXCLUSIVE: reads and writes go on; DDL that waits makes it give way"
    }
  }

  public struct Step: Sendable, Equatable {
    public let relation: VacuumFacts
    public let work: Work
    /// Why, in one line.
    public let reason: String
    /// Nearing the wraparound of transaction ids.
    public let isUrgent: Bool
  }

  public let steps: [Step]
  /// Relations that need nothing, or cannot be worked on; with the reason.
  public let left: [JobObject]
  /// Whether relations are meant, and the role may work on none of them.
  public let hasOnlyForeign: Bool
  /// About the whole plan, one sentence each.
  public let notes: [String]

  /// What a job asks for.
  public enum Request: Sendable, Equatable {
    case vacuum
    case vacuumAndAnalyze
    case analyze
  }

  /// - Parameter relations: all tables and materialized views of the database but the system's.
  public init(
    _ request: Request, _ selection: RelationSelection, of relations: [VacuumFacts], limits: VacuumLimits
  ) {
    let selected = relations.filter { selection.selects(schema: $0.schema, name: $0.name) }
    var left = selection.unmatched(among: relations.map { $0.schema + "." + $0.name }).map { pattern in
      pattern.contains("*")
        ? JobObject(pattern, "skipped", detail: "no table matches it")
        : JobObject(pattern, "failed", detail: "there is no such table", sqlState: "42P01")
    }
    var notes: [String] = []
    let foreign = selected.filter { !$0.mayVacuum }
    hasOnlyForeign = !foreign.isEmpty && foreign.count == selected.count
    if selection.include.isEmpty, !foreign.isEmpty {
      notes.append(
        "left out, for they belong to other roles: " + foreign.map(\.label).sorted().joined(separator: ", "))
    } else {
      left += foreign.map { relation in
        JobObject(
          relation.label,
          selection.isNamed(schema: relation.schema, name: relation.name) ? "failed" : "skipped",
          detail: "it belongs to \"\(relation.owner)\"", sqlState: "42501")
      }
    }
    var steps: [Step] = []
    for relation in selected where relation.mayVacuum {
      switch Self.decide(request, relation, limits) {
      case .step(let step): steps.append(step)
      case .nothing(let reason): left.append(JobObject(relation.label, "skipped", detail: reason))
      case .notMeant: break
      }
    }
    self.steps = steps.sorted(by: Self.isNeedier)
    self.left = left
    self.notes = notes
  }

  private enum Decision {
    case step(Step)
    case nothing(String)
    case notMeant
  }

  private static func decide(
    _ request: Request, _ relation: VacuumFacts, _ limits: VacuumLimits
  ) -> Decision {
    if request == .vacuum, relation.isPartitioned { return .notMeant }
    let analyze = request == .vacuum ? nil : needOfAnalyze(relation, limits)
    let vacuum = request == .analyze || relation.isPartitioned ? nil : needOfVacuum(relation, limits)
    switch (vacuum, analyze) {
    case (let vacuum?, let analyze?):
      return .step(
        Step(
          relation: relation, work: .vacuumAnalyze, reason: "\(vacuum.reason); \(analyze)",
          isUrgent: vacuum.isUrgent))
    case (let vacuum?, nil):
      return .step(Step(relation: relation, work: .vacuum, reason: vacuum.reason, isUrgent: vacuum.isUrgent))
    case (nil, let analyze?):
      return .step(Step(relation: relation, work: .analyze, reason: analyze, isUrgent: false))
    case (nil, nil): return .nothing(contentment(request, relation))
    }
  }

  /// The thresholds are below autovacuum's (20 % dead), for it is to find less to do at busy hours.
  private static func needOfVacuum(
    _ relation: VacuumFacts, _ limits: VacuumLimits
  ) -> (reason: String, isUrgent: Bool)? {
    if relation.transactionAge >= limits.transactionAge {
      return ("its oldest row is \(relation.transactionAge) transactions old", true)
    }
    if relation.multixactAge >= limits.multixactAge {
      return ("its oldest multixact is \(relation.multixactAge) old", true)
    }
    guard let seconds = relation.secondsSinceVacuum else {
      return ("no vacuum is known\(since(limits))", false)
    }
    if relation.deadRows >= 50 + relation.liveRows / 50 { return ("\(relation.deadRows) dead rows", false) }
    if relation.insertedSinceVacuum >= 1000 + relation.liveRows / 5 {
      return ("\(relation.insertedSinceVacuum) rows inserted since the last vacuum", false)
    }
    let isOld = seconds > 30 * 86_400
    if isOld, relation.deadRows + relation.insertedSinceVacuum > 0 {
      return ("last vacuumed \(age(seconds))", false)
    }
    return nil
  }

  private static func needOfAnalyze(_ relation: VacuumFacts, _ limits: VacuumLimits) -> String? {
    guard let seconds = relation.secondsSinceAnalyze else { return "no analyze is known\(since(limits))" }
    let changed = relation.changedSinceAnalyze
    if changed > 0, changed * 20 > relation.liveRows {
      return "\(changed) rows changed since the last analyze"
    }
    // Autovacuum never analyzes a partitioned table itself.
    if relation.isPartitioned, seconds > 7 * 86_400 { return "last analyzed \(age(seconds))" }
    return nil
  }

  private static func since(_ limits: VacuumLimits) -> String {
    limits.statisticsReset.map { " since the statistics were reset (\($0))" } ?? ""
  }

  private static func contentment(_ request: Request, _ relation: VacuumFacts) -> String {
    var facts: [String] = []
    if request != .analyze, let seconds = relation.secondsSinceVacuum {
      facts.append("\(relation.deadRows) dead rows, vacuumed \(age(seconds))")
    }
    if request != .vacuum, let seconds = relation.secondsSinceAnalyze {
      facts.append("\(relation.changedSinceAnalyze) rows changed, analyzed \(age(seconds))")
    }
    return "nothing to do: " + facts.joined(separator: "; ")
  }

  private static func age(_ seconds: Int64) -> String {
    switch max(0, seconds) {
    case ..<3600: "less than an hour ago"
    case ..<(2 * 86_400): "\(seconds / 3600) h ago"
    default: "\(seconds / 86_400) days ago"
    }
  }

  private static func isNeedier(_ one: Step, _ other: Step) -> Bool {
    if one.isUrgent != other.isUrgent { return one.isUrgent }
    if one.isUrgent, one.relation.transactionAge != other.relation.transactionAge {
      return one.relation.transactionAge > other.relation.transactionAge
    }
    if one.relation.deadRows != other.relation.deadRows {
      return one.relation.deadRows > other.relation.deadRows
    }
    if one.relation.changedSinceAnalyze != other.relation.changedSinceAnalyze {
      return one.relation.changedSinceAnalyze > other.relation.changedSinceAnalyze
    }
    return (one.relation.schema, one.relation.name) < (other.relation.schema, other.relation.name)
  }
}
