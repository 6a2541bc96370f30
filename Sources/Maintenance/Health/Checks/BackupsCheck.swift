import Postgres
import Timekeeping

/// Whether there is a backup to go back to, and one that was seen to restore. Its facts come from outside: backups are
/// another domain's.
public enum BackupsCheck {
  static let age = HealthThreshold(
    "backup-age", "since the newest complete backup of this database began", .seconds, warning: 26 * 3600,
    critical: 50 * 3600)
  static let proof = HealthThreshold(
    "backup-proof-age", "since a backup of this database was last restored on trial", .seconds,
    warning: 8 * 86_400,
    critical: 30 * 86_400)
  public static let description = HealthCheckDescription(
    "backups",
    looksAt: "the repository, or else the records in the database: newest complete backup, newest proof",
    rights: "to read the repository, or usage on the history's schema and select on its table backups",
    thresholds: [age, proof])

  /// A place that could not be asked.
  public struct Unseen: Sendable, Equatable {
    public let source: String
    public let reason: String
    /// What would help.
    public let remedy: String?

    public init(_ source: String, reason: String, remedy: String? = nil) {
      self.source = source
      self.reason = reason
      self.remedy = remedy
    }
  }

  public struct Facts: Sendable, Equatable {
    /// When the newest usable backup of the whole database began.
    public var newest: UTCTime?
    /// When a backup of it was last proven.
    public var proven: UTCTime?
    /// Damaged backups that are newer than the newest usable one.
    public var damaged: [String]
    /// What was asked, for people.
    public var sources: [String]
    /// What could not be asked.
    public var unseen: [Unseen]

    public init(
      newest: UTCTime? = nil, proven: UTCTime? = nil, damaged: [String] = [], sources: [String] = [],
      unseen: [Unseen] = []
    ) {
      self.newest = newest
      self.proven = proven
      self.damaged = damaged
      self.sources = sources
      self.unseen = unseen
    }
  }

  public static func verdict(_ facts: Facts, now: UTCTime, limits: HealthLimits) -> HealthFinding {
    let (age, proof) = (limits.applied(to: age), limits.applied(to: proof))
    var problems = facts.damaged.map {
      HealthProblem(.critical, "backup \($0) is damaged", remedy: "tsdb backup show \($0)")
    }
    problems += problem(
      age.status(of: facts.newest.map { Double(now - $0) } ?? .infinity), facts.newest.map { now - $0 },
      facts,
      old: { "the newest backup is \($0) old" }, none: "there is no backup", remedy: "tsdb backup")
    if facts.newest != nil {
      problems += problem(
        proof.status(of: facts.proven.map { Double(now - $0) } ?? .infinity), facts.proven.map { now - $0 },
        facts,
        old: { "the last proof that a backup restores is \($0) old" },
        none: "no backup was ever proven to restore",
        remedy: "tsdb backup verify latest --restore")
    }
    return HealthFinding(
      description.name, problems: problems, several: "problems of backups",
      fine: facts.newest.map { "the newest backup is \(HealthText.span(max(0, now - $0))) old, and proven" }
        ?? "",
      performance: [
        age.performance(facts.newest.map { Double(max(0, now - $0)) }),
        proof.performance(facts.proven.map { Double(max(0, now - $0)) }),
      ])
  }

  /// What is not found where only part could be seen is not known to be missing.
  private static func problem(
    _ status: HealthStatus, _ seconds: Int64?, _ facts: Facts, old: (String) -> String, none: String,
    remedy: String
  ) -> [HealthProblem] {
    guard status != .ok else { return [] }
    let summary = seconds.map { old(HealthText.span($0)) } ?? none
    let sources = facts.sources.isEmpty ? nil : "Looked at: \(facts.sources.joined(separator: ", "))."
    guard !facts.unseen.isEmpty else {
      return [HealthProblem(status, summary, detail: sources, remedy: remedy)]
    }
    return facts.unseen.map {
      HealthProblem(
        .unknown, "\(summary), as far as can be seen: \($0.source): \($0.reason)", detail: sources,
        remedy: $0.remedy)
    }
  }
}
