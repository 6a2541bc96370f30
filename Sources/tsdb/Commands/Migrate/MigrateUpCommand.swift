import ArgumentParser
import Operations

struct MigrateUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Apply what is pending, in dependency order.",
    discussion: """
      Each file and its history row share one transaction; run again after any interruption, it continues.

      EXAMPLES
        tsdb migrate up --dry-run
        tsdb migrate up --to support_webhooks_schema
        DATABASE_URL=postgresql://app@db/app tsdb migrate up --lock-timeout 500ms

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Option(help: ArgumentHelp("Apply nothing after this migration.", valueName: "name"))
  var to: String?

  @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Show what would run, and run nothing.")
  var isDryRun = false

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access(patience.apply)
    let operation = MigrateUp(target: to)
    if isDryRun {
      invocation.print(try await operation.dryRun(access)) { $0.text(style: $1) }
    } else {
      invocation.print(try await operation.run(access)) { $0.text(style: $1) }
    }
  }
}
