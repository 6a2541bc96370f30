import ArgumentParser
import Backups
import Operations

struct BackupVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read every byte of a backup and compare it with its manifest.",
    discussion: """
      Needs no server. The outcome is recorded beside the backup, and in the configured database if it \
      can be reached. All findings are listed, and end it with status 2.

      EXAMPLES
        tsdb backup verify
        tsdb backup verify 20261124T020000Z-support
        tsdb backup verify --all --jobs 2

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var repository: RepositoryOptions

  @Argument(
    help: ArgumentHelp("The backups: id, beginning, label, path; else the latest.", valueName: "backup"))
  var names: [String] = []

  @Flag(help: "All finished backups.")
  var all = false

  @Option(name: .shortAndLong, help: "Files, and parts of files, that are read at once.")
  var jobs: Int?

  func validate() throws {
    if all, !names.isEmpty { throw ValidationError("--all and the name of a backup exclude one another") }
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 64") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try invocation.repository(repository)
    let operation = BackupVerify(
      names: names, isAll: all, database: repository.database,
      jobs: jobs ?? access.project.configuration.backupJobs)
    let started = ContinuousClock.now
    let result = try await operation.run(access) { id, progress in
      invocation.progress.live(
        ProgressLine.text(
          done: progress.done, total: progress.total, bytes: progress.done,
          seconds: (ContinuousClock.now - started).seconds, what: id, style: invocation.errorStyle))
    }
    invocation.print(result) { $0.text(style: $1) }
    if result.hasFindings { throw Findings(status: .findings) }
  }
}
