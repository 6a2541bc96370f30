import Timekeeping

/// What one check says.
public struct HealthFinding: Sendable, Equatable, Encodable {
  /// The check's name.
  public let check: String
  public let status: HealthStatus
  /// One line.
  public let summary: String
  /// The worst first.
  public let problems: [HealthProblem]
  public let performance: [PerformanceData]

  /// - Parameters:
  ///   - problems: with status `ok` for what is only worth knowing.
  ///   - several: of two and more problems, such as `invalid indexes`.
  ///   - fine: the summary where there is none.
  public init(
    _ check: String, problems: [HealthProblem], several: String, fine: String,
    performance: [PerformanceData] = []
  ) {
    self.check = check
    self.problems = problems.enumerated().sorted {
      ($1.element.status.severity, $0.offset) < ($0.element.status.severity, $1.offset)
    }.map(\.element)
    self.performance = performance
    status = HealthStatus.worst(problems.map(\.status))
    let bad = self.problems.filter { $0.status != .ok }
    let unseen = bad.count { $0.status == .unknown }
    summary =
      switch bad.count {
      case 0: fine
      case 1: bad[0].summary
      case unseen: "\(bad[0].summary), and \(bad.count - 1) more that could not be seen"
      default: "\(bad.count - unseen) \(several)" + (unseen == 0 ? "" : ", \(unseen) not to be seen")
      }
  }

  /// A finding of one thing.
  public init(
    _ check: String, _ status: HealthStatus, _ summary: String, detail: String? = nil, remedy: String? = nil,
    performance: [PerformanceData] = []
  ) {
    self.init(
      check,
      problems: status == .ok && detail == nil
        ? [] : [HealthProblem(status, summary, detail: detail, remedy: remedy)],
      several: "problems", fine: summary, performance: performance)
  }
}

/// One thing that is not as it should be.
public struct HealthProblem: Sendable, Equatable, Encodable {
  public let status: HealthStatus
  /// One line; names quoted where SQL needs it.
  public let summary: String
  public let detail: String?
  /// The SQL statement or the tsdb command that would help.
  public let remedy: String?

  public init(_ status: HealthStatus, _ summary: String, detail: String? = nil, remedy: String? = nil) {
    self.status = status
    self.summary = summary
    self.detail = detail
    self.remedy = remedy
  }
}

/// What all checks say.
public struct HealthReport: Sendable, Equatable, Encodable {
  public let status: HealthStatus
  /// nil where no server answered.
  public let database: String?
  /// As `server_version_num`; nil where no server answered.
  public let serverVersion: Int?
  /// UTC, ISO 8601.
  public let time: String
  /// In the order of the checks.
  public let findings: [HealthFinding]

  public init(findings: [HealthFinding], database: String?, serverVersion: Int?, time: UTCTime) {
    self.init(findings, database, serverVersion, time.description)
  }

  private init(_ findings: [HealthFinding], _ database: String?, _ serverVersion: Int?, _ time: String) {
    self.findings = findings
    self.database = database
    self.serverVersion = serverVersion
    self.time = time
    status = HealthStatus.worst(findings.map(\.status))
  }

  /// The same with more findings.
  public func adding(_ more: [HealthFinding]) -> HealthReport {
    HealthReport(findings + more, database, serverVersion, time)
  }
}
