/// What a run does with the indexes it has found.
public struct IndexPlan: Sendable, Equatable {
  public enum Step: Sendable, Equatable {
    /// Left by an interrupted rebuild.
    case drop
    /// In percent for bloat; nil for one that is invalid.
    case rebuild(bloat: Int?)
    /// Only told; why.
    case report(String)
  }

  public struct Entry: Sendable, Equatable {
    public var facts: IndexFacts
    public var step: Step
  }

  public var entries: [Entry] = []

  /// - Parameter indexes: their order is kept, but what is dropped comes first and what is bloated last.
  public init(_ rule: IndexRule, _ indexes: [IndexFacts]) {
    let all = indexes.compactMap { facts in Self.step(rule, facts).map { Entry(facts: facts, step: $0) } }
    entries =
      all.filter { $0.step == .drop } + all.filter { $0.step == .rebuild(bloat: nil) }
      + all.filter { if case .rebuild(.some) = $0.step { true } else { false } }
      + all.filter { if case .report = $0.step { true } else { false } }
  }

  private static func step(_ rule: IndexRule, _ facts: IndexFacts) -> Step? {
    if !facts.isValid || !facts.isLive { return invalid(facts) }
    if let twin = facts.twin, facts.isTwinOlder {
      return .report("a duplicate of \(twin.display); drop one of the two by a migration")
    }
    guard facts.bytes >= rule.bloatMinimumBytes, !facts.isPartitioned else { return nil }
    switch facts.bloat {
    case .withheld(let reason):
      return facts.isOwned && reason != "it is not a btree" ? .report("its bloat is unknown: \(reason)") : nil
    case .estimated(let percent), .measured(let percent):
      guard percent > rule.bloatPercent else { return nil }
      let text = "\(percent) % of it is bloat"
      if facts.isExclusion {
        return .report(text + ", but an exclusion constraint's index is not rebuilt concurrently")
      }
      if !facts.isOwned { return .report(text + ", but only its owner can rebuild it") }
      if let builder = facts.builder { return .report(text + ", but \(builder)") }
      return .rebuild(bloat: percent)
    }
  }

  private static func invalid(_ facts: IndexFacts) -> Step {
    if facts.isPartitioned {
      return .report("invalid: a partition lacks its part; create it there and attach it")
    }
    if let builder = facts.builder { return .report("invalid, but \(builder)") }
    if !facts.isOwned { return .report("invalid, but only its owner can repair it") }
    if facts.hasNameOfRebuild, !facts.hasConstraint, !facts.isAttached {
      return facts.twin == nil
        ? .report("invalid and named like a rebuild's, but there is no index that it would replace") : .drop
    }
    if !facts.isLive {
      return .report("its drop was interrupted; finish it with drop index concurrently \(facts.index.quoted)")
    }
    if facts.isExclusion {
      return .report(
        "invalid, and an exclusion constraint's index is not rebuilt concurrently; use reindex index")
    }
    return .rebuild(bloat: nil)
  }

  /// The plan for people, in the order of the run.
  public var steps: [PlannedStep] {
    entries.map { entry in
      let (index, table) = (entry.facts.index.display, entry.facts.table.display)
      let locks = [
        "SHARE UPDATE EXCLUSIVE on \(table), while transactions that use it end"
      ]
      switch entry.step {
      case .drop:
        return PlannedStep(
          index, "drop concurrently", detail: "left by an interrupted rebuild", locks: locks)
      case .rebuild(let bloat):
        return PlannedStep(
          index, "rebuild concurrently", detail: bloat.map { "\($0) % of it is bloat" } ?? "invalid",
          locks: locks)
      case .report(let reason): return PlannedStep(index, "report", detail: reason)
      }
    }
  }
}
