import ArgumentParser
import Operations

struct MigrateStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what is applied, pending and changed; writes nothing.",
    discussion: """
      EXAMPLES
        tsdb migrate status
        tsdb migrate status --check --quiet || echo "something is pending or changed"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(help: "End with status 2 unless everything is applied and unchanged.")
  var check = false

  func run() async throws {
    let invocation = Invocation(global)
    let result = try await MigrateStatus().run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1) }
    if check, result.hasFindings { throw Findings(status: .findings) }
  }
}
