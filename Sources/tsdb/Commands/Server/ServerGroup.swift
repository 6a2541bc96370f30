import ArgumentParser

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
