import ArgumentParser

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Apply, inspect and undo versioned schema files.",
    discussion: """
      EXAMPLES
        tsdb migrate new add_ticket_priority
        tsdb migrate up
        tsdb migrate status

      \(ExitStatus.help)
      """,
    subcommands: [
      MigrateUpCommand.self, MigrateStatusCommand.self, MigrateVerifyCommand.self, MigrateDownCommand.self,
      MigrateNewCommand.self, MigrateAcceptCommand.self,
    ],
    defaultSubcommand: nil)
}
