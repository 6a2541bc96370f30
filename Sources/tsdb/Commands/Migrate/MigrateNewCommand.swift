import ArgumentParser
import Migrations
import Operations

struct MigrateNewCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a new migration with its down and verify files.",
    discussion: """
      EXAMPLES
        tsdb migrate new add_ticket_priority --requires support_troubleshooting_schema
        tsdb migrate new index_sessions_by_agent --transaction-off

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: "The name, without .sql.")
  var name: String

  @Option(help: ArgumentHelp("A migration that must come before; may be repeated.", valueName: "name"))
  var requires: [String] = []

  @Flag(name: .customLong("transaction-off"), help: "For statements that cannot run in a transaction.")
  var isTransactionOff = false

  @Flag(help: "Run again whenever the file changes, for views and functions.")
  var repeatable = false

  func run() async throws {
    let invocation = Invocation(global)
    var template = MigrationTemplate(name: name.hasSuffix(".sql") ? String(name.dropLast(4)) : name)
    template.requirements = requires
    template.isTransactional = !isTransactionOff
    template.isRepeatable = repeatable
    let result = try MigrateNew(template: template).run(try invocation.project())
    invocation.print(result) { result, _ in result.files.joined(separator: "\n") }
  }
}
