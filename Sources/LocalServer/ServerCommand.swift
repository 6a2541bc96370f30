import CSpawn
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One program to run, without a shell.
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
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw .system("open a pipe for", executable, errno) }
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    let reading = FileDescriptor(rawValue: ends[0])
    defer { try? reading.close() }
    let writing = FileDescriptor(rawValue: ends[1])
    let started: Result_<pid_t>
    do {
      started = .success(try start(output: writing, inheriting: inherited, newSession: false))
    } catch {
      started = .failure(error)
    }
    try? writing.close()
    let child = try started.get()
    let output = Self.readToEnd(reading)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return Result(exitStatus: cspawn_exit_status(status), output: output)
  }

  private typealias Result_<Value> = Swift.Result<Value, LocalServerError>

  /// Starts the program and returns its process number once it is executing.
  ///
  /// - Parameter newSession: detached: no terminal, no signal meant for the caller's group.
  func start(
    output: FileDescriptor, inheriting inherited: FileDescriptor?, newSession: Bool
  ) throws(LocalServerError) -> pid_t {
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard null >= 0 else { throw .system("open", "/dev/null", errno) }
    defer { close(null) }
    var child: pid_t = 0
    var step: Int32 = 0
    let failure = withCStrings([executable.string] + arguments) { argv in
      withCStrings(environment) { envp in
        executable.string.withCString { path in
          var request = cspawn_request(
            executable: path, arguments: argv, environment: envp, input: null, output: output.rawValue,
            inherited: inherited?.rawValue ?? -1, new_session: newSession,
            change_account: account != nil, uid: account?.uid ?? 0, gid: account?.gid ?? 0)
          return cspawn_start(&request, &child, &step)
        }
      }
    }
    guard failure == 0 else { throw couldNotStart(failure, step: step) }
    return child
  }

  private func couldNotStart(_ number: Int32, step: Int32) -> LocalServerError {
    guard let account else { return .system("run", executable, number) }
    if step == Int32(CSPAWN_ACCOUNT.rawValue) {
      return LocalServerError(
        .permission, "could not become account \"\(account.name)\" to run \"\(executable)\"",
        detail:
          "\(Errno(rawValue: number).description). Changing the account needs CAP_SETUID and CAP_SETGID.",
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

  private static func readToEnd(_ descriptor: FileDescriptor) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 8192)
    while let count = try? buffer.withUnsafeMutableBytes({ try descriptor.read(into: $0) }), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Calls `body` with the strings as a C array ended by NULL, valid during the call.
private func withCStrings<Value>(
  _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
) -> Value {
  var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
  pointers.append(nil)
  defer { for pointer in pointers { free(pointer) } }
  return pointers.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress else { preconditionFailure("the array ends with nil") }
    return body(base)
  }
}
