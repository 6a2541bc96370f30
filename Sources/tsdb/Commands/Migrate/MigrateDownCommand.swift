import ArgumentParser
import Migrations
import Operations

struct MigrateDownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Undo migrations by their down scripts, newest first.",
    discussion: """
      Down scripts usually drop tables with their data. On a terminal it asks; scripts pass --yes.

      EXAMPLES
        tsdb migrate down
        tsdb migrate down --to support_webhooks_schema --dry-run
        tsdb migrate down --all --yes

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Option(help: ArgumentHelp("How many to undo.", valueName: "count"))
  var steps: Int?

  @Option(help: ArgumentHelp("Undo everything applied after this migration.", valueName: "name"))
  var to: String?

  @Flag(help: "Undo everything.")
  var all = false

  @Flag(
    name: [.customLong("dry-run"), .customShort("n")], help: "Show what would be undone, and undo nothing.")
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func validate() throws {
    if [steps != nil, to != nil, all].count(where: { $0 }) > 1 {
      throw ValidationError("--steps, --to and --all exclude one another")
    }
    if let steps, steps < 1 { throw ValidationError("--steps takes a number from 1") }
  }

  private var target: DownPlan.Target {
    if all { return .all }
    if let to { return .to(to.hasSuffix(".sql") ? String(to.dropLast(4)) : to) }
    return .steps(steps ?? 1)
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access(patience.apply)
    let operation = MigrateDown(target: target)
    let preview = try await operation.preview(access)
    if isDryRun {
      invocation.print(preview) { preview, _ in
        preview.names.isEmpty
          ? "nothing to undo on \"\(preview.database)\""
          : (preview.names + [
            "would undo \(counted(preview.names.count, "migration")) on \"\(preview.database)\"; nothing was changed"
          ])
          .joined(separator: "\n")
      }
      return
    }
    if !preview.names.isEmpty { try confirm(preview) }
    let result = try await operation.run(access, expected: preview.names)
    invocation.print(result) { result, _ in
      result.undone.isEmpty
        ? "nothing to undo on \"\(result.database)\""
        : "undid \(counted(result.undone.count, "migration")) on \"\(result.database)\": \(result.undone.map(\.name).joined(separator: ", "))"
    }
  }

  private func confirm(_ preview: MigrateDown.Preview) throws {
    if yes { return }
    let names = preview.names.joined(separator: ", ")
    guard Terminal.isInputTerminal else {
      throw MigrationError(
        .invalidInput, "undoing \(names) on \"\(preview.database)\" needs to be confirmed",
        detail: "Nothing was undone.",
        hint: "pass --yes to go ahead without a question, or --dry-run to look first")
    }
    guard Terminal.confirm("This undoes \(names) on \"\(preview.database)\", with the data in what it drops.")
    else {
      throw MigrationError(.interrupted, "not confirmed", detail: "Nothing was undone.")
    }
  }
}
