import Postgres

/// The SQL that gives every file the same session to start from.
public struct SessionState: Sendable {
  let lockTimeout: Duration
  let statementTimeout: Duration
  let server: ServerFacts

  /// Undoes what a file may have set, for the next file and for a pooler's next client; runs inside
  /// the file's transaction. pg_dump's `set_config('search_path', '', false)` is the classic (goose#859).
  static let reset = """
    reset session authorization; reset role; reset all; discard temp; discard sequences;

    """

  /// Lets reading the history and the catalogue wait for locks no longer than a file may, and as long as it takes
  /// otherwise; behind a pooler the settings would reach another client.
  public static func prepare(
    _ connection: borrowing Connection, for server: ServerFacts, _ options: RunOptions
  ) throws(PostgresError) {
    if server.isPooled { return }
    try connection.execute(
      "set lock_timeout = \(options.lockTimeout.milliseconds); set statement_timeout = 0")
  }

  /// Begins the transaction of a file; settings end with it.
  var begin: String {
    """
    begin isolation level read committed read write;
    \(Self.reset)\(settings(scope: "set local"))
    """
  }

  /// Begins a transaction that can change nothing, for verify scripts; works on a standby.
  var beginReadOnly: String {
    """
    begin isolation level repeatable read read only;
    \(Self.reset)\(settings(scope: "set local"))
    """
  }

  /// Ends what a file has set, inside its transaction; what follows reads the catalogue and writes the history
  /// under the run's own timeouts, since it still holds the file's locks.
  var afterFile: String { Self.reset + settings(scope: "set local") }

  /// The same settings for a session outside a transaction.
  var outsideTransaction: String { Self.reset + settings(scope: "set") }

  private func settings(scope: String) -> String {
    var lines = [
      "\(scope) client_encoding = 'UTF8';",
      // Statements were found with the default reading of backslashes.
      "\(scope) standard_conforming_strings = on;",
      "\(scope) lock_timeout = \(lockTimeout.milliseconds);",
      "\(scope) statement_timeout = \(statementTimeout.milliseconds);",
      "\(scope) idle_in_transaction_session_timeout = 0;",
    ]
    // A killed tsdb must not leave its statement running and its locks held.
    if server.canCheckClient { lines.append("\(scope) client_connection_check_interval = '2s';") }
    if server.versionNumber >= 170_000 { lines.append("\(scope) transaction_timeout = 0;") }
    return lines.joined(separator: " ") + "\n"
  }
}
