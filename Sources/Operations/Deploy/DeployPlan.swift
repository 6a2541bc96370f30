import Archive
import Backups
import Deployments
import Maintenance
import Migrations
import Postgres
import SystemPackage
import Timekeeping

/// What `tsdb deploy` would do; writes nothing, neither into the database nor beside it.
public struct DeployPlan: Sendable {
  public let deploy: Deploy

  public init(_ deploy: Deploy) {
    self.deploy = deploy
  }

  public struct Step: Sendable, Encodable {
    public let step: DeploymentStep
    /// `run`, `skip` or `done`.
    public let action: String
    /// What it would do, or why not.
    public let what: String
    /// The median of earlier deployments of this database; nil where there is none.
    public let expectedSeconds: Int64?
  }

  public struct Problem: Sendable, Encodable {
    public let problem: String
    public let remedy: String?
  }

  public struct Result: Sendable, Encodable {
    public let database: String
    /// The deployment that would be continued.
    public let resumes: String?
    /// The deployment that would be given up for a new one.
    public let givesUp: String?
    /// Why it would not run.
    public let refusal: String?
    public let steps: [Step]
    /// Migrations that would be applied, in order.
    public let pending: [String]
    public let problems: [Problem]
    public let notes: [String]
    public let hasWayBack: Bool
    /// Of all steps that have one.
    public let expectedSeconds: Int64?
    public var hasProblems: Bool { refusal != nil || !problems.isEmpty }
  }

  public func run(_ access: DatabaseAccess) async throws -> Result {
    let store = DeploymentStore(project: access.project)
    let facts = try await DeploymentFacts.read(access)
    let records = try store.records(of: facts.database, systemIdentifier: facts.systemIdentifier)
    var (resumed, givenUp): (DeploymentRecord?, String?)
    var refusal: String?
    let opening = DeployOpening(deploy: deploy, access: access, store: store, facts: facts) { _ in }
    switch await opening.decision(records) {
    case .start:
      if deploy.isFresh, let last = records.last, last.state == .running || last.state == .failed {
        givenUp = last.id
      }
    case .resume(let record, _): resumed = record
    case .refuse(let record):
      refusal = "the way back from the deployment \(record.id) has to be finished first: tsdb rollback"
    }
    if let foreign = try await opening.foreign(known: Set(records.map(\.id))) {
      if deploy.takesOver { resumed = foreign } else { refusal = opening.refusal(foreign).message }
    }
    let left = DeploymentStep.allCases.filter { isLeft($0, resumed) }
    let findings = try await DeployPreflight(deploy: deploy, access: access, steps: Set(left)).run()
    let views = try await Self.views(access)
    let steps = DeploymentStep.allCases.map { step in
      let (action, what) = action(step, resumed, findings, views, access.project)
      return Step(
        step: step, action: action, what: what,
        expectedSeconds: action == "run" ? Self.expected(step, records) : nil)
    }
    let expected = steps.compactMap(\.expectedSeconds)
    return Result(
      database: facts.database, resumes: resumed?.id, givesUp: givenUp, refusal: refusal, steps: steps,
      pending: findings.pending,
      problems: findings.problems.map { Problem(problem: $0.problem, remedy: $0.remedy) },
      notes: findings.notes,
      hasWayBack: resumed?.backup != nil
        || !(resumed?.hasChangedDatabase ?? false) && deploy.skips[.backup] == nil
          && resumed?.step(.backup)?.outcome != .skipped,
      expectedSeconds: expected.isEmpty ? nil : expected.reduce(0, +))
  }

  private func isLeft(_ step: DeploymentStep, _ record: DeploymentRecord?) -> Bool {
    if deploy.skips[step] != nil { return false }
    let outcome = record?.step(step)?.outcome
    return step == .preflight || outcome != .done && outcome != .skipped
  }

