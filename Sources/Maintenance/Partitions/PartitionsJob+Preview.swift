import Postgres
import Timekeeping

extension PartitionsJob {
  /// What a run would do now, with the locks it would take. Reads only; an unusable rule is a step `refuse`.
  public func preview(now: UTCTime, on connection: borrowing Connection) throws -> [PlannedStep] {
    var steps: [PlannedStep] = []
    for rule in rules {
      do {
        let facts = try PartitionFacts(rule, now: now, on: connection)
        steps += PartitionPlan(rule, facts, now: now).steps(facts)
      } catch let error as MaintenanceError {
        steps.append(PlannedStep(rule.table, "refuse", detail: error.message))
      }
    }
    return steps
  }
}

extension PartitionPlan {
  /// The plan as steps for people, in the order of the run.
  public func steps(_ facts: PartitionFacts) -> [PlannedStep] {
    refusals.map { PlannedStep($0.object, "refuse", detail: $0.reason) }
      + creations.map { step($0, facts) }
      + retirements.filter { $0.method == .finalize }.map { step($0, facts) }
      + leftOvers.map {
        PlannedStep(
          $0.relation.display, "drop", detail: "taken off by an earlier run",
          locks: ["ACCESS EXCLUSIVE on \($0.relation.display)"])
      }
      + unmarked.map {
        PlannedStep(
          $0.relation.display, "put the comment back",
          locks: ["SHARE UPDATE EXCLUSIVE on \($0.relation.display)"])
      }
      + kept.map {
        PlannedStep($0.relation.display, "skip", detail: "taken off by a rule that kept less")
      }
      + retirements.filter { $0.method != .finalize }.map { step($0, facts) }
  }

  private func step(_ creation: Creation, _ facts: PartitionFacts) -> PlannedStep {
    let (from, to) = (
      facts.keyType.literal(creation.period.start), facts.keyType.literal(creation.period.end)
    )
    let table = facts.table.display
    var locks: [String] = []
    if let fallback = facts.defaultPartition?.display {
      locks += [
        "EXCLUSIVE on \(fallback) while its rows are moved, if there are any",
        "SHARE ROW EXCLUSIVE on \(table) (briefly)", "ACCESS EXCLUSIVE on \(fallback) (briefly)",
      ]
    } else {
      locks.append("SHARE UPDATE EXCLUSIVE on \(table)")
    }
    locks += facts.references.map { "SHARE ROW EXCLUSIVE on \($0) (briefly), for a foreign key" }
    return PlannedStep(
      CataloguedRelation.display(facts.table.schema, creation.name), "create", detail: "\(from) to \(to)",
      locks: locks)
  }

  private func step(_ retirement: Retirement, _ facts: PartitionFacts) -> PlannedStep {
    let (name, table) = (retirement.partition.relation.display, facts.table.display)
    let detail = "its rows end before \(retirement.partition.end?.description ?? "never")"
    // Its part of a foreign key has triggers on the table that it refers to.
    let keys = facts.references.map { "ACCESS EXCLUSIVE on \($0) (briefly), for a foreign key" }
    switch retirement.method {
    case .concurrently:
      return PlannedStep(
        name, "drop", detail: detail,
        locks: [
          "SHARE UPDATE EXCLUSIVE on \(table), while transactions that use it end",
          "ACCESS EXCLUSIVE on \(name)",
        ] + keys)
    case .plainly:
      let fallback = facts.defaultPartition.map { ["ACCESS EXCLUSIVE on \($0.display) (briefly)"] } ?? []
      return PlannedStep(
        name, "drop", detail: detail,
        locks: ["ACCESS EXCLUSIVE on \(table) (briefly)"] + fallback + ["ACCESS EXCLUSIVE on \(name)"] + keys)
    case .finalize:
      return PlannedStep(
        name, retirement.isDropped ? "finish detaching and drop" : "finish detaching", detail: detail,
        locks: ["SHARE UPDATE EXCLUSIVE on \(table)", "ACCESS EXCLUSIVE on \(name)"])
    }
  }
}
