import ArgumentParser

struct MaintainGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintain", abstract: "Run the maintenance that is due, out of the application's way.",
    discussion: """
      EXAMPLES
        tsdb maintain                     the same as tsdb maintain run
        tsdb maintain --plan              what would run, why, and with which locks
        tsdb maintain retention           run this job now, due or not
        tsdb maintain status              what each job last did, and when it is due

      \(ExitStatus.help)
      """,
    subcommands: [MaintainRunCommand.self, MaintainStatusCommand.self],
    defaultSubcommand: MaintainRunCommand.self)
}
