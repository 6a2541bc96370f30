import ArgumentParser
import Maintenance
import Operations
import Postgres
import Timekeeping

struct ScheduleGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schedule", abstract: "Let cron, systemd or pg_cron call tsdb maintain.",
    discussion: """
      One entry calls "tsdb maintain" every five minutes; when the jobs are due stays in tsdb.yaml. Only what tsdb \
      has made is ever changed or removed.

      EXAMPLES
        tsdb schedule install --cron
        tsdb schedule install --systemd --credential /etc/tsdb/app.url
        tsdb schedule show
        tsdb schedule diff --cron
        tsdb schedule remove --cron --yes

      \(ExitStatus.help)
      """,
    subcommands: [
      ScheduleInstallCommand.self, ScheduleShowCommand.self, ScheduleDiffCommand.self,
      ScheduleRemoveCommand.self,
    ])
}

struct ScheduleInstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Install or renew the entry that calls tsdb maintain.",
    discussion: """
      The entry has absolute paths and no secret. A scheduler does not have your environment: the database must be \
      named by database.url_file, by --environment-file or by --credential. Run again, it changes nothing.

      EXAMPLES
        tsdb schedule install --cron
        tsdb schedule install --cron --environment-file /etc/tsdb/app.env
        tsdb schedule install --systemd --user app --credential /etc/tsdb/app.url
        tsdb schedule install --pg-cron --dry-run

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var target: ScheduleTargetOptions
  @OptionGroup var call: ScheduleCallOptions

  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be changed, and change nothing."
  )
  var isDryRun = false

  func run() async throws {
    let invocation = Invocation(global)
    let request = try invocation.schedule(target, call)
    let result = try await ScheduleChange(.install, isDryRun: isDryRun).run(request)
    invocation.printSchedule(result)
  }
}

struct ScheduleDiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Compare what is installed with what install would make.",
    discussion: """
      Takes the options that install takes. Ends with status 2 and a unified diff where they differ.

      EXAMPLES
        tsdb schedule diff --cron

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var target: ScheduleTargetOptions
  @OptionGroup var call: ScheduleCallOptions

  func run() async throws {
    let invocation = Invocation(global)
    let request = try invocation.schedule(target, call)
    let result = try await ScheduleChange(.install, isDryRun: true).run(request)
    if global.json || result.isDifferent {
      invocation.print(result) { result, style in result.diffText(style: style) }
    } else if !global.quiet {
      Terminal.writeOutput("no difference")
    }
    if result.isDifferent { throw Findings(status: .findings) }
  }
}

struct ScheduleRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Take the entry out again.",
    discussion: """
      On a terminal it asks; scripts pass --yes.

      EXAMPLES
        tsdb schedule remove --cron
        tsdb schedule remove --systemd --name app --yes

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var target: ScheduleTargetOptions

  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be removed, and change nothing."
  )
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func run() async throws {
    let invocation = Invocation(global)
    let request = try invocation.schedule(target)
    let preview = try await ScheduleChange(.remove, isDryRun: true).run(request)
    if isDryRun || !preview.isDifferent {
      invocation.printSchedule(preview)
      return
    }
    try confirm(preview, invocation)
    invocation.printSchedule(try await ScheduleChange(.remove, isDryRun: false).run(request))
  }

  private func confirm(_ preview: ScheduleResult, _ invocation: Invocation) throws {
    if yes { return }
    guard Terminal.isInputTerminal else {
      throw MaintenanceError(
        .invalidInput, "removing the entry \"\(preview.name)\" needs to be confirmed",
        detail: "Nothing was changed.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    Terminal.writeError(preview.diffText(style: invocation.errorStyle))
    guard Terminal.confirm("After this nothing calls tsdb maintain by this entry.") else {
      throw MaintenanceError(.interrupted, "not confirmed", detail: "Nothing was changed.")
    }
  }
}

struct ScheduleShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show what is installed and what comes next.",
    discussion: """
      Entries of all projects on this machine, the next five calls, and the next five runs of each job in UTC and \
      local time, with warnings where a change of the clocks matters.

      EXAMPLES
        tsdb schedule show
        tsdb schedule show --json

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let project = try invocation.project()
    let choice = try ConnectionChoice(
      flag: global.databaseURL, environment: Invocation.environment, project: project)
    var settings: ConnectionSettings?
    if case .configured(let configured, _) = choice { settings = configured }
    let result = try await ScheduleShow().run(
      project: project, settings: settings, environment: Invocation.environment)
    invocation.print(result) { $0.text(style: $1) }
  }
}

extension Invocation {
  /// The warnings on standard error, for people; in JSON they are part of the result.
  fileprivate func printSchedule(_ result: ScheduleResult) {
    if !options.json { for warning in result.warnings { progress.warning(warning, detail: nil, hint: nil) } }
    if options.quiet, !options.json, !result.isDryRun, result.commands.isEmpty { return }
    print(result) { $0.text(style: $1) }
  }
}
