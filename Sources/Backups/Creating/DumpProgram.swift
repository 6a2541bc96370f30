import Processes
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The installed `pg_dump` with what it needs to reach the same server.
///
/// The password goes by the environment, never by the command line.
public struct DumpProgram: Sendable {
  public let pgDump: FilePath
  /// Beside `pg_dump`; nil where it is not installed.
  public let pgDumpAll: FilePath?
  /// Such as `15.20`.
  public let version: String
  /// `NAME=value` each.
  public let environment: [String]
  /// A connection string without a password for what has no environment variable; nil for nothing.
  public let connectionString: String?

  public init(
    pgDump: FilePath, pgDumpAll: FilePath?, version: String, environment: [String],
    connectionString: String?
  ) {
    self.pgDump = pgDump
    self.pgDumpAll = pgDumpAll
    self.version = version
    self.environment = environment
    self.connectionString = connectionString
  }

  /// Milliseconds that pg_dump waits for a lock. The tables are locked already, so it waits only where
  /// somebody else's request stands in between.
  private static let lockWait = 2000

  /// The SQLSTATE of what ``lockWait`` ends.
  static let lockTimeout = "55P03"

  /// Runs `pg_dump`; blocks, and ends it when `stop` says so.
  ///
  /// - Throws: ``BackupError`` with what the program said.
  func dump(_ arguments: [String], stop: StopSignal) throws(BackupError) {
    var all = arguments + ["--no-password", "--lock-wait-timeout=\(Self.lockWait)"]
    if let connectionString { all.append("--dbname=\(connectionString)") }
    let result = try run(pgDump, all, stop: stop)
    guard result.exitStatus == 0 else { throw failure(of: "pg_dump", result) }
  }

  /// The output of `pg_dumpall --globals-only` without passwords.
  func globals(stop: StopSignal) throws(BackupError) -> String? {
    guard let pgDumpAll else { return nil }
    var arguments = ["--globals-only", "--no-role-passwords", "--no-password"]
    if let connectionString { arguments.append("--dbname=\(connectionString)") }
    let result = try run(pgDumpAll, arguments, stop: stop)
    guard result.exitStatus == 0 else { throw failure(of: "pg_dumpall", result) }
    return result.output
  }

  private func run(
    _ program: FilePath, _ arguments: [String], stop: StopSignal
  ) throws(BackupError) -> ChildProcess.Result {
    let child = ChildProcess(executable: program, arguments: arguments, environment: environment)
    let result: ChildProcess.Result
    do {
      result = try child.run { pid in stop.whenStopped { kill(pid, SIGTERM) } }
    } catch {
      throw BackupError(
        .failed, "\"\(program)\" could not be started", detail: "\(error.errno.description).",
        hint: "check the installation of PostgreSQL's client programs")
    }
    stop.forgetReactions()
    try stop.check()
    return result
  }

  /// What libpq and a server that ends say, and what is left of a snapshot whose session has ended. The
  /// programs run with messages in English.
  private static let lossMessages = [
    "server closed the connection unexpectedly", "terminating connection due to", "connection to server",
    "no connection to the server", "could not receive data from server", "could not send data to server",
    "connection has been closed unexpectedly", "invalid snapshot identifier",
    "could not import the requested snapshot", "Query was: SET TRANSACTION SNAPSHOT",
  ]

  private func failure(of name: String, _ result: ChildProcess.Result) -> BackupError {
    let lines = result.output.split(whereSeparator: \.isNewline).suffix(6).joined(separator: "\n")
    if Self.lossMessages.contains(where: result.output.contains) {
      return BackupError(.tryAgain, "\(name) has lost the server", detail: lines)
    }
    if result.output.contains("Query was: LOCK TABLE") {
      return BackupError(
        .tryAgain, "\(name) did not get its locks on the tables", detail: lines,
        hint: "somebody's DDL is in the way: try again when it is through", sqlState: Self.lockTimeout)
    }
    // What pg_dump says of a pattern, in English: the environment sets LC_MESSAGES.
    let isPattern = [
      "no matching tables were found", "cross-database references are not implemented",
      "improper qualified name", "improper relation name",
    ].contains { lines.contains($0) }
    if isPattern {
      return BackupError(
        .invalidInput, "--table and --exclude-table do not fit the database", detail: lines,
        hint: "patterns are pg_dump's: NAME or SCHEMA.NAME with * and ?, in small letters unless quoted")
    }
    let isFull = lines.contains("No space left on device") || lines.contains("Disk quota exceeded")
    return BackupError(
      .failed, "\(name) failed with status \(result.exitStatus)", detail: lines.isEmpty ? nil : lines,
      hint: isFull ? BackupError.diskFullHint : nil)
  }
}
