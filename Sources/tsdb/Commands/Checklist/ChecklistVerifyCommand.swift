import ArgumentParser
import Checklists
import Operations

struct ChecklistVerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check that evidence is whole: each line follows the one before.",
    discussion: """
      The chain shows a change within it. Whoever can write the file can write a new chain: keep the SHA-256 of the \
      last line elsewhere.

      EXAMPLES
        tsdb checklist verify done.jsonl

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The evidence.", valueName: "file"))
  var file: String

  func run() async throws {
    let invocation = Invocation(global)
    invocation.print(try ChecklistVerify(file: file).run()) { result, style in
      "\(style.good("whole")): \(counted(result.items, "item")) of \"\(Terminal.printable(result.header.document))\", "
        + "begun \(result.header.time), ended \(result.ended)\n"
        + "\(ChecklistText.counts(result.counts))\nsha256 \(result.sha256)"
    }
  }
}
