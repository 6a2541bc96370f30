import ArgumentParser
import LocalServer
import Operations

struct ServerStop: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop it; the data stays.",
    discussion: """
      EXAMPLES
        tsdb server stop
        tsdb server stop --mode smart

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("smart, fast or immediate, as in pg_ctl.", valueName: "mode"))
  var mode: StopMode = .fast

  func run() async throws {
    let invocation = Invocation(global)
    let report = try ServerOperations(project: try invocation.project()).stop(mode)
    invocation.print(report) { report, _ in report.outcome }
  }
}

extension StopMode: ExpressibleByArgument {}
