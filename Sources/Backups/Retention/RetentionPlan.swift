import Timekeeping

/// Which backups a policy keeps, each with the reason; decides only.
///
/// Whatever the policy says, the newest backup of a series, its newest verified and its newest proven one are
/// kept. Running the plan twice removes nothing the second time: what is kept is kept for what it is
/// among those that are kept.
public struct RetentionPlan: Sendable, Equatable {
  /// A finished backup that is not known to be damaged.
  public struct Candidate: Sendable, Equatable {
    public let id: String
    /// What it is a backup of; backups of different series do not count against one another.
    public let series: String
    public let time: UTCTime
    public let isVerified: Bool
    /// A proven backup counts as verified as well.
    public let isProven: Bool

    public init(id: String, series: String, time: UTCTime, isVerified: Bool, isProven: Bool) {
      self.id = id
      self.series = series
      self.time = time
      self.isVerified = isVerified || isProven
      self.isProven = isProven
    }
  }

  public enum Reason: Sendable, Equatable, CustomStringConvertible {
    case newest
    case newestVerified
    case newestProven
    /// One of the last so many.
    case last(Int)
    /// The newest of its period.
    case period(RetentionPolicy.Period, label: String)

    public var description: String {
      switch self {
      case .newest: "newest"
      case .newestVerified: "newest verified"
      case .newestProven: "newest proven"
      case .last(let count): "one of the last \(count)"
      case .period(let period, let label): "\(period.rawValue) \(label)"
      }
    }
  }

  public struct Decision: Sendable, Equatable {
    public let candidate: Candidate
    /// Why it is kept; empty for one that is removed.
    public let reasons: [Reason]
    public var isKept: Bool { !reasons.isEmpty }
  }

  /// By series, the newest first.
  public let decisions: [Decision]

  public var kept: [Candidate] { decisions.filter(\.isKept).map(\.candidate) }
  public var removed: [Candidate] { decisions.filter { !$0.isKept }.map(\.candidate) }

  public init(_ candidates: [Candidate], policy: RetentionPolicy) {
    let series = Dictionary(grouping: candidates, by: \.series)
    decisions = series.keys.sorted().flatMap { Self.decide(series[$0] ?? [], policy) }
  }

  private static func decide(_ candidates: [Candidate], _ policy: RetentionPolicy) -> [Decision] {
    let newestFirst = candidates.sorted { ($0.time, $0.id) > ($1.time, $1.id) }
    var reasons = [[Reason]](repeating: [], count: newestFirst.count)
    if !newestFirst.isEmpty { reasons[0].append(.newest) }
    if let index = newestFirst.firstIndex(where: \.isVerified) { reasons[index].append(.newestVerified) }
    if let index = newestFirst.firstIndex(where: \.isProven) { reasons[index].append(.newestProven) }
    for index in reasons.indices.prefix(max(0, policy.last)) { reasons[index].append(.last(policy.last)) }
    for period in RetentionPolicy.Period.allCases {
      var left = policy.count(period)
      var current: Int64?
      for (index, candidate) in newestFirst.enumerated() where left > 0 {
        let bucket = period.index(of: candidate.time)
        guard bucket != current else { continue }
        current = bucket
        left -= 1
        reasons[index].append(.period(period, label: period.label(of: candidate.time)))
      }
    }
    return zip(newestFirst, reasons).map { Decision(candidate: $0, reasons: $1) }
  }
}
