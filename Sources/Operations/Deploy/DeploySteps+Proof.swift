import Checklists
import Deployments
import Maintenance
import Postgres
import SystemPackage
import Timekeeping

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension DeployRun {
  /// Probes that say at once whether the application can work; others look at what has happened since.
  static let smokeProbes: [String] =
    SmokeProbes.all.map { $0.name } + [
      "metrics.realtime", "metrics.dashboard", "logs.collected", "security.input-validation",
      "security.rate-limit",
    ]

  /// Runs the application's own statements, where the application's tables are.
  func smoke() async throws -> End {
    let isThere = try await asked { connection in
      try connection.query(
        "select pg_catalog.to_regclass('public.support_troubleshooting_sessions') is not null"
      ).isTrue(0, 0)
    }
    guard isThere else { return .skipped("not applicable: the application's tables are not here") }
    let session = Session(access.settings, applicationName: "tsdb smoke")
    try await session.run { try ChecklistServer.bound($0) }
    let context = ProbeContext(
      settings: access.settings, session: session, now: .now,
      schema: access.project.configuration.historySchema, deploymentStart: UTCTime(record.started))
    var failures: [String] = []
    var unknown: [String] = []
    var proved = 0
    for type in ProbeRegistry.all where Self.smokeProbes.contains(type.name) {
      if Task.isCancelled { break }
      let answer: ProbeAnswer
      do throws(ChecklistError) {
        answer = await ProbeRegistry.ask(try type.init(arguments: [:]), context, in: access)
      } catch {
        answer = ProbeAnswer(.unknown, asked: type.name, observed: error.message)
      }
      switch answer.state {
      case .proved: proved += 1
      case .failed: failures.append("\(type.name): \(answer.observed)")
      case .notApplicable: break
      default: unknown.append("\(type.name): \(answer.observed)")
      }
    }
    await session.close()
    try Task.checkCancellation()
    guard failures.isEmpty else {
      return .failed(
        "\(failures.count) of \(counted(proved + failures.count + unknown.count, "smoke test")) failed",
        failures + unknown,
        hint: "see what each asks: tsdb checklist list --probes")
    }
    // What could not be asked has not been passed; nothing is said against the database.
    guard proved > 0, unknown.isEmpty else {
      return .failed(
        "\(counted(unknown.count, "smoke test")) could not be run", unknown,
        hint: "see why; or go on without them: --skip smoke --because \"…\"", kind: .tryAgain)
    }
    return .done("\(counted(proved, "smoke test")) passed, rolled back")
  }

  /// Installs what calls maintenance, and waits until it has; runs what is due where it has not.
  func schedule() async throws -> End {
    if deploy.choice == .localServer {
      return .skipped(
        "the private local server runs for whoever works on the project; no schedule could reach it")
    }
    guard let chosen = deploy.chosenSchedule(access.project) else {
      return .skipped("not configured; to install it: tsdb schedule install --cron (or --systemd, --pg-cron)")
    }
    if chosen == .none { return .skipped("none is wanted") }
    guard let request = deploy.scheduleRequest(access.project) else { return .skipped("none is wanted") }
    let installed = try await ScheduleChange(.install, isDryRun: false).run(request)
    var findings = installed.warnings + installed.commands.map { "still to be typed: \($0)" }
    let places = installed.changes.map { "\($0.place) (\($0.action))" }.joined(separator: ", ")
    let isNew = installed.changes.contains { $0.action != "unchanged" }
    if let called = try await awaitScheduler(chosen, isNew: isNew) {
      if case .ran(let jobs) = called {
        return .done(
          "\(places); \(chosen.rawValue) has called it, \(counted(jobs, "job")) \(jobs == 1 ? "has" : "have") run",
          findings)
      }
      findings.append(
        "\(chosen.rawValue) has not called maintenance within "
          + "\(access.project.configuration.deploy.scheduleWait.spanText): does it run on this machine?")
    }
    return try await maintainOnce(places, findings)
  }

  /// - Returns: nil where it is not waited for: it is not wanted, or a run would leave no record.
  private func awaitScheduler(_ chosen: DeploySchedule, isNew: Bool) async throws -> SchedulerWait.Outcome? {
    let configuration = access.project.configuration
    guard configuration.deploy.scheduleWait > .zero, chosen == .cron || chosen == .systemd else { return nil }
    let wait = SchedulerWait(
      trigger: chosen.rawValue, jobs: configuration.maintenance.jobs.filter(\.isEnabled).map(\.name),
      schema: configuration.historySchema, limit: configuration.deploy.scheduleWait)
    let session = Session(access.settings, applicationName: "tsdb deploy")
    do {
      let outcome = try await wait.run(session, since: isNew ? .now : .now + -3 * 3600) { report(.note($0)) }
      await session.close()
      return outcome
    } catch {
      await session.close()
      throw error
    }
  }

  private func maintainOnce(_ places: String, _ given: [String]) async throws -> End {
    var findings = given
    do {
      let result = try await MaintainRun(names: [], environment: deploy.environment).run(access) {
        [report] event in report(.maintenance(event))
      }
      findings += result.runs.filter { $0.outcome == .failed }.map {
        "the job \($0.job) failed: \($0.reason ?? "no reason given")"
      }
      let ran = result.runs.map { "\($0.job) \($0.outcome.rawValue)" }
      return .done(
        "\(places); jobs: \(ran.isEmpty ? "nothing was due" : ran.joined(separator: ", "))", findings)
    } catch {
      let failure = StepFailure(error)
      if failure.kind == .interrupted { throw error }
      findings.append("maintenance could not be run: \(failure.message)")
      return .done(places, findings)
    }
  }

  /// Runs the checklist with evidence; the page follows once the deployment has ended, which it tells.
  mutating func askChecklist() async throws -> End {
    let directory = store.directory(of: record)
    var parts: [String] = []
    var findings: [String] = []
    if let path = deploy.checklistPath(access.project) {
      let outcome = try await runChecklist(path, in: directory)
      checklist = outcome
      parts.append(
        ProbeState.allCases.compactMap { state in
          outcome.counts[state.rawValue].flatMap { $0 > 0 ? "\($0) \(state.words)" : nil }
        }.joined(separator: ", "))
      findings += outcome.failed
    } else {
      parts.append("no checklist is configured (deploy.checklist in tsdb.yaml, or --checklist FILE)")
    }
    return .done(parts.joined(separator: "; "), findings)
  }

  private func runChecklist(_ path: String, in directory: FilePath) async throws -> Deploy.Checklist {
    var run = ChecklistRun(file: path, environment: deploy.environment)
    run.deploymentStart = UTCTime(record.started)
    var number = 1
    while directory.appending("evidence-\(number).jsonl").isThere { number += 1 }
    let evidence = directory.appending("evidence-\(number).jsonl").string
    let filled = directory.appending("checklist.md").string
    run.evidence = evidence
    run.output = filled
    run.isPrivate = true
    let result = try await run.run(access) { [report] item in report(.item(item)) }
    if let reason = result.unreachable {
      throw DeploymentError(.tryAgain, "the server cannot be reached: \(reason)")
    }
    return Deploy.Checklist(
      document: path, counts: result.counts,
      failed: result.items.filter { $0.state == .failed }.map { "\($0.item): \($0.observed)" },
      filled: filled, evidence: evidence, evidenceSHA256: result.evidenceSHA256 ?? "")
  }
}
