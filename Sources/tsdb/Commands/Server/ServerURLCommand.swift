import ArgumentParser
import Operations

struct ServerURL: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "url", abstract: "Print the URL of its database, for other programs.",
    discussion: """
      EXAMPLES
        export DATABASE_URL="$(tsdb server url)"
        pg_dump "$(tsdb server url)" > app.sql

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let url = try ServerOperations(project: try invocation.project()).url()
    invocation.print(["url": url]) { _, _ in url }
  }
}
