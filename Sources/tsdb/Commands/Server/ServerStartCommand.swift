import ArgumentParser
import Operations

struct ServerStart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start it, and make it first where there is none.",
    discussion: """
      EXAMPLES
        tsdb server start
        TSDB_PG_BINDIR=/usr/lib/postgresql/15/bin tsdb server start

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let report = try await ServerOperations(project: try invocation.project()).start()
    invocation.print(report) { report, _ in
      (["\(report.outcome): \(report.url)"] + report.notices).joined(separator: "\n")
    }
  }
}
