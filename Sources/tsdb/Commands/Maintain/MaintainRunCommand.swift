import ArgumentParser
import Maintenance
import Operations
import Timekeeping

struct MaintainRunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run what is due, or the jobs that are named.",
    discussion: """
      A job is due when the newest moment of its schedule has passed since its last success, so it does not matter \
      who calls, how often and how late. Whatever waits behind a job's statement is let through within about a \
      tenth of a second: the statement is cancelled and tried again later. Every run, and every run that was \
      skipped, is recorded in tsdb.job_runs.

      Prints nothing when all went well and the output is no terminal; up to five lines when something failed.

      EXAMPLES
        tsdb maintain
        tsdb maintain --plan
        tsdb maintain --plan --at 2026-12-01T02:00:00Z
        tsdb maintain run retention partitions
        tsdb maintain vacuum --budget 10min --verbose

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("Jobs to run now, due or not.", valueName: "job"))
  var jobs: [String] = []

  @Flag(
    name: [.long, .customLong("dry-run"), .customShort("n")],
    help: "Show what would run, why, for how long and with which locks; run nothing.")
  var plan = false

  @Option(
    help: ArgumentHelp("With --plan: at this moment (UTC) instead of now.", valueName: "time"),
    transform: moment)
  var at: UTCTime?

  @Option(
    help: ArgumentHelp("Begin no work after this long, in place of each job's budget.", valueName: "duration")
  )
  var budget: SpanArgument?

  @Flag(
    name: .customLong("allow-seqscan"),
    help: "Let retention read whole tables where the expiry column has no index.")
  var allowsSequentialScan = false

  func validate() throws {
    if at != nil, !plan { throw ValidationError("--at belongs to --plan") }
    if let budget, budget.duration == .zero { throw ValidationError("--budget takes more than 0") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access()
    if plan {
      let result = try await MaintainPlan(names: jobs, allowsSequentialScan: allowsSequentialScan).run(
        access, at: at ?? .now)
      invocation.print(result) { $0.text(style: $1) }
      return
    }
    MaintainRun.yieldProcessors(access.project.configuration)
    var operation = MaintainRun(names: jobs, environment: Invocation.environment)
    operation.budget = budget?.duration
    operation.allowsSequentialScan = allowsSequentialScan
    let progress = MaintainProgress(invocation)
    let result = try await operation.run(access, report: progress.report)
    progress.finished(result, areNamed: !jobs.isEmpty)
    if result.hasFailures { throw Findings(status: .failed) }
    // Somebody asked for it and did not get it.
    if !jobs.isEmpty, result.runs.contains(where: { $0.outcome == .skipped }) {
      throw Findings(status: .tryAgain)
    }
  }

  private static func moment(_ text: String) throws -> UTCTime {
    guard let time = UTCTime(text) else {
      throw ValidationError("--at takes a moment in UTC such as 2026-12-01T02:00:00Z")
    }
    return time
  }
}

/// A span such as `10min`, `2h` or `7d`.
struct SpanArgument: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    guard let duration = Duration(spanText: argument) else { return nil }
    self.duration = duration
  }
}
