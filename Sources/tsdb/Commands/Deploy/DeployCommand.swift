import ArgumentParser
import Deployments
import Operations

struct DeployCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "deploy",
    abstract: "Run a whole deployment: backup, proof, migrations, checks, schedule, report.",
    discussion: """
      The steps are \(DeploymentStep.allCases.map(\.rawValue).joined(separator: ", ")). Each is recorded before and \
      after it in .tsdb/deployments; whatever ends the command, the same command continues. When something fails \
      after the migrations have begun it stops and says what was applied; "tsdb rollback" goes back to the \
      deployment's own backup.

      EXAMPLES
        tsdb deploy --plan
        tsdb deploy --checklist docs/checklists/deployment.en.md
        tsdb deploy --schedule cron --auto-rollback
        tsdb deploy --skip prove --because "proved on the standby"

      EXIT STATUS
        0    deployed, and nothing found
        1    a step failed; the message says what was kept and what to type next
        2    deployed, with findings of the checklist; --plan: something in the way
        64   bad usage, configuration, or a record that cannot be used
        75   try again later: another deployment, a lock, or the server is away
        130  interrupted; the same command continues
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Flag(
    name: [.long, .customLong("dry-run"), .customShort("n")],
    help: "Show what each step would do, and do nothing.")
  var plan = false

  @Option(
    name: .customLong("skip"),
    help: ArgumentHelp(
      "Leave this step out; may be repeated. Wants --because.", valueName: "step"))
  var skips: [DeploymentStep] = []

  @Option(
    name: .customLong("because"),
    help: ArgumentHelp(
      "Why a step is left out, which is recorded: one for all, or one for each --skip in its order.",
      valueName: "text"))
  var reasons: [String] = []

  @Flag(
    name: .customLong("auto-rollback"),
    help: "Go back by itself when a step from migrate to smoke fails.")
  var rollsBack = false

  @Flag(help: "Give up an interrupted deployment that has not reached the database, and begin anew.")
  var fresh = false

  @Flag(
    name: .customLong("take-over"), help: "Continue a deployment that another machine has begun; asks.")
  var takesOver = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  @Option(
    help: ArgumentHelp(
      "The checklist of the report.", discussion: "Else deploy.checklist.", valueName: "file"))
  var checklist: String?

  @Option(
    help: ArgumentHelp(
      "Language of the report: es or en.", discussion: "Else deploy.report_language.", valueName: "language"))
  var lang: String?

  @Option(
    help: ArgumentHelp(
      "What calls maintenance: cron, systemd, pg-cron or none.", discussion: "Else deploy.schedule.",
      valueName: "scheduler"))
  var schedule: DeploySchedule?

  func validate() throws {
    if let step = skips.first(where: { !$0.canBeSkipped }) {
      throw ValidationError("the step \"\(step.rawValue)\" cannot be skipped")
    }
    if !skips.isEmpty, reasons.isEmpty { throw ValidationError("--skip wants a reason: --because \"…\"") }
    if skips.isEmpty, !reasons.isEmpty { throw ValidationError("--because goes with --skip") }
    if reasons.count > 1, reasons.count != skips.count {
      throw ValidationError("--because stands once for all, or once for each --skip")
    }
    if let reason = reasons.first(where: { reason in
      !reason.contains(where: \.isLetter) || reason.utf8.count > 500 || reason.contains(where: \.isNewline)
    }) {
      throw ValidationError(
        reason.utf8.count > 500 ? "--because takes up to 500 bytes" : "--because takes words on one line")
    }
    if let lang, !["es", "en"].contains(lang) { throw ValidationError("--lang takes es or en") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access(patience.apply)
    let deploy = try operation(invocation, access)
    if plan {
      let result = try await DeployPlan(deploy).run(access)
      invocation.print(result) { $0.text(style: $1) }
      if result.hasProblems { throw Findings(status: .findings) }
      return
    }
    try confirm()
    let progress = DeployProgress(invocation)
    let result = try await deploy.run(access, report: progress.report)
    progress.finished(result)
    if let failure = result.failure { throw failure }
    if result.hasFindings { throw Findings(status: .findings) }
  }

  private func operation(_ invocation: Invocation, _ access: DatabaseAccess) throws -> Deploy {
    let choice = try ConnectionChoice(
      flag: global.databaseURL, environment: Invocation.environment, project: access.project)
    var deploy = Deploy(choice: choice, environment: Invocation.environment)
    for (index, step) in skips.enumerated() {
      deploy.skips[step] = reasons.count == 1 ? reasons[0] : reasons[index]
    }
    deploy.isFresh = fresh
    deploy.takesOver = takesOver
    deploy.checklist = checklist
    deploy.schedule = schedule
    if rollsBack { deploy.rollback = rollback(invocation, access) }
    deploy.writeReport = reportWriter(invocation, access)
    return deploy
  }

  private func confirm() throws {
    guard takesOver, !yes else { return }
    guard Terminal.isInputTerminal else {
      throw DeploymentError(
        .invalidInput, "taking over from another machine needs to be confirmed", detail: "Nothing was done.",
        hint: "make sure that nothing deploys there any more, and pass --yes")
    }
    guard Terminal.confirm("Two machines that deploy at once would harm the database.") else {
      throw DeploymentError(.interrupted, "not confirmed", detail: "Nothing was done.")
    }
  }
}

extension DeploymentStep: ExpressibleByArgument {
  /// What the help offers; others are read and refused with the reason.
  public static var allValueStrings: [String] { allCases.filter(\.canBeSkipped).map(\.rawValue) }
}
extension DeploySchedule: ExpressibleByArgument {}
