import ArgumentParser
import Operations

struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Write how the database stands as one page of HTML.",
    discussion: """
      The page holds everything it needs: no script, nothing from the network, less than 1 MB whatever the database's \
      size, light and dark, and fit for print. The verdict stands first, with the three most important things to do; then \
      the checklist, deployments, migrations, backups and proofs, jobs with the runs that are missing, views, retention, \
      tables, sequences, indexes, wraparound and all checks. What the role may not see is unknown, with the GRANT that it \
      lacks. Secrets, e-mail addresses and what stands behind the host in a URL are left out.

      The file is replaced as a whole. --json prints the same facts for programs, as "tsdb status --json" does.

      EXAMPLES
        tsdb report --html report.html
        tsdb report --html informe.html --lang es --evidence done.jsonl
        tsdb report --html - > report.html

      EXIT STATUS
        0    written; with --check: the verdict is good
        1    failed; the message says what to type next
        2    --check: the verdict is not good
        64   bad usage or configuration, or evidence that cannot be used
        75   try again later: the server is unreachable
        130  interrupted
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var source: ReportOptions

  @Option(help: ArgumentHelp("Where the page is written; - is standard output.", valueName: "file"))
  var html: String?

  @Option(
    help: ArgumentHelp(
      "The page's language, en or es.", discussion: "Else that of LC_ALL, LC_MESSAGES or LANG.",
      valueName: "language"))
  var lang: ReportLanguage?

  func validate() throws {
    guard html != nil || global.json else {
      throw ValidationError("where to write is missing: --html FILE, or --html - for standard output")
    }
    if html == "-", global.json {
      throw ValidationError("standard output takes one of the two: --html -, or --json")
    }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let facts = try await source.facts(invocation)
    if let html { try write(facts, to: html) }
    if global.json {
      Terminal.writeOutput(JSONText.encode(facts))
    } else if html != "-", !global.quiet {
      Terminal.writeError(facts.text(style: invocation.errorStyle))
    }
    try source.requireGood(facts)
  }

  private func write(_ facts: ReportFacts, to path: String) throws {
    let page = ReportPage.html(facts, language: lang ?? ReportLanguage(environment: Invocation.environment))
    if path == "-" {
      Terminal.writeOutput(page)
    } else {
      try ReportFile.write(page, to: path)
    }
  }
}
