import Backups
import Checklists
import Deployments
import Migrations
import SystemPackage

/// Where a deployment lets maintenance be called from.
public enum DeploySchedule: String, Sendable, Equatable, CaseIterable {
  case cron, systemd
  case pgCron = "pg-cron"
  case none

  var target: ScheduleTarget? {
    switch self {
    case .cron: .crontab
    case .systemd: .systemd
    case .pgCron: .pgCron
    case .none: nil
    }
  }
}

/// What `tsdb.yaml` says of deployments.
public struct DeployConfiguration: Sendable, Equatable {
  /// A checklist; relative to the project's directory.
  public var checklist: String?
  /// nil where nothing is said.
  public var schedule: DeploySchedule?
  /// Minutes between two calls of maintenance.
  public var scheduleEvery = 5
  /// How long a deployment waits until the scheduler has called; zero for not at all.
  public var scheduleWait = Duration.seconds(600)
  /// Whether the backup is restored on trial before anything is changed.
  public var proves = true
  /// `es` or `en`.
  public var reportLanguage = "en"

  public init() {}
}

/// Runs a whole deployment: preflight, backup, prove, migrate, seed, refresh, verify, smoke, schedule, report.
///
/// The record is written before and after each step; run again, it continues.
public struct Deploy: Sendable {
  /// Goes back to the deployment's backup; called while the deployments' lock is held.
  ///
  /// - Returns: the record with its way back, saved.
  public typealias Rollback = @Sendable (DeploymentRecord) async throws -> DeploymentRecord
  /// Writes the report of the database into a file.
  public typealias ReportWriter = @Sendable (FilePath) async throws -> Void

  /// Why steps are left out, by step.
  public var skips: [DeploymentStep: String] = [:]
  /// Gives up a deployment that has not reached the database, in place of continuing it.
  public var isFresh = false
  /// Continues a deployment that another machine has begun.
  public var takesOver = false
  /// As it is meant on a command line; nil for the configured one.
  public var checklist: String?
  /// nil for the configured one.
  public var schedule: DeploySchedule?
  /// How this process reaches the database; what is scheduled has nothing of its environment.
  public let choice: ConnectionChoice
  /// Of this process.
  public let environment: [String: String]
  /// Called when a step from `migrate` to `smoke` fails; nil for a person who decides.
  public var rollback: Rollback?
  /// nil where no report is written.
  public var writeReport: ReportWriter?

  public init(choice: ConnectionChoice, environment: [String: String]) {
    self.choice = choice
    self.environment = environment
  }

  public struct Checklist: Sendable, Encodable {
    public let document: String
    /// By the name of the state.
    public let counts: [String: Int]
    /// What failed, one line each.
    public let failed: [String]
    /// The document with its boxes filled in.
    public let filled: String
    public let evidence: String
    public let evidenceSHA256: String
  }

  public struct Result: Sendable, Encodable {
    public var record: DeploymentRecord
    /// Whether an earlier run was continued.
    public var isResumed: Bool
    /// Where the record and what was written lie.
    public var directory: String
    public var checklist: Checklist?
    /// A page for people.
    public var report: String?
    /// Whether `tsdb rollback` has a backup to go back to.
    public var hasWayBack: Bool
    /// Why it did not come to its end.
    public var failure: DeploymentError?

    private enum CodingKeys: String, CodingKey {
      case record, isResumed, directory, checklist, report, hasWayBack
    }

    public var hasFindings: Bool { checklist?.failed.isEmpty == false }
  }

  public enum Event: Sendable {
    case began(DeploymentRecord, isResumed: Bool)
    case stepBegan(DeploymentStep)
    case stepEnded(DeploymentRecord.Step<DeploymentStep>)
    case backup(BackupEvent)
    case proof(id: String, BackupProve.Event)
    case maintenance(MaintainRun.Event)
    case item(ItemOutcome)
    case note(String)
    case warning(String, detail: String?, hint: String?)
  }

  public typealias Reporter = @Sendable (Event) -> Void

  /// - Throws: `DeploymentError` where nothing was begun, and when it was interrupted; a step that failed is in the
  ///   result.
  public func run(_ access: DatabaseAccess, report: @escaping Reporter) async throws -> Result {
    for step in skips.keys where !step.canBeSkipped {
      throw DeploymentError(
        .invalidInput, "the step \"\(step.rawValue)\" cannot be skipped", detail: "Nothing was done.")
    }
    try checkChecklist(access.project)
    let store = DeploymentStore(project: access.project)
    let lock = try store.lock()
    defer { withExtendedLifetime(lock) {} }
    let databaseLock = DatabaseLock(access)
    do {
      let result = try await run(access, store, databaseLock, report)
      await databaseLock.release()
      return result
    } catch {
      await databaseLock.release()
      throw error
    }
  }

  private func run(
    _ access: DatabaseAccess, _ store: DeploymentStore, _ databaseLock: DatabaseLock,
    _ report: @escaping Reporter
  ) async throws -> Result {
    let facts = try await DeploymentFacts.read(access)
    try await databaseLock.require()
    let opening = DeployOpening(deploy: self, access: access, store: store, facts: facts, report: report)
    let (record, isResumed) = try await opening.record()
    var run = DeployRun(
      deploy: self, access: access, store: store, databaseLock: databaseLock, record: record,
      earlier: try opening.earlier(than: record), isResumed: isResumed, report: report)
    return try await run.perform()
  }
}

extension Deploy {
  /// The checklist to run: its path as it is meant on a command line.
  func checklistPath(_ project: Project) -> String? {
    checklist ?? project.configuration.deploy.checklist.map(project.path)
  }

  /// Before anything is recorded: a checklist that cannot be run is a mistyped command, and no failed deployment.
  private func checkChecklist(_ project: Project) throws(ChecklistError) {
    guard skips[.report] == nil, let path = checklistPath(project) else { return }
    do throws(ChecklistError) {
      let run = ItemRun(
        probes: ProbeRegistry.all, attestations: [:], directory: project.root, environment: environment,
        redaction: Redaction())
      _ = try run.prepare(ChecklistFile.read(path).items, path: path)
    } catch {
      throw ChecklistError(
        .invalidInput, "the checklist cannot be run: \(error.message)", location: error.location,
        detail: error.detail ?? "Nothing was done.", hint: error.hint, excerpt: error.excerpt)
    }
  }

  func chosenSchedule(_ project: Project) -> DeploySchedule? {
    schedule ?? project.configuration.deploy.schedule
  }

  /// What is installed; nil where nothing is to be.
  func scheduleRequest(_ project: Project) -> ScheduleRequest? {
    guard let target = chosenSchedule(project)?.target, choice != .localServer else { return nil }
    var options = ScheduleOptions()
    options.every = project.configuration.deploy.scheduleEvery
    return ScheduleRequest(
      project: project, target: target, options: options, choice: choice, environment: environment)
  }
}
