import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Work that blocks, on a thread of its own: waiting for a child process on Swift's shared pool would
/// starve every other task.
public enum BlockingThread {
  private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// The result of `body`, run on a new thread.
  public static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws
    -> Result
  {
    try await withCheckedThrowingContinuation { continuation in
      start {
        continuation.resume(with: Swift.Result { try body() })
      }
    }
  }

  private static func start(_ body: @escaping @Sendable () -> Void) {
    let context = Unmanaged.passRetained(Job(body)).toOpaque()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    pthread_create(
      &thread, &attributes,
      { context in
        #if canImport(Darwin)
          Unmanaged<Job>.fromOpaque(context).takeRetainedValue().body()
        #else
          if let context { Unmanaged<Job>.fromOpaque(context).takeRetainedValue().body() }
        #endif
        return nil
      }, context)
    pthread_attr_destroy(&attributes)
  }
}
