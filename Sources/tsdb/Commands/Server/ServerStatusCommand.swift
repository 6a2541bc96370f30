import ArgumentParser
import Operations

struct ServerStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Say whether it runs, and where it is.",
    discussion: """
      EXAMPLES
        tsdb server status
        tsdb server status --check && echo "it runs"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(help: "End with status 2 unless it runs.")
  var check = false

  func run() async throws {
    let invocation = Invocation(global)
    let report = try ServerOperations(project: try invocation.project()).status()
    invocation.print(report) { report, _ in
      let rows: [(String, String?)] = [
        ("state", report.state), ("directory", report.directory), ("data", report.dataDirectory),
        ("log", report.logDirectory), ("version", report.majorVersion.map { "PostgreSQL \($0)" }),
        ("account", report.account), ("process", report.processId.map { String($0) }), ("url", report.url),
      ]
      return rows.compactMap { row in row.1.map { "\(row.0): \($0)" } }.joined(separator: "\n")
    }
    if check, report.state != "running" { throw Findings(status: .findings) }
  }
}