  private static func views(_ access: DatabaseAccess) async throws -> Int {
    let session = Session(access.settings, applicationName: "tsdb deploy --plan")
    do {
      let count = try await session.run { connection in
        try connection.query(
          "select pg_catalog.count(*) from pg_catalog.pg_class where relkind = 'm' and relpersistence <> 't'"
        ).integer(0, 0) ?? 0
      }
      await session.close()
      return count
    } catch let error as PostgresError {
      await session.close()
      throw DeploymentError.running(error)
    }
  }

  /// From the starts and ends of the step in earlier deployments.
  private static func expected(_ step: DeploymentStep, _ records: [DeploymentRecord]) -> Int64? {
    let spans = records.compactMap { record -> Int64? in
      guard let entry = record.step(step), entry.outcome == .done,
        let end = entry.ended.flatMap({ UTCTime($0) }),
        let start = UTCTime(entry.started)
      else { return nil }
      return end - start
    }.suffix(10).sorted()
    return spans.isEmpty ? nil : spans[spans.count / 2]
  }

  private func action(
    _ step: DeploymentStep, _ record: DeploymentRecord?, _ findings: DeployPreflight.Findings, _ views: Int,
    _ project: Project
  ) -> (String, String) {
    if let entry = record?.step(step), step != .preflight {
      let isAgain =
        step.changesDatabase && !findings.pending.isEmpty && record?.step(.migrate)?.outcome == .done
      if entry.outcome == .done, !isAgain, step != .report { return ("done", entry.summary ?? "done before") }
      if entry.outcome == .skipped, !isAgain { return ("skip", entry.because ?? "skipped before") }
    }
    if let because = deploy.skips[step] { return ("skip", because) }
    switch step {
    case .preflight:
      return (
        "run",
        findings.problems.isEmpty
          ? "nothing is in the way" : "\(findings.problems.count) in the way, see below"
      )
    case .backup:
      return (
        "run", "a backup of the whole database into \(project.path(project.configuration.backupRepository))"
      )
    case .prove:
      if deploy.skips[.backup] != nil || record?.step(.backup)?.outcome == .skipped {
        return ("skip", "the deployment has no backup of its own")
      }
      return project.configuration.deploy.proves
        ? ("run", "the backup is restored on a throwaway server, and compared row by row")
        : ("skip", "deploy.prove is false in tsdb.yaml")
    case .migrate:
      return (
        "run",
        findings.pending.isEmpty
          ? "nothing is pending" : "applies \(findings.pending.joined(separator: ", "))"
      )
    case .seed:
      guard DeployPreflight.hasSeeds(project), let files = try? Seed.files(of: project), !files.isEmpty else {
        return ("skip", "there are no seed files")
      }
      return ("run", "inserts what is missing of \(files.map(\.name).joined(separator: ", "))")
    case .refresh:
      if views == 0, findings.pending.isEmpty { return ("skip", "there are no materialized views") }
      return ("run", "refreshes the materialized views")
    case .verify: return ("run", "runs the verify scripts, and compares the catalogue with the history")
    case .smoke: return ("run", "runs the application's statements in a transaction that is rolled back")
    case .schedule: return scheduling(project)
    case .report: return reporting(project)
    }
  }

  private func scheduling(_ project: Project) -> (String, String) {
    if deploy.choice == .localServer { return ("skip", "no schedule could reach the private local server") }
    guard let chosen = deploy.chosenSchedule(project) else {
      return ("skip", "not configured; to install it: tsdb schedule install --cron")
    }
    if chosen == .none { return ("skip", "none is wanted") }
    return ("run", "installs the schedule (\(chosen.rawValue)), and runs the maintenance that is due")
  }

  private func reporting(_ project: Project) -> (String, String) {
    let checklist =
      deploy.checklistPath(project).map { "asks the checklist \($0)" } ?? "no checklist is configured"
    return ("run", checklist + (deploy.writeReport == nil ? "" : ", and writes the report"))
  }
}
