import Dispatch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Turns SIGINT and SIGTERM into the cancellation of the running command.
///
/// The first one lets the command roll back and say what was kept; a second one ends it at once,
/// which is as safe as any crash.
struct Signals {
  private let sources: [any DispatchSourceSignal]

  init(cancelling task: Task<Int32, Never>) {
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { @Sendable in
        if task.isCancelled { exit(ExitStatus.interrupted.rawValue) }
        task.cancel()
      }
      source.resume()
      return source
    }
    // A reader that went away (`tsdb … | head`) is noticed by the write, not by dying.
    signal(SIGPIPE, SIG_IGN)
  }
}
