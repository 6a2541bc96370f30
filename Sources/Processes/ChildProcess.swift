import CSpawn
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A program that could not be started or read.
public struct ProcessError: Error, Sendable, Equatable {
  /// What was refused.
  public enum Step: Sendable, Equatable {
    case openPipe
    case openNull
    /// fork, the file descriptors, a session of its own, or exec.
    case start
    /// Becoming another account.
    case changeAccount
  }

  public let step: Step
  public let errno: Errno

  public init(step: Step, errno: Errno) {
    self.step = step
    self.errno = errno
  }
}

/// One program to run, without a shell.
///
/// It gets its arguments and environment and nothing else: no other file descriptor, default signals,
/// no terminal to read from.
public struct ChildProcess: Sendable {
  /// The account a program is run under.
  public struct Account: Sendable, Equatable {
    public let uid: UInt32
    public let gid: UInt32

    public init(uid: UInt32, gid: UInt32) {
      self.uid = uid
      self.gid = gid
    }
  }

  public struct Result: Sendable {
    /// The exit status, or 128 plus the signal that ended it.
    public let exitStatus: Int32
    /// Standard output and standard error, in the order they were written.
    public let bytes: [UInt8]
    /// ``bytes`` as text.
    public var output: String { String(decoding: bytes, as: UTF8.self) }
  }

  /// Absolute; `PATH` is not searched.
  public var executable: FilePath
  public var arguments: [String]
  /// `NAME=value` each; nothing is inherited.
  public var environment: [String]
  /// nil for the caller's own.
  public var account: Account?
  /// The working directory.
  public var directory: FilePath = "/"
  /// Whether it gets SIGTERM when the thread that started it ends, and so when this process is killed; on Linux.
  public var diesWithThread = false

  public init(
    executable: FilePath, arguments: [String], environment: [String], account: Account? = nil
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.account = account
  }

  /// Runs the program to its end; blocks.
  ///
  /// - Parameters:
  ///   - inherited: a file descriptor the program keeps open, as number 3. A lock on it is held until
  ///     the program has ended, even when this process is killed before.
  ///   - input: what the program reads; nil for nothing. It is written while nobody reads the output, so it must be
  ///     something that reads all of it before it writes much.
  ///   - started: gets the process number, so that another thread can end the program.
  public func run(
    inheriting inherited: FileDescriptor? = nil, input: [UInt8]? = nil, started: (pid_t) -> Void = { _ in }
  ) throws(ProcessError) -> Result {
    // A socket, for writing to one whose reader is gone need not be a signal.
    var inputEnds: [Int32] = [-1, -1]
    if input != nil {
      #if os(Linux)
        let kind = Int32(SOCK_STREAM.rawValue)
      #else
        let kind = SOCK_STREAM
      #endif
      guard socketpair(AF_UNIX, kind, 0, &inputEnds) == 0 else {
        throw ProcessError(step: .openPipe, errno: Self.lastErrno)
      }
      for end in inputEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }
    defer { for end in inputEnds where end >= 0 { close(end) } }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw ProcessError(step: .openPipe, errno: Self.lastErrno) }
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    let reading = FileDescriptor(rawValue: ends[0])
    defer { try? reading.close() }
    let writing = FileDescriptor(rawValue: ends[1])
    let child: Swift.Result<pid_t, ProcessError>
    do {
      let inputEnd = input == nil ? nil : FileDescriptor(rawValue: inputEnds[0])
      child = .success(
        try start(output: writing, input: inputEnd, inheriting: inherited, newSession: false))
    } catch {
      child = .failure(error)
    }
    try? writing.close()
    let pid = try child.get()
    started(pid)
    if let input {
      // Only the program has the reading end now, so that its death ends the writing.
      close(inputEnds[0])
      inputEnds[0] = -1
      Self.send(input, to: inputEnds[1])
      close(inputEnds[1])
      inputEnds[1] = -1
    }
    let output = Self.readToEnd(reading)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return Result(exitStatus: cspawn_exit_status(status), bytes: output)
  }

  /// Starts the program and returns its process number once it is executing.
  ///
  /// - Parameters:
  ///   - input: what the program reads from; nil for nothing to read.
  ///   - newSession: detached: no terminal, no signal meant for the caller's group.
  public func start(
    output: FileDescriptor, input: FileDescriptor? = nil, inheriting inherited: FileDescriptor?,
    newSession: Bool
  ) throws(ProcessError) -> pid_t {
    let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard null >= 0 else { throw ProcessError(step: .openNull, errno: Self.lastErrno) }
    defer { close(null) }
    var child: pid_t = 0
    var step: Int32 = 0
    let failure = withCStrings([executable.string] + arguments) { argv in
      withCStrings(environment) { envp in
        withCStrings([executable.string, directory.string]) { paths in
          var request = cspawn_request(
            executable: paths[0], arguments: argv, environment: envp, input: input?.rawValue ?? null,
            output: output.rawValue,
            inherited: inherited?.rawValue ?? -1, directory: paths[1],
            dies_with_thread: diesWithThread, new_session: newSession,
            change_account: account != nil, uid: account?.uid ?? 0, gid: account?.gid ?? 0)
          return cspawn_start(&request, &child, &step)
        }
      }
    }
    guard failure == 0 else {
      let isAccount = step == Int32(CSPAWN_ACCOUNT.rawValue)
      throw ProcessError(step: isAccount ? .changeAccount : .start, errno: Errno(rawValue: failure))
    }
    return child
  }

  private static func send(_ bytes: [UInt8], to socket: Int32) {
    #if os(Linux)
      let flags = Int32(MSG_NOSIGNAL)
    #else
      var on: Int32 = 1
      setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
      let flags: Int32 = 0
    #endif
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { systemSend(socket, $0.baseAddress, $0.count, flags) }
      if sent > 0 { rest = rest.dropFirst(sent) } else if sent < 0, errno != EINTR { return }
    }
  }

  static var lastErrno: Errno { Errno(rawValue: errno) }

  private static func readToEnd(_ descriptor: FileDescriptor) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 8192)
    while let count = try? buffer.withUnsafeMutableBytes({ try descriptor.read(into: $0) }), count > 0 {
      bytes += buffer[..<count]
    }
    return bytes
  }
}

private func systemSend(_ socket: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
  send(socket, bytes, count, flags)
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
