import ArgumentParser
import Checklists
import Operations

struct ChecklistRunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Ask every item of a checklist, and fill in its boxes.",
    discussion: """
      An item is bound by a comment on its line or on the line below, or by what it says in Spanish or English:
        <!-- tsdb: matview.fresh max=1h -->
        <!-- tsdb: command timeout=1min make smoke -->
        <!-- tsdb: url https://app.example.org/health expect=200 -->
        <!-- tsdb: attest -->
      Only what is proved gets its tick. Probes that write do so in a transaction that is rolled back.

      EXAMPLES
        tsdb checklist run docs/checklists/deployment.es.md
        tsdb checklist run deployment.md --phase pre --strict
        tsdb checklist run deployment.md --output done.md --evidence done.jsonl

      EXIT STATUS
        0    no item failed; with --strict: all are proved, attested or not applicable
        1    failed; the message says what was kept and what to type next
        2    an item failed; with --strict also one that is unknown or unbound
        64   bad usage, configuration or document
        75   try again later
        130  interrupted
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The checklist.", valueName: "file"))
  var file: String

  @Option(
    name: .customLong("phase"),
    help: ArgumentHelp(
      "Only the items of this phase; may be repeated: "
        + ChecklistPhase.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "phase"))
  var phases: [ChecklistPhase] = []

  @Flag(help: "Items that are unknown or unbound are findings as well.")
  var strict = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the checklist with its boxes filled in here.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write what was asked and seen here, as a chain of JSON lines; never over a file.", valueName: "file"))
  var evidence: String?

  func run() async throws {
    let invocation = Invocation(global)
    var operation = ChecklistRun(file: file, environment: Invocation.environment)
    operation.phases = phases
    operation.output = output
    operation.evidence = evidence
    let result = try await operation.run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1, isBrief: global.quiet, isVerbose: global.verbose) }
    if result.hasFindings(isStrict: strict) { throw Findings(status: .findings) }
  }
}

extension ChecklistPhase: ExpressibleByArgument {}
