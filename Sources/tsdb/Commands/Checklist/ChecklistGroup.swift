import ArgumentParser

struct ChecklistGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checklist", abstract: "Tick the boxes of a Markdown checklist by evidence.",
    discussion: """
      EXAMPLES
        tsdb checklist run docs/checklists/deployment.es.md
        tsdb checklist list docs/checklists/deployment.es.md
        tsdb checklist attest docs/checklists/deployment.es.md "Runbook creado" --by Ana --until 2026-12-31
        tsdb checklist verify evidence.jsonl
        tsdb checklist selftest

      \(ExitStatus.help)
      """,
    subcommands: [
      ChecklistRunCommand.self, ChecklistListCommand.self, ChecklistAttestCommand.self,
      ChecklistVerifyCommand.self, ChecklistSelftestCommand.self,
    ])
}
