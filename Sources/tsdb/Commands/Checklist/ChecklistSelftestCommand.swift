import ArgumentParser
import Operations

struct ChecklistSelftestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest", abstract: "Break scratch databases, and demand that every probe turns red.",
    discussion: """
      On a server of its own that is thrown away: the project's migrations and seeds are applied, maintenance is run, a \
      backup is taken and restored on trial. Then each probe is put through controls, each on a copy: it must not be \
      red, it must turn red in every way it names of breaking the database, the files or the connection, and it must \
      not be proved by an empty database or without a server. It may leave no row and no transaction behind. The \
      configured database and the project's backups are not touched.

      EXAMPLES
        tsdb checklist selftest
        tsdb checklist selftest --probe matview.fresh --probe backup.proven
        tsdb checklist selftest --json

      EXIT STATUS
        0    every probe stood all its controls
        1    it could not be run; the message says why
        2    a probe did not turn red, or did not stand another control
        64   bad usage, configuration or migration files
        75   try again later
        130  interrupted
      """)

  @OptionGroup var global: GlobalOptions

  @Option(
    name: .customLong("probe"),
    help: ArgumentHelp("Only this probe; may be repeated. tsdb checklist list --probes", valueName: "name"))
  var probes: [String] = []

  @Option(
    help: ArgumentHelp(
      "Where the throwaway server is made; else .tsdb/selftest of the project.", valueName: "directory"))
  var scratch: String?

  func validate() throws {
    if global.databaseURL != nil {
      throw ValidationError("selftest breaks databases, and works on a server of its own: no --database-url")
    }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let operation = ChecklistSelftest(probes: probes, scratch: scratch.map(Project.absolute))
    let result = try await operation.run(project: try invocation.project()) { event in
      switch event {
      case .preparing(let what): invocation.progress.live(what)
      case .removedLeftover(let directory):
        invocation.progress.note("removed what an interrupted selftest had left: \(directory)")
      case .warning(let message, let detail, let hint):
        invocation.progress.warning(message, detail: detail, hint: hint)
      case .control(let control, let number, let total):
        if global.verbose { invocation.progress.note(control.line) }
        invocation.progress.live(
          "\(invocation.progress.bar(number, total)) \(number)/\(total)  \(control.line)")
      }
    }
    invocation.print(result) { $0.text(style: $1, isBrief: global.quiet) }
    if !result.passed { throw Findings(status: .findings) }
  }
}
