import ArgumentParser

struct BackupGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Take backups, and look after them.",
    discussion: """
      EXAMPLES
        tsdb backup                       the same as tsdb backup create
        tsdb backup create --label before-release-42
        tsdb backup list                  what there is, and how far it was checked
        tsdb backup verify --all          read every byte again
        tsdb backup prune --dry-run       what backup.keep would remove

      \(ExitStatus.help)
      """,
    subcommands: [
      BackupCreateCommand.self, BackupListCommand.self, BackupShowCommand.self, BackupVerifyCommand.self,
      BackupPruneCommand.self,
    ], defaultSubcommand: BackupCreateCommand.self)
}
