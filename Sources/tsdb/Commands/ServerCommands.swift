import ArgumentParser
import LocalServer
import Migrations
import Operations

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

struct ServerGroup: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "The private local server: a PostgreSQL of the project's own.",
    discussion: """
      A cluster in .tsdb/server, reachable through a socket that only its owner can use. Commands start it by
      themselves when no database is configured.

      EXAMPLES
        tsdb server start
        tsdb server psql

      \(ExitStatus.help)
      """,
    subcommands: [
      ServerStart.self, ServerStop.self, ServerStatusCommand.self, ServerURL.self, ServerPsql.self,
      ServerDestroy.self,
    ])
}

struct ServerStart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start it, and make it first where there is none.",
    discussion: """
      EXAMPLES
        tsdb server start
        TSDB_PG_BINDIR=/usr/lib/postgresql/15/bin tsdb server start

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let report = try await ServerOperations(project: try invocation.project()).start()
    invocation.print(report) { report, _ in
      (["\(report.outcome): \(report.url)"] + report.notices).joined(separator: "\n")
    }
  }
}

struct ServerStop: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop it; the data stays.",
    discussion: """
      EXAMPLES
        tsdb server stop
        tsdb server stop --mode smart

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("smart, fast or immediate, as in pg_ctl.", valueName: "mode"))
  var mode: StopMode = .fast

  func run() async throws {
    let invocation = Invocation(global)
    let report = try ServerOperations(project: try invocation.project()).stop(mode)
    invocation.print(report) { report, _ in report.outcome }
  }
}

extension StopMode: ExpressibleByArgument {}

struct ServerStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Say whether it runs, and where it is.",
    discussion: """
      EXAMPLES
        tsdb server status
        tsdb server status --check && echo "it runs"

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(help: "End with status 2 unless it runs.")
  var check = false

  func run() async throws {
    let invocation = Invocation(global)
    let report = try ServerOperations(project: try invocation.project()).status()
    invocation.print(report) { report, _ in
      let rows: [(String, String?)] = [
        ("state", report.state), ("directory", report.directory), ("data", report.dataDirectory),
        ("log", report.logDirectory), ("version", report.majorVersion.map { "PostgreSQL \($0)" }),
        ("account", report.account), ("process", report.processId.map { String($0) }), ("url", report.url),
      ]
      return rows.compactMap { row in row.1.map { "\(row.0): \($0)" } }.joined(separator: "\n")
    }
    if check, report.state != "running" { throw Findings(status: .findings) }
  }
}

struct ServerURL: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "url", abstract: "Print the URL of its database, for other programs.",
    discussion: """
      EXAMPLES
        export DATABASE_URL="$(tsdb server url)"
        pg_dump "$(tsdb server url)" > app.sql

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  func run() async throws {
    let invocation = Invocation(global)
    let url = try ServerOperations(project: try invocation.project()).url()
    invocation.print(["url": url]) { _, _ in url }
  }
}

struct ServerPsql: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "psql", abstract: "Open a psql session on it.",
    discussion: """
      EXAMPLES
        tsdb server psql
        tsdb server psql -- -c 'select count(*) from support_troubleshooting_sessions'

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Argument(parsing: .postTerminator, help: "Arguments for psql, after \"--\".")
  var arguments: [String] = []

  func run() async throws {
    let invocation = Invocation(global)
    let (program, arguments) = try await ServerOperations(project: try invocation.project()).psql(arguments)
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    pointers.append(nil)
    // psql handles its own interrupts.
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    signal(SIGPIPE, SIG_DFL)
    execv(program, pointers)
    throw ConfigurationError("\(program) cannot be run", detail: String(cString: strerror(errno)))
  }
}

struct ServerDestroy: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "destroy", abstract: "Stop it and remove it with all its data.",
    discussion: """
      EXAMPLES
        tsdb server destroy
        tsdb server destroy --yes      for scripts

      \(ExitStatus.help)
      """)

  @OptionGroup var global: GlobalOptions

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func run() async throws {
    let invocation = Invocation(global)
    let project = try invocation.project()
    let server = try ServerOperations(project: project)
    if try server.status().state != "absent", !yes {
      guard Terminal.isInputTerminal else {
        throw MigrationError(
          .invalidInput, "destroying the private server in \(project.serverDirectory) needs to be confirmed",
          detail: "Nothing was removed.", hint: "pass --yes to go ahead without a question")
      }
      guard
        Terminal.confirm("This removes the private server in \(project.serverDirectory) with all its data.")
      else {
        throw MigrationError(.interrupted, "not confirmed", detail: "Nothing was removed.")
      }
    }
    let report = try server.destroy()
    invocation.print(report) { report, _ in
      report.destroyed ? "destroyed \(report.directory)" : "there is no private server in \(report.directory)"
    }
  }
}
