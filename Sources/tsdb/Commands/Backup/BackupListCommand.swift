import ArgumentParser
import Backups
import Operations
import Timekeeping

struct BackupListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the backups of a repository, the newest first.",
    discussion: """
      complete   written to its end, with a manifest
      verified   every byte was read and is what the manifest says
      proven     restored on a throwaway server, with equal contents
      damaged    a check found a fault, or the manifest cannot be read
      running, abandoned, deleting: not finished

      EXAMPLES
        tsdb backup list
        tsdb backup list --database support --limit 5
        tsdb backup list --json

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var repository: RepositoryOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("At most so many, the newest.", valueName: "count"))
  var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try invocation.repository(repository)
    let result = try BackupList(database: repository.database, limit: limit).run(access)
    invocation.print(result) { $0.text(style: $1, now: .now) }
  }
}
