import Processes
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One program of a server installation to run, without a shell.
struct ServerCommand: Sendable {
  var executable: FilePath
  var arguments: [String]
  /// `NAME=value` each; nothing is inherited.
  var environment: [String]
  /// The account to run it under; nil for the caller's own.
  var account: ServerAccount?

  struct Result: Sendable {
    let exitStatus: Int32
    /// Standard output and standard error, in the order they were written.
    let output: String
  }

  /// Runs the program to its end.
  ///
  /// - Parameter inherited: a file descriptor the program keeps open, as number 3. A lock on it is
  ///   held until the program has ended, even when this process is killed before.
  func run(inheriting inherited: FileDescriptor? = nil) throws(LocalServerError) -> Result {
    do {
      let result = try child.run(inheriting: inherited)
      return Result(exitStatus: result.exitStatus, output: result.output)
    } catch {
      throw explanation(of: error)
    }
  }

  /// Starts the program and returns its process number once it is executing.
  ///
  /// - Parameter newSession: detached: no terminal, no signal meant for the caller's group.
  func start(
    output: FileDescriptor, inheriting inherited: FileDescriptor?, newSession: Bool
  ) throws(LocalServerError) -> pid_t {
    do {
      return try child.start(output: output, inheriting: inherited, newSession: newSession)
    } catch {
      throw explanation(of: error)
    }
  }

  private var child: ChildProcess {
    ChildProcess(
      executable: executable, arguments: arguments, environment: environment,
      account: account.map { ChildProcess.Account(uid: $0.uid, gid: $0.gid) })
  }

  private func explanation(of failure: ProcessError) -> LocalServerError {
    let number = failure.errno.rawValue
    switch failure.step {
    case .openPipe: return .system("open a pipe for", executable, number)
    case .openNull: return .system("open", "/dev/null", number)
    case .start, .changeAccount: break
    }
    guard let account else { return .system("run", executable, number) }
    if failure.step == .changeAccount {
      return LocalServerError(
        .permission, "could not become account \"\(account.name)\" to run \"\(executable)\"",
        detail:
          "\(failure.errno.description). Changing the account needs CAP_SETUID and CAP_SETGID.",
        hint: "run tsdb as an ordinary user instead of root")
    }
    var error = LocalServerError.system("run", executable, number)
    if number == EACCES {
      error = LocalServerError(
        .permission, error.message, detail: "It was started as account \"\(account.name)\".",
        hint: "make the binaries executable for that account, or set TSDB_PG_BINDIR to others")
    }
    return error
  }
}
