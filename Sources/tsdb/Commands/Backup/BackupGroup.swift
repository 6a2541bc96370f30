import ArgumentParser

struct BackupGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Take backups, and look after them.",
    discussion: """
      EXAMPLES
        tsdb backup                       the same as tsdb backup create
        tsdb backup create --label before-release-42

      \(ExitStatus.help)
      """,
    subcommands: [BackupCreateCommand.self], defaultSubcommand: BackupCreateCommand.self)
}
