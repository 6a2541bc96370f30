import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Asks the server to end the statement that a connection is running.
///
/// Usable from any thread, also after the connection has been closed. The request is only
/// delivered, not answered: the statement ends with SQLSTATE 57014, or had ended already.
// `@unchecked`: a PGcancel is immutable after PQgetCancel, and the manual ("Canceling Queries in
// Progress") allows PQcancel from any thread and from a signal handler.
public final class Canceller: @unchecked Sendable {
  private let cancel: OpaquePointer

  init?(_ connection: OpaquePointer) {
    guard let cancel = PQgetCancel(connection) else { return nil }
    self.cancel = cancel
  }

  deinit {
    PQfreeCancel(cancel)
  }

  /// Whether the request reached the server.
  @discardableResult
  public func requestCancellation() -> Bool {
    withoutBrokenPipeSignal {
      var reason = [CChar](repeating: 0, count: 256)
      return PQcancel(cancel, &reason, Int32(reason.count)) == 1
    }
  }
}

/// Runs `body` so that writing to a closed socket is an error and no signal.
///
/// `PQcancel`, unlike the rest of libpq, does not see to that itself, and a server that is being shut down
/// may close the socket at any time.
private func withoutBrokenPipeSignal<Result>(_ body: () -> Result) -> Result {
  var signals = sigset_t()
  var earlier = sigset_t()
  var pending = sigset_t()
  sigemptyset(&signals)
  sigaddset(&signals, SIGPIPE)
  sigpending(&pending)
  let wasPending = sigismember(&pending, SIGPIPE) == 1
  pthread_sigmask(SIG_BLOCK, &signals, &earlier)
  defer { pthread_sigmask(SIG_SETMASK, &earlier, nil) }
  let result = body()
  sigpending(&pending)
  if !wasPending, sigismember(&pending, SIGPIPE) == 1 {
    var signal: Int32 = 0
    sigwait(&signals, &signal)
  }
  return result
}
