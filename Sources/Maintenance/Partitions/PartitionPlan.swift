import Timekeeping

/// What a run does to one partitioned table.
public struct PartitionPlan: Sendable, Equatable {
  public struct Creation: Sendable, Equatable {
    public var name: String
    public var period: PartitionPeriod
    /// Whether partitions of another width hold the rest of the named period.
    public var isPiece = false
  }

  public enum Method: Sendable, Equatable {
    /// DETACH CONCURRENTLY, which is refused where there is a default partition.
    case concurrently
    case plainly
    /// Another session's or an earlier run's detach was interrupted.
    case finalize
  }

  public struct Retirement: Sendable, Equatable {
    public var partition: PartitionFacts.Partition
    public var method: Method
    /// Left attached where the rule keeps its rows; only what was begun is ended.
    public var isDropped = true
  }

  public struct Refusal: Sendable, Equatable {
    /// For people.
    public var object: String
    public var reason: String
    public var hint: String?
  }

  public var creations: [Creation] = []
  public var retirements: [Retirement] = []
  /// Taken off by an earlier run, to be dropped now.
  var leftOvers: [PartitionFacts.Retired] = []
  /// Taken off by an earlier run by a rule that kept less; not touched.
  var kept: [PartitionFacts.Retired] = []
  /// Attached and marked, though the rule keeps them: their comment is put back.
  var unmarked: [PartitionFacts.Partition] = []
  public var refusals: [Refusal] = []

  public init(_ rule: PartitionRule, _ facts: PartitionFacts, now: UTCTime) {
    planCreations(rule, facts, now)
    let cutoff = rule.keep.map { now + -$0.wholeSeconds }
    func isOver(_ end: UTCTime?) -> Bool {
      guard let cutoff, let end else { return false }
      return end <= cutoff
    }
    for partition in facts.partitions {
      if partition.isDetachPending {
        let isOurs = PartitionMark(partition.comment)?.parent == facts.table.quoted
        retirements.append(
          Retirement(partition: partition, method: .finalize, isDropped: isOurs && isOver(partition.end)))
      } else if isOver(partition.end) {
        planRetirement(partition, facts)
      } else if PartitionMark(partition.comment) != nil {
        unmarked.append(partition)
      }
    }
    leftOvers = facts.retired.filter { isOver($0.end) }
    kept = facts.retired.filter { !isOver($0.end) }
  }

  private mutating func planRetirement(_ partition: PartitionFacts.Partition, _ facts: PartitionFacts) {
    let name = partition.relation.display
    if partition.kind == "f" {
      refusals.append(
        Refusal(
          object: name, reason: "a foreign table is not dropped by maintenance", hint: "detach it by hand"))
    } else if let dependent = partition.dependents.first {
      let more = partition.dependents.count > 1 ? " and \(partition.dependents.count - 1) more" : ""
      refusals.append(
        Refusal(
          object: name, reason: "it is not dropped, because of \(dependent)\(more), which depends on it",
          hint: "drop what depends on the partition, or make it depend on the partitioned table"))
    } else {
      retirements.append(
        Retirement(partition: partition, method: facts.defaultPartition == nil ? .concurrently : .plainly))
    }
  }

  private mutating func planCreations(_ rule: PartitionRule, _ facts: PartitionFacts, _ now: UTCTime) {
    for period in PartitionPeriod.periods(rule.interval, from: now, ahead: rule.ahead) {
      let gaps = Self.gaps(in: period, facts.partitions)
      guard !gaps.isEmpty else { continue }
      let name = PartitionNaming.partition(of: facts.table.name, period.suffix(rule.interval))
      let display = CataloguedRelation.display(facts.table.schema, name)
      if gaps.count > 1 {
        refusals.append(
          Refusal(
            object: display,
            reason:
              "its period is held in parts by partitions of other widths, with \(gaps.count) gaps between",
            hint: "create partitions for the gaps by hand, or wait until the period is over"))
      } else if let same = facts.partitions.first(where: {
        $0.relation.name == name && $0.relation.schema == facts.table.schema
      }) {
        refusals.append(
          Refusal(
            object: display,
            reason:
              "the partition of this name has other bounds: \(Self.text(same.start)) to \(Self.text(same.end))",
            hint: "rename it, so that the name is free for the period it says"))
      } else if facts.namesInUse.contains(name) {
        refusals.append(
          Refusal(
            object: display,
            reason: "a relation of this name exists and is no partition of \(facts.table.display)",
            hint: "attach it or rename it by hand; it is never touched by maintenance"))
      } else {
        creations.append(Creation(name: name, period: gaps[0], isPiece: gaps[0] != period))
      }
    }
  }

  private static func text(_ time: UTCTime?) -> String { time?.description ?? "unlimited" }

  /// The parts of `period` that no partition holds, in order.
  static func gaps(
    in period: PartitionPeriod, _ partitions: [PartitionFacts.Partition]
  ) -> [PartitionPeriod] {
    let overlapping = partitions.filter {
      ($0.start.map { $0 < period.end } ?? true) && ($0.end.map { $0 > period.start } ?? true)
    }.sorted { ($0.start ?? period.start) < ($1.start ?? period.start) }
    var gaps: [PartitionPeriod] = []
    var reached = period.start
    for partition in overlapping {
      let start = partition.start ?? period.start
      if start > reached { gaps.append(PartitionPeriod(start: reached, end: start)) }
      reached = max(reached, partition.end ?? period.end)
    }
    if reached < period.end { gaps.append(PartitionPeriod(start: reached, end: period.end)) }
    return gaps
  }
}
