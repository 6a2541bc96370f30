import ArgumentParser
import Maintenance
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
    abstract: "Migrate, back up, restore and maintain PostgreSQL databases.",
    discussion: """
      EXAMPLES
        tsdb migrate up            apply what is pending
        tsdb migrate status        see what is applied, pending and changed
        tsdb migrate verify        compare the database with what the migrations left
        tsdb seed                  insert the initial configuration
        tsdb backup                take a backup
        tsdb restore latest --swap restore it beside the live database, and swap the two
        tsdb maintain              run the maintenance that is due
        tsdb checklist run FILE    tick the boxes of a checklist by evidence
        tsdb deploy                run a whole deployment, with a proven backup as the way back
        tsdb rollback              go back to the backup of the last deployment
        tsdb report --html FILE    one page that says how things stand
        tsdb server psql           a psql session on the private local server

      \(ExitStatus.help)
      """,
    version: Version.current,
    subcommands: [
      DeployCommand.self, RollbackCommand.self, Migrate.self, SeedCommand.self, BackupGroup.self,
      RestoreCommand.self,
      MaintainGroup.self, ScheduleGroup.self, CheckCommand.self, ChecklistGroup.self, StatusCommand.self,
      ReportCommand.self, EraseCommand.self, ServerGroup.self,
    ])
}

@main
enum Main {
  static func main() async {
    // Copied before the originals are overwritten.
    let given = Array(CommandLine.arguments.dropFirst())
    let holdsPassword = Arguments.hideDatabaseURL()
    Arguments.hideEmail()
    let task = Task { await run(given, warnOfPassword: holdsPassword) }
    let signals = Signals(cancelling: task)
    let status = await task.value
    withExtendedLifetime(signals) {}
    exit(status)
  }

  private static func run(_ given: [String], warnOfPassword: Bool) async -> Int32 {
    do {
      var command = try Tsdb.parseAsRoot(GlobalOptions.hoisting(given))
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
      return Terminal.outputFailure.map(reportOutput) ?? ExitStatus.done.rawValue
    } catch let findings as Findings {
      return findings.status.rawValue
    } catch let end as PluginEnd {
      // 1 would be a warning.
      guard let failure = Terminal.outputFailure else { return Int32(end.status.rawValue) }
      _ = reportOutput(failure)
      return Int32(HealthStatus.unknown.rawValue)
    } catch  where isParserError(error) {
      return report(parserError: error, arguments: given)
    } catch {
      var failure = Failure(error)
      failure.message = Arguments.hidingConnections(in: failure.message, given: given)
      if CheckCommand.isMeant(by: given) {
        return CheckCommand.reportUnknown(
          [failure.location, failure.message].compactMap { $0 }.joined(separator: ": "), hint: failure.hint,
          asJSON: given.contains("--json"))
      }
      report(failure, asJSON: given.contains("--json"))
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

  private static func report(parserError error: any Error, arguments: [String]) -> Int32 {
    let code = Tsdb.exitCode(for: error)
    let text = Arguments.hidingConnections(in: Tsdb.fullMessage(for: error), given: arguments)
    guard code.isSuccess else {
      if CheckCommand.isMeant(by: arguments) {
        let message = Arguments.hidingConnections(in: Tsdb.message(for: error), given: arguments)
        Terminal.writeError(text)
        return CheckCommand.reportUnknown(message, hint: nil, asJSON: arguments.contains("--json"))
      }
      if arguments.contains("--json") {
        let message = Arguments.hidingConnections(in: Tsdb.message(for: error), given: arguments)
        Terminal.writeOutput(
          JSONText.encodeLine(["error": Failure(usage: message, status: code.rawValue)]))
      }
      Terminal.writeError(text.hasPrefix("Error: ") ? "error: " + text.dropFirst(7) : text)
      return code.rawValue
    }
    // A script that calls "tsdb migrate" and stops there must not take the help for success.
    guard arguments.contains(where: isRequestForText) else {
      Terminal.writeError("error: a command is missing\n\n" + text)
      return ExitStatus.usage.rawValue
    }
    if !text.isEmpty { Terminal.writeOutput(text) }
    return Terminal.outputFailure.map(reportOutput) ?? code.rawValue
  }

  private static func isRequestForText(_ argument: String) -> Bool {
    ["-h", "--help", "help", "--version"].contains(argument) || argument.contains("-help")
      || argument.hasPrefix("--generate-completion-script") || argument.hasPrefix("--experimental-")
  }

  /// The document on standard output for programs, the text on standard error for people.
  ///
  /// On one line, because it may be the last of a stream of documents that are one line each.
  private static func report(_ failure: Failure, asJSON: Bool) {
    if asJSON { Terminal.writeOutput(JSONText.encodeLine(["error": failure])) }
    Terminal.writeError(
      failure.text(style: Style(isTerminal: Terminal.isErrorTerminal, environment: Invocation.environment)))
  }

  private static func reportOutput(_ failure: Int32) -> Int32 {
    Terminal.writeError("error: the result could not be written: \(String(cString: strerror(failure)))")
    return ExitStatus.failed.rawValue
  }
}
