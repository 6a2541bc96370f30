import ArgumentParser
import Operations

struct MigrateVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Run the verify scripts and name every object that drifted; writes nothing.",
    discussion: """
      Compares checksums, runs each NAME.verify.sql read-only, and compares the live catalogue with what the
      migrations left. Needs no second database.

      EXAMPLES
        tsdb migrate verify
        tsdb migrate verify --name support_webhooks_schema --json

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Run only this migration's verify script.", valueName: "name"))
  var name: String?

  func run() async throws {
    let invocation = Invocation(global)
    let plain = name.map { $0.hasSuffix(".sql") ? String($0.dropLast(4)) : $0 }
    let result = try await MigrateVerify(name: plain).run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1) }
    if result.hasFindings { throw Findings(status: .findings) }
  }
}
