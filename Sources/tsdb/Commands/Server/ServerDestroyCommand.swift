import ArgumentParser
import Migrations
import Operations

struct ServerDestroy: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "destroy", abstract: "Stop it and remove it with all its data.",
    discussion: """
      EXAMPLES
        tsdb server destroy
        tsdb server destroy --yes      for scripts

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func run() async throws {
    let invocation = Invocation(global)
    let project = try invocation.project()
    let server = try ServerOperations(project: project)
    if try server.status().state != "absent", !yes {
      guard Terminal.isInputTerminal else {
        throw MigrationError(
          .invalidInput, "destroying the private server in \(project.serverDirectory) needs to be confirmed",
          detail: "Nothing was removed.", hint: "pass --yes to go ahead without a question")
      }
      guard
        Terminal.confirm("This removes the private server in \(project.serverDirectory) with all its data.")
      else {
        throw MigrationError(.interrupted, "not confirmed", detail: "Nothing was removed.")
      }
    }
    let report = try server.destroy()
    invocation.print(report) { report, _ in
      report.destroyed ? "destroyed \(report.directory)" : "there is no private server in \(report.directory)"
    }
  }
}
