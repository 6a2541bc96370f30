import ArgumentParser
import Operations

struct SeedCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seed", abstract: "Insert the initial configuration; never overwrites what is there.",
    discussion: """
      Runs each file in seeds/ once, in a transaction of its own, and again when the file changes. Only inserts that
      leave existing rows alone are allowed.

      EXAMPLES
        tsdb seed
        tsdb seed --force      bring deleted rows back, still without touching the others

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions
  @OptionGroup var patience: PatienceOptions

  @Flag(help: "Run files that were seeded before as well.")
  var force = false

  func run() async throws {
    let invocation = Invocation(global)
    let result = try await Seed(isForced: force).run(try await invocation.access(patience.apply))
    invocation.print(result) { result, _ in
      if result.files.isEmpty { return "no seed files" }
      return result.files
        .map {
          $0.outcome == "seeded" ? "seeded \($0.name): \(counted($0.rows, "row"))" : "unchanged \($0.name)"
        }
        .joined(separator: "\n")
    }
  }
}
