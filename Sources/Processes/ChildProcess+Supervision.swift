import CSpawn
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension ChildProcess {
  /// How a supervised program ended.
  public struct Ending: Sendable, Equatable {
    /// Why it was told to end.
    public enum Cause: Sendable, Equatable {
      case deadline
      case cancellation
    }

    /// The exit status, or 128 plus the signal that ended it.
    public let exitStatus: Int32
    /// The last bytes of standard output and standard error, in the order they were written.
    public let tail: [UInt8]
    /// nil where it ended by itself.
    public let cause: Cause?
  }

  /// Runs the program in a session of its own to its end, a deadline or until it is to stop; blocks.
  ///
  /// To stop, its process group gets SIGTERM, and SIGKILL after `grace`. What it has started and left behind is
  /// not waited for; when it was stopped that is killed as well, unless it left the group.
  /// - Parameters:
  ///   - kept: how many bytes of the output are kept.
  ///   - isCancelled: asked about twenty times a second.
  public func supervise(
    until deadline: ContinuousClock.Instant, grace: Duration, keeping kept: Int,
    isCancelled: () -> Bool
  ) throws(ProcessError) -> Ending {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw ProcessError(step: .openPipe, errno: Self.lastErrno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    var output = OutputTail(FileDescriptor(rawValue: ends[0]), keeping: kept)
    defer { output.close() }
    let writing = FileDescriptor(rawValue: ends[1])
    let started: Swift.Result<pid_t, ProcessError>
    do {
      started = .success(try start(output: writing, inheriting: nil, newSession: true))
    } catch {
      started = .failure(error)
    }
    try? writing.close()
    let child = try started.get()

    var cause: Ending.Cause?
    var killTime: ContinuousClock.Instant?
    while !Self.hasEnded(child) {
      output.read(waiting: 50)
      if cause == nil {
        cause = isCancelled() ? .cancellation : ContinuousClock.now >= deadline ? .deadline : nil
        if cause != nil {
          kill(-child, SIGTERM)
          killTime = .now + grace
        }
      } else if let time = killTime, ContinuousClock.now >= time {
        kill(-child, SIGKILL)
        killTime = nil
      }
    }
    // Before its number is given back, and with it the group's.
    if cause != nil { kill(-child, SIGKILL) }
    output.read(waiting: 0)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return Ending(exitStatus: cspawn_exit_status(status), tail: output.bytes, cause: cause)
  }

  /// Asks without giving the process number back.
  private static func hasEnded(_ child: pid_t) -> Bool {
    var info = siginfo_t()
    let status = waitid(P_PID, id_t(child), &info, WEXITED | WNOHANG | WNOWAIT)
    return status < 0 ? errno != EINTR : info.si_signo != 0
  }
}

/// The last bytes that came through a pipe.
private struct OutputTail {
  private let descriptor: FileDescriptor
  private let capacity: Int
  private var isAtEnd = false
  private var kept: [UInt8] = []

  init(_ descriptor: FileDescriptor, keeping capacity: Int) {
    self.descriptor = descriptor
    self.capacity = capacity
  }

  var bytes: [UInt8] { Array(kept.suffix(capacity)) }

  func close() { try? descriptor.close() }

  /// Reads what is there, and waits for it at most this many milliseconds.
  mutating func read(waiting milliseconds: Int32) {
    guard !isAtEnd else {
      // Output is closed, the program goes on.
      poll(nil, 0, milliseconds)
      return
    }
    var wanted = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    poll(&wanted, 1, milliseconds)
    var buffer = [UInt8](repeating: 0, count: 16_384)
    // Bounded, so that a program that writes without end is still looked after.
    for _ in 0..<64 {
      let count: Int
      do {
        count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
      } catch { return }
      if count == 0 {
        isAtEnd = true
        return
      }
      kept += buffer[..<count]
      if kept.count > 2 * capacity + buffer.count { kept.removeFirst(kept.count - capacity) }
    }
  }
}
