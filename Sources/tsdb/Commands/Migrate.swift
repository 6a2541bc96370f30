import ArgumentParser
import Migrations
import Operations

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

/// How long a command waits for locks and for other runs.
struct PatienceOptions: ParsableArguments {
  @Option(
    name: .customLong("lock-timeout"),
    help: ArgumentHelp(
      "How long a statement waits for a lock; readers behind it wait no longer.", valueName: "duration"))
  var lockTimeout: DurationArgument?

  @Option(
    name: .customLong("lock-attempts"),
    help: ArgumentHelp("How often a file that did not get its lock is tried.", valueName: "count"))
  var lockAttempts: Int?

  @Option(help: ArgumentHelp("How long to wait for another run to end.", valueName: "duration"))
  var wait: DurationArgument?

  func validate() throws {
    if let lockAttempts, !(1...1000).contains(lockAttempts) {
      throw ValidationError("--lock-attempts takes a number from 1 to 1000")
    }
    if let lockTimeout, lockTimeout.duration == .zero {
      throw ValidationError(
        "--lock-timeout takes more than 0; a wait without end would hold up every reader behind it")
    }
  }

  func apply(to options: inout RunOptions) {
    if let lockTimeout { options.lockTimeout = lockTimeout.duration }
    if let lockAttempts { options.lockAttempts = lockAttempts }
    if let wait { options.runnerWait = wait.duration }
  }
}

/// A duration such as `500ms`, `2s` or `5min`.
struct DurationArgument: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    guard let duration = Duration(settingText: argument) else { return nil }
    self.duration = duration
  }
}

struct MigrateUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Apply what is pending, in dependency order.",
    discussion: """
      Each file and its history row share one transaction; run again after any interruption, it continues.

      EXAMPLES
        tsdb migrate up --dry-run
        tsdb migrate up --to support_webhooks_schema
        DATABASE_URL=postgresql://app@db/app tsdb migrate up --lock-timeout 500ms

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Option(help: ArgumentHelp("Apply nothing after this migration.", valueName: "name"))
  var to: String?

  @Flag(name: [.customLong("dry-run"), .customShort("n")], help: "Show what would run, and run nothing.")
  var isDryRun = false

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access(patience.apply)
    let operation = MigrateUp(target: to)
    if isDryRun {
      invocation.print(try await operation.dryRun(access)) { $0.text(style: $1) }
    } else {
      invocation.print(try await operation.run(access)) { $0.text(style: $1) }
    }
  }
}

struct MigrateStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show what is applied, pending and changed; writes nothing.",
    discussion: """
      EXAMPLES
        tsdb migrate status
        tsdb migrate status --check --quiet || echo "something is pending or changed"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(help: "End with status 2 unless everything is applied and unchanged.")
  var check = false

  func run() async throws {
    let invocation = Invocation(global)
    let result = try await MigrateStatus().run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1) }
    if check, result.hasFindings { throw Findings(status: .findings) }
  }
}

struct MigrateVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Run the verify scripts and name every object that drifted; writes nothing.",
    discussion: """
      Compares checksums, runs each NAME.verify.sql read-only, and compares the live catalogue with what the
      migrations left. Needs no second database.

      EXAMPLES
        tsdb migrate verify
        tsdb migrate verify --name support_webhooks_schema --json

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Run only this migration's verify script.", valueName: "name"))
  var name: String?

  func run() async throws {
    let invocation = Invocation(global)
    let plain = name.map { $0.hasSuffix(".sql") ? String($0.dropLast(4)) : $0 }
    let result = try await MigrateVerify(name: plain).run(try await invocation.access())
    invocation.print(result) { $0.text(style: $1) }
    if result.hasFindings { throw Findings(status: .findings) }
  }
}

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

struct MigrateNewCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a new migration with its down and verify files.",
    discussion: """
      EXAMPLES
        tsdb migrate new add_ticket_priority --requires support_troubleshooting_schema
        tsdb migrate new index_sessions_by_agent --transaction-off

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: "The name, without .sql.")
  var name: String

  @Option(help: ArgumentHelp("A migration that must come before; may be repeated.", valueName: "name"))
  var requires: [String] = []

  @Flag(name: .customLong("transaction-off"), help: "For statements that cannot run in a transaction.")
  var isTransactionOff = false

  @Flag(help: "Run again whenever the file changes, for views and functions.")
  var repeatable = false

  func run() async throws {
    let invocation = Invocation(global)
    var template = MigrationTemplate(name: name.hasSuffix(".sql") ? String(name.dropLast(4)) : name)
    template.requirements = requires
    template.isTransactional = !isTransactionOff
    template.isRepeatable = repeatable
    let result = try MigrateNew(template: template).run(try invocation.project())
    invocation.print(result) { result, _ in result.files.joined(separator: "\n") }
  }
}

struct MigrateAcceptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept", abstract: "Take over an edited file, a missing file, or a drifted catalogue.",
    discussion: """
      Changes the history only; nothing of the file is run. Who accepted what is kept in the log.

      EXAMPLES
        tsdb migrate accept support_webhooks_schema --reason "comment corrected"
        tsdb migrate accept old_import --missing
        tsdb migrate accept --catalog --reason "index added by hand during the incident"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Argument(help: "The migration.")
  var name: String?

  @Flag(help: "Forget an applied migration whose file is gone; the objects it made stay.")
  var missing = false

  @Flag(help: "Take the live catalogue over as what the migrations left.")
  var catalog = false

  @Option(help: ArgumentHelp("Why; kept in the log.", valueName: "text"))
  var reason: String?

  func validate() throws {
    if catalog, name != nil || missing {
      throw ValidationError("--catalog takes neither a name nor --missing")
    }
    if !catalog, name == nil { throw ValidationError("name a migration, or pass --catalog") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    let access = try await invocation.access(patience.apply)
    let plain = name.map { $0.hasSuffix(".sql") ? String($0.dropLast(4)) : $0 } ?? ""
    let subject: MigrateAccept.Subject = catalog ? .catalog : missing ? .missing(plain) : .edited(plain)
    let result = try await MigrateAccept(subject, reason: reason).run(access)
    invocation.print(result) { result, _ in
      guard result.changed else { return "nothing to accept" }
      return catalog
        ? "accepted \(counted(result.acceptedObjects, "object")) of the live catalogue"
        : "accepted \"\(result.subject)\""
    }
  }
}
