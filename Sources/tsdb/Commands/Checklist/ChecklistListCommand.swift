import ArgumentParser
import Operations

struct ChecklistListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the items of a checklist and what they are bound to; asks nothing.",
    discussion: """
      EXAMPLES
        tsdb checklist list docs/checklists/deployment.es.md
        tsdb checklist list --probes

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("The checklist.", valueName: "file"))
  var file: String?

  @Flag(help: "Show the probes that an item can be bound to instead.")
  var probes = false

  func validate() throws {
    if (file == nil) != probes { throw ValidationError("name a checklist, or ask for --probes") }
  }

  func run() async throws {
    let invocation = Invocation(global)
    if let file {
      invocation.print(try ChecklistList(file: file).run(project: try invocation.project())) {
        $0.text(style: $1)
      }
    } else {
      invocation.print(ChecklistList.probes) { probes, style in
        probes.map { "\(style.bold($0.name))\n  \($0.summary)" }.joined(separator: "\n")
      }
    }
  }
}
