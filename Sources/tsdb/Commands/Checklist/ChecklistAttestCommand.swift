import ArgumentParser
import Checklists
import Operations

struct ChecklistAttestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attest", abstract: "Record a person's word for an item that no probe can answer.",
    discussion: """
      Kept in .tsdb/attestations.jsonl with who gave it, when and until when. After that day the item is unknown again.

      EXAMPLES
        tsdb checklist attest deployment.md "Runbook creado" --by "Ana Ruiz" --until 2026-12-31
        tsdb checklist attest deployment.md 47 --by "Ana Ruiz" --until 2026-12-31 --note "wiki, page 12"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The checklist.", valueName: "file"))
  var file: String

  @Argument(help: ArgumentHelp("The line of the item, or what it says.", valueName: "item"))
  var item: String

  @Option(help: ArgumentHelp("Who gives their word.", valueName: "name"))
  var by: String

  @Option(help: ArgumentHelp("The last day on which it holds (UTC).", valueName: "date"))
  var until: String

  @Option(help: ArgumentHelp("Where it can be looked up.", valueName: "text"))
  var note: String?

  func run() async throws {
    let invocation = Invocation(global)
    let attestation = try ChecklistAttest(file: file, item: item, by: by, until: until, note: note)
      .run(project: try invocation.project())
    invocation.print(attestation) { attestation, _ in
      "recorded: \"\(Terminal.printable(attestation.item))\" by \(Terminal.printable(attestation.by)), "
        + "until \(Terminal.printable(until))"
    }
  }
}
