import ArgumentParser
import Backups
import Operations

struct BackupPruneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Remove the backups that backup.keep does not keep.",
    discussion: """
      Keeps the last so many, and the newest of each of the last so many hours, days, weeks, months and \
      years in which there is one, in UTC and for each database by itself. The newest, the newest verified \
      and the newest proven backup are always kept. Damaged backups neither count nor are removed. On a \
      terminal it asks; scripts pass --yes.

      EXAMPLES
        tsdb backup prune --dry-run
        tsdb backup prune --yes
        tsdb backup prune --keep-daily 14 --keep-monthly 24 --yes

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var repository: RepositoryOptions
  @OptionGroup var keep: KeepOptions

  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be removed, and remove nothing."
  )
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func run() async throws {
    let invocation = Invocation(global)
    let access = try invocation.repository(repository)
    var policy = access.project.configuration.backupRetention
    keep.apply(to: &policy)
    let operation = BackupPrune(policy: policy, database: repository.database)
    let preview = try operation.preview(access)
    if isDryRun || (preview.toRemove.isEmpty && preview.leftovers.isEmpty) {
      invocation.print(preview) { $0.text(style: $1) }
      return
    }
    if !preview.toRemove.isEmpty { try confirm(preview, invocation) }
    let result = try await operation.run(access, expected: preview.toRemove)
    invocation.print(result) { $0.text(style: $1) }
  }

  private func confirm(_ preview: BackupPrune.Result, _ invocation: Invocation) throws {
    if yes { return }
    let count = counted(preview.toRemove.count, "backup")
    guard Terminal.isInputTerminal else {
      throw BackupError(
        .invalidInput, "removing \(count) from \"\(preview.repository)\" needs to be confirmed",
        detail: "Nothing was removed.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    Terminal.writeError(preview.text(style: invocation.errorStyle))
    guard Terminal.confirm("This removes \(count) for good.") else {
      throw BackupError(.interrupted, "not confirmed", detail: "Nothing was removed.")
    }
  }
}

/// How many backups to keep, in place of backup.keep.
struct KeepOptions: ParsableArguments {
  @Option(
    name: .customLong("keep-last"), help: ArgumentHelp("In place of backup.keep.last.", valueName: "count"))
  var last: Int?

  @Option(
    name: .customLong("keep-hourly"),
    help: ArgumentHelp("In place of backup.keep.hourly.", valueName: "count"))
  var hourly: Int?

  @Option(
    name: .customLong("keep-daily"), help: ArgumentHelp("In place of backup.keep.daily.", valueName: "count"))
  var daily: Int?

  @Option(
    name: .customLong("keep-weekly"),
    help: ArgumentHelp("In place of backup.keep.weekly.", valueName: "count"))
  var weekly: Int?

  @Option(
    name: .customLong("keep-monthly"),
    help: ArgumentHelp("In place of backup.keep.monthly.", valueName: "count"))
  var monthly: Int?

  @Option(
    name: .customLong("keep-yearly"),
    help: ArgumentHelp("In place of backup.keep.yearly.", valueName: "count"))
  var yearly: Int?

  func validate() throws {
    for count in [last, hourly, daily, weekly, monthly, yearly] {
      if let count, !(0...1_000_000).contains(count) {
        throw ValidationError("the --keep options take a number from 0 to 1000000")
      }
    }
  }

  func apply(to policy: inout RetentionPolicy) {
    policy.last = last ?? policy.last
    policy.hourly = hourly ?? policy.hourly
    policy.daily = daily ?? policy.daily
    policy.weekly = weekly ?? policy.weekly
    policy.monthly = monthly ?? policy.monthly
    policy.yearly = yearly ?? policy.yearly
  }
}
