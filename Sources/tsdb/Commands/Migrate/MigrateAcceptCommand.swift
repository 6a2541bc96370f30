import ArgumentParser
import Operations

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
