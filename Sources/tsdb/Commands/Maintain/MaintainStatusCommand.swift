import ArgumentParser
import Operations

struct MaintainStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what each job last did, and when it is due.",
    discussion: """
      EXAMPLES
        tsdb maintain status
        tsdb maintain status --json

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let result = try await MaintainStatus().run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1) }
  }
}
