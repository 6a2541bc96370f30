import ArgumentParser
import LocalServer
import Maintenance
import Operations

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look at the database's health, as a plugin for Nagios and its kin; writes nothing.",
    discussion: """
      The first line has the verdict and the performance data; each line behind it one problem and what would help.
      What the role may not see is UNKNOWN with the GRANT that it lacks.

      EXAMPLES
        tsdb check
        tsdb check --list
        tsdb check --only backups,jobs --warning backup-age=30h
        tsdb check --skip drift --json

      EXIT STATUS
        0  OK
        1  WARNING
        2  CRITICAL, also where the server cannot be reached
        3  UNKNOWN: something could not be seen; also bad usage and bad configuration
        The worst counts: CRITICAL, then UNKNOWN, then WARNING.
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only these checks, by commas; may be repeated.", valueName: "names"))
  var only: [String] = []

  @Option(help: ArgumentHelp("All but these checks, by commas; may be repeated.", valueName: "names"))
  var skip: [String] = []

  @Option(
    help: ArgumentHelp("Warn above this value of a threshold; may be repeated.", valueName: "name=value"))
  var warning: [String] = []

  @Option(
    help: ArgumentHelp(
      "Be critical above this value of a threshold; may be repeated.", valueName: "name=value"))
  var critical: [String] = []

  @Flag(help: "Show the checks, what they look at and their thresholds.")
  var list = false

  func run() async throws {
    let invocation = Invocation(global)
    if list {
      invocation.print(CheckList(checks: CheckOperation.descriptions)) { $0.text(style: $1) }
      throw PluginEnd(status: .ok)
    }
    let report = try await report(invocation)
    Terminal.writeOutput(global.json ? JSONText.encode(report) : report.text(isQuiet: global.quiet))
    throw PluginEnd(status: report.status)
  }

  private func report(_ invocation: Invocation) async throws -> HealthReport {
    func names(_ options: [String]) -> [String] {
      options.flatMap { $0.split(separator: ",").map { String($0.drop { $0 == " " }) } }
    }
    let operation: CheckOperation
    do {
      operation = try CheckOperation(
        only: names(only), skip: names(skip), warnings: warning, criticals: critical)
    } catch let error as MaintenanceError {
      _ = Self.reportUnknown(error.message, hint: error.hint, asJSON: global.json)
      throw PluginEnd(status: .unknown)
    }
    let project = try invocation.project()
    let choice = try ConnectionChoice(
      flag: global.databaseURL, environment: Invocation.environment, project: project)
    do {
      return await operation.run(project: project, settings: try choice.existing(in: project))
    } catch let error as LocalServerError {
      return CheckOperation.unreachable(error)
    }
  }
}

/// Ends the command with a plugin's status.
struct PluginEnd: Error {
  let status: HealthStatus
}

extension CheckCommand {
  /// Whether these arguments mean this command, also where the parser did not get that far.
  static func isMeant(by arguments: [String]) -> Bool {
    var rest = arguments[...]
    while let argument = rest.first, argument.hasPrefix("-") {
      rest = rest.dropFirst(["--database-url", "-C", "--project"].contains(argument) ? 2 : 1)
    }
    return rest.first == configuration.commandName
  }

  /// Reports what kept the checks from being run: to a plugin's reader, who sees standard output alone, and to
  /// people on standard error.
  static func reportUnknown(_ message: String, hint: String?, asJSON: Bool) -> Int32 {
    if asJSON {
      let failure = Failure(usage: message, status: Int32(HealthStatus.unknown.rawValue))
      Terminal.writeOutput(JSONText.encode(Document(status: .unknown, error: failure)))
    } else {
      Terminal.writeOutput(
        Plugin.line(.unknown, message) + (hint.map { "\n" + Plugin.printable("hint: \($0)") } ?? ""))
    }
    return Int32(HealthStatus.unknown.rawValue)
  }

  private struct Document: Encodable {
    let status: HealthStatus
    let error: Failure
  }
}
