import ArgumentParser
import Operations

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

struct Tsdb: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tsdb",
    abstract: "Migrate PostgreSQL databases, and run a private local one.",
    discussion: """
      EXAMPLES
        tsdb migrate up            apply what is pending
        tsdb migrate status        see what is applied, pending and changed
        tsdb migrate verify        compare the database with what the migrations left
        tsdb seed                  insert the initial configuration
        tsdb server psql           a psql session on the private local server

      \(ExitStatus.help)
      """,
    version: Version.current,
    subcommands: [Migrate.self, SeedCommand.self, ServerGroup.self])
}

@main
enum Main {
  static func main() async {
    // Copied before the originals are overwritten.
    let arguments = GlobalOptions.hoisting(Array(CommandLine.arguments.dropFirst()))
    let holdsPassword = Arguments.hideDatabaseURL()
    let task = Task { await run(arguments, warnOfPassword: holdsPassword) }
    let signals = Signals(cancelling: task)
    let status = await task.value
    withExtendedLifetime(signals) {}
    exit(status)
  }

  private static func run(_ arguments: [String], warnOfPassword: Bool) async -> Int32 {
    do {
      var command = try Tsdb.parseAsRoot(arguments)
      if warnOfPassword {
        Terminal.writeError(
          "warning: the argument --database-url holds a password, which others on this machine may have seen\n"
            + "hint: use the environment variable DATABASE_URL, or ~/.pgpass")
      }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return ExitStatus.done.rawValue
    } catch let findings as Findings {
      return findings.status.rawValue
    } catch  where isParserError(error) {
      return report(parserError: error)
    } catch {
      let failure = Failure(error)
      if arguments.contains("--json") {
        Terminal.writeError(JSONText.encode(["error": failure]))
      } else {
        Terminal.writeError(
          failure.text(
            style: Style(isTerminal: Terminal.isErrorTerminal, environment: Invocation.environment)))
      }
      return failure.status
    }
  }

  /// Help, versions and usage errors come from the parser, which knows how to word them.
  private static func isParserError(_ error: any Error) -> Bool {
    switch ExitStatus(error) {
    case .failed: Tsdb.exitCode(for: error) != .failure || error is ValidationError || error is CleanExit
    default: false
    }
  }

  private static func report(parserError error: any Error) -> Int32 {
    let code = Tsdb.exitCode(for: error)
    let text = Tsdb.fullMessage(for: error)
    if code.isSuccess {
      if !text.isEmpty { Terminal.writeOutput(text) }
    } else {
      Terminal.writeError(text)
    }
    return code.rawValue
  }
}
