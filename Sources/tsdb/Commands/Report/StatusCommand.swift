import ArgumentParser
import LocalServer
import Maintenance
import Operations

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show in a dozen lines how the database stands; writes nothing.",
    discussion: """
      Deployments, checklist, migrations, backups and their proofs, jobs with the runs that are missing, health; and the \
      three most important things to do. What the role may not see is unknown, with the GRANT that it lacks.

      --json prints all facts of "tsdb report" as one document with "format": 1. Secrets, e-mail addresses and what \
      stands behind the host in a URL are in neither.

      EXAMPLES
        tsdb status
        tsdb status --json
        tsdb status --check --quiet || echo "not all is good"

      EXIT STATUS
        0    shown; with --check: the verdict is good
        1    failed; the message says what to type next
        2    --check: the verdict is not good
        64   bad usage or configuration, or evidence that cannot be used
        75   try again later: the server is unreachable
        130  interrupted
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ReportOptions

  func run() async throws {
    let invocation = Invocation(global)
    let facts = try await source.facts(invocation)
    invocation.print(facts) { facts, style in
      global.quiet ? String(facts.text(style: style).prefix { !$0.isNewline }) : facts.text(style: style)
    }
    try source.requireGood(facts)
  }
}

/// What a report is made of.
struct ReportOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Evidence of a checklist; else the newest of the project's deployments.", valueName: "file"))
  var evidence: String?

  @Flag(help: "End with status 2 unless the verdict is good.")
  var check = false

  /// Reads the facts. Starts no private server.
  func facts(_ invocation: Invocation) async throws -> ReportFacts {
    let project = try invocation.project()
    let choice = try ConnectionChoice(
      flag: invocation.options.databaseURL, environment: Invocation.environment, project: project)
    let report = Report(evidence: evidence, environment: Invocation.environment)
    do {
      return try await report.run(project: project, settings: try choice.existing(in: project))
    } catch let error as LocalServerError {
      throw MaintenanceError(
        .tryAgain, error.message, detail: error.detail, hint: error.hint ?? "tsdb server start")
    }
  }

  func requireGood(_ facts: ReportFacts) throws {
    if check, facts.verdict.status != .ok { throw Findings(status: .findings) }
  }
}
