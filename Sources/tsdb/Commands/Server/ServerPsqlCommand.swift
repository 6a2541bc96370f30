import ArgumentParser
import Operations

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
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
