import ArgumentParser

/// Options that every command takes, before or after its name.
struct GlobalOptions: ParsableArguments {
  @Option(
    name: .customLong("database-url"),
    help: ArgumentHelp(
      "The database to work on.",
      discussion:
        "Else DATABASE_URL, else the file that database.url_file in tsdb.yaml names, else libpq's PG* "
        + "variables, else the private local server. A password is better kept in ~/.pgpass, DATABASE_URL or "
        + "that file: arguments can be seen by others.",
      valueName: "url"))
  var databaseURL: String?

  @Option(
    name: [.customShort("C"), .customLong("project")],
    help: ArgumentHelp("The project's directory, or one below it.", valueName: "directory"))
  var project = "."

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but the result and errors.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Print each statement, or each step of the work.")
  var verbose = false
}

extension GlobalOptions {
  /// Moves global options that stand before or between the words of the command behind them, where the parser
  /// wants them.
  static func hoisting(_ arguments: [String]) -> [String] {
    let withValue: Set = ["--database-url", "-C", "--project"]
    let flags: Set = ["--json", "-q", "--quiet", "-v", "--verbose"]
    var options: [String] = []
    var command: [String] = []
    var type: any ParsableCommand.Type = Tsdb.self
    var rest = arguments[...]
    while let argument = rest.first, !type.configuration.subcommands.isEmpty {
      if flags.contains(argument)
        || withValue.contains(where: { $0.hasPrefix("--") && argument.hasPrefix($0 + "=") })
      {
        options.append(argument)
        rest = rest.dropFirst()
      } else if withValue.contains(argument), rest.count > 1 {
        options += rest.prefix(2)
        rest = rest.dropFirst(2)
      } else if !argument.hasPrefix("-") {
        command.append(argument)
        rest = rest.dropFirst()
        let next = type.configuration.subcommands.first { $0.configuration.commandName == argument }
        // A word that is no command is what the parser should complain of, not the options around it.
        guard let next else { return command + rest }
        type = next
      } else {
        break
      }
    }
    // Help and the version are asked of the words alone.
    if let argument = rest.first, ["-h", "--help", "--version"].contains(argument) { return command + rest }
    let isComplete =
      !rest.isEmpty || type.configuration.subcommands.isEmpty || type.configuration.defaultSubcommand != nil
    guard !command.isEmpty, isComplete else { return command.isEmpty ? arguments : command }
    // Behind "--" they would be taken for operands.
    if let end = rest.firstIndex(of: "--") { return command + rest[..<end] + options + rest[end...] }
    return command + rest + options
  }
}
