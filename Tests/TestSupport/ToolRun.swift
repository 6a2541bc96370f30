import Foundation
import Synchronization

/// A program that has been started, and then its result.
///
/// Output goes to files rather than pipes: a child can never block on a full pipe, and a grandchild
/// that keeps the output open does not delay the end.
public final class ToolRun: Sendable {
  /// How a program ended and what it wrote.
  public struct Result: Sendable, CustomStringConvertible {
    /// The exit status; nil when a signal ended the program.
    public let exitStatus: Int32?
    /// The signal that ended the program, or nil.
    public let signal: Int32?
    public let standardOutput: String
    public let standardError: String
    public let duration: Duration

    public var description: String {
      let end = exitStatus.map { "exit status \($0)" } ?? "signal \(signal ?? 0)"
      return "\(end) after \(duration)\nstdout: \(standardOutput)\nstderr: \(standardError)"
    }
  }

  private struct State {
    var waitStatus: Int32?
    var end: ContinuousClock.Instant?
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  public let pid: pid_t
  private let files: TemporaryDirectory
  private let state = Mutex(State())
  private let start = ContinuousClock.now

  /// Starts `executable`, which is looked for in this process's PATH when it holds no slash.
  ///
  /// - Parameter environment: all of it; nothing is inherited.
  /// - Parameter input: what the program reads from standard input.
  public init(
    executable: String, _ arguments: [String], environment: [String: String],
    directory: String? = nil, input: String = "", isOwnSession: Bool = false
  ) throws {
    files = try TemporaryDirectory()
    try files.write("in", input)
    let descriptors = [
      open(files.path("in"), O_RDONLY | O_CLOEXEC),
      open(files.path("out"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600),
      open(files.path("err"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600),
    ]
    defer { descriptors.forEach { close($0) } }
    pid = try spawn(
      executable, arguments, environment: environment, directory: directory,
      files: ChildFiles(input: descriptors[0], output: descriptors[1], error: descriptors[2]),
      isOwnSession: isOwnSession)
    // One thread per child: waiting must not take a thread from the pool that runs the tests.
    Thread.detachNewThread { [self] in reap() }
  }

  /// What the program has written so far.
  public var standardOutput: String { (try? files.read("out")) ?? "" }
  public var standardError: String { (try? files.read("err")) ?? "" }
  public var isRunning: Bool { state.withLock { $0.waitStatus == nil } }

  /// Sends a signal, unless the program has ended; never to a process that took over its id.
  public func send(signal: Int32) {
    state.withLock { state in
      if state.waitStatus == nil { _ = kill(pid, signal) }
    }
  }

  /// Waits for the end.
  ///
  /// - Throws: after `limit`, having killed the program.
  public func finish(within limit: Duration = .seconds(60)) async throws -> Result {
    let isLate = await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        await self.ended()
        return false
      }
      group.addTask {
        guard (try? await Task.sleep(for: limit)) != nil else { return false }
        self.send(signal: SIGKILL)
        await self.ended()
        return true
      }
      defer { group.cancelAll() }
      return await group.next() ?? false
    }
    let result = outcome()
    if isLate || (result.signal == SIGKILL && result.duration >= limit) {
      throw TestSupportError("still running after \(limit), killed: \(result)")
    }
    return result
  }

  /// Waits until standard error or output contains `text`, or the program has ended.
  ///
  /// - Returns: whether the text was seen.
  @discardableResult
  public func waitForOutput(_ text: String, within limit: Duration = .seconds(30)) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
      let hasEnded = !isRunning
      if standardError.contains(text) || standardOutput.contains(text) { return true }
      if hasEnded { return false }
      try await Task.sleep(for: .milliseconds(5))
    }
    return false
  }

  private func ended() async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if state.waitStatus == nil { state.waiters.append(continuation) }
        return state.waitStatus != nil
      }
      if hasEnded { continuation.resume() }
    }
  }

  private func reap() {
    // The process id stays taken until the second wait, which runs under the lock, so a signal can
    // never reach a stranger.
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    let waiters = state.withLock { state in
      var status: Int32 = 0
      while waitpid(pid, &status, 0) == -1, errno == EINTR {}
      state.waitStatus = status
      state.end = ContinuousClock.now
      defer { state.waiters = [] }
      return state.waiters
    }
    waiters.forEach { $0.resume() }
  }

  private func outcome() -> Result {
    let (status, end) = state.withLock { ($0.waitStatus ?? 0, $0.end ?? .now) }
    let signal = status & 0x7f
    return Result(
      exitStatus: signal == 0 ? (status >> 8) & 0xff : nil, signal: signal == 0 ? nil : signal,
      standardOutput: standardOutput, standardError: standardError, duration: end - start)
  }
}

extension ToolRun {
  /// Starts the `tsdb` that was built beside the tests.
  ///
  /// The environment holds PATH, HOME and a UTF-8 locale, and what `environment` adds: no `PG*`
  /// variable and no `.pgpass` of the person who runs the tests.
  public static func start(
    _ arguments: [String], environment: [String: String] = [:], directory: String? = nil, input: String = ""
  ) throws -> ToolRun {
    try ToolRun(
      executable: try toolPath(), arguments,
      environment: cleanEnvironment(home: directory).merging(environment) { $1 },
      directory: directory, input: input)
  }

  /// Runs `tsdb` to its end.
  public static func tsdb(
    _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
    input: String = "", within limit: Duration = .seconds(60)
  ) async throws -> Result {
    try await start(arguments, environment: environment, directory: directory, input: input)
      .finish(within: limit)
  }

  /// What finds programs and the Swift runtime, and what sanitizers and coverage are steered by.
  public static var searchPaths: [String: String] {
    let kept = ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "ASAN_OPTIONS", "TSAN_OPTIONS"]
    var found = ProcessInfo.processInfo.environment.filter { kept.contains($0.key) }
    // The programs of the servers that are tested, where those are not the installed ones.
    found["TSDB_PG_BINDIR"] = ProcessInfo.processInfo.environment["TSDB_TEST_PG_BINDIR"]
    return found
  }

  static func cleanEnvironment(home: String?) -> [String: String] {
    ["HOME": home ?? "/nonexistent", "LC_ALL": "C.UTF-8"].merging(searchPaths) { $1 }
  }

  /// The executable `tsdb` in the directory that holds the test bundle, or a directory above.
  public static func toolPath() throws -> String {
    var directory = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    #if os(Linux)
      directory = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    #endif
    for _ in 0..<4 {
      let path = directory.appendingPathComponent("tsdb").path
      var isDirectory: ObjCBool = false
      if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue {
        return path
      }
      directory.deleteLastPathComponent()
    }
    throw TestSupportError("no executable \"tsdb\" beside the tests; run \"swift build\"")
  }
}
