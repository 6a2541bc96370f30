import ArgumentParser
import Backups
import Operations

struct BackupVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read every byte of a backup and compare it with its manifest.",
    discussion: """
      Needs no server. The outcome is recorded beside the backup, and in the configured database if it \
      can be reached. All findings are listed, and end it with status 2.

      With --restore it also restores the backup on a throwaway server of its own, of the same major version \
      where that is installed, reads everything again and compares every row, sequence, large object and the \
      catalogue with the manifest, and runs the migrations' verify scripts. Then the backup is "proven". The \
      repository is all that is needed, on any machine with a PostgreSQL server installed.

      EXAMPLES
        tsdb backup verify
        tsdb backup verify 20261124T020000Z-support
        tsdb backup verify --all --jobs 2
        tsdb backup verify --restore
        tsdb backup verify --restore --scratch /mnt/large --keep

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

  @Flag(name: .customLong("restore"), help: "Also restore it on a throwaway server, and compare everything.")
  var restores = false

  @Option(
    help: ArgumentHelp(
      "With --restore: where the throwaway server is made; else .tsdb/proofs of the project.",
      valueName: "directory"))
  var scratch: String?

  @Flag(name: .customLong("keep"), help: "With --restore: leave the throwaway server running, to look at it.")
  var keepsServer = false

  func validate() throws {
    if !restores, keepsServer || scratch != nil {
      throw ValidationError("--keep and --scratch belong to --restore")
    }
    if all, !names.isEmpty { throw ValidationError("--all and the name of a backup exclude one another") }
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 64") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try invocation.repository(repository)
    let operation = BackupVerify(
      names: names, isAll: all, database: repository.database,
      jobs: jobs ?? access.project.configuration.backupJobs)
    if restores { return try await prove(operation, access, invocation) }
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

  private func prove(
    _ verify: BackupVerify, _ access: RepositoryAccess, _ invocation: Invocation
  ) async throws {
    let operation = BackupProve(
      verify: verify, scratch: scratch.map(Project.absolute), keepsServer: keepsServer)
    let result = try await operation.run(access, report: BackupProveProgress(invocation).report)
    invocation.print(result) { $0.text(style: $1) }
    if result.hasFindings { throw Findings(status: .findings) }
  }
}
