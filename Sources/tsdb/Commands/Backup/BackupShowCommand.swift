import ArgumentParser
import Backups
import Operations
import Timekeeping

struct BackupShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one backup: its tables, its checks, how to restore it without tsdb.",
    discussion: """
      A backup is named by its id, the beginning of it, its label, "latest", or its path.

      EXAMPLES
        tsdb backup show latest
        tsdb backup show 20261124
        tsdb backup show /mnt/copy/20261124T020000Z-support

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var repository: RepositoryOptions

  @Argument(help: ArgumentHelp("The backup.", valueName: "backup"))
  var name = "latest"

  func run() async throws {
    let invocation = Invocation(global)
    let access = try invocation.repository(repository)
    let result = try BackupShow(name: name, database: repository.database).run(access)
    invocation.print(result) { $0.text(style: $1, now: .now) }
  }
}
