import Dispatch
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The one thread on which libpg_query runs.
///
/// libpg_query recurses as deeply as an expression nests and has no stack check: a chain of 20,000
/// additions overflows 8 MB and kills the process. It also makes a thread key for every thread that
/// enters it and never gives one back, while a process has about a thousand. So all parsing happens on
/// one thread with a large stack, whose pages cost nothing until they are touched.
final class ParserThread: Sendable {
  /// Started at first use; lives as long as the process.
  static let shared = ParserThread()

  /// How deep a statement may nest on this thread, in the units of `NestingEstimate`.
  ///
  /// A level costs libpg_query about 2.5 kB of stack, and the walk over its tree as much again. The time it
  /// takes grows with the square of the depth; the server itself gives up at a similar one.
  let nestingLimit: Int

  private let jobs = Mutex<[@Sendable (MessageShapes) -> Void]>([])
  private let available = DispatchSemaphore(value: 0)
  private let isRunning: Bool

  private static let bytesPerLevel = 24 << 10
  private static let deepestNesting = 5_000

  private init() {
    var size = 128 << 20
    var started = false
    while !started, size >= 8 << 20 {
      started = Self.startThread(stackSize: size)
      if !started { size /= 2 }
    }
    isRunning = started
    nestingLimit = min(Self.deepestNesting, (started ? size : 512 << 10) / Self.bytesPerLevel)
  }

  private static func startThread(stackSize: Int) -> Bool {
    withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { buffer in
      guard let attributes = buffer.baseAddress, pthread_attr_init(attributes) == 0 else { return false }
      defer { pthread_attr_destroy(attributes) }
      guard pthread_attr_setstacksize(attributes, stackSize) == 0,
        pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED)) == 0
      else { return false }
      #if canImport(Darwin)
        var thread: pthread_t?
      #else
        var thread = pthread_t()
      #endif
      return pthread_create(
        &thread, attributes,
        { _ in
          ParserThread.shared.serve()
          return nil
        }, nil) == 0
    }
  }

  private func serve() {
    // Signals belong to the threads that expect them.
    withUnsafeTemporaryAllocation(of: sigset_t.self, capacity: 1) { buffer in
      guard let all = buffer.baseAddress else { return }
      sigfillset(all)
      pthread_sigmask(SIG_BLOCK, all, nil)
    }
    let shapes = MessageShapes()
    while true {
      available.wait()
      let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      job?(shapes)
    }
  }

  /// Runs `work` on the parser thread and waits for its result. Must not be called from that thread.
  /// The message shapes it is given are those of all earlier calls: they are costly to make.
  func run<Value: Sendable>(_ work: @escaping @Sendable (MessageShapes) -> Value) -> Value {
    guard isRunning else { return work(MessageShapes()) }
    let slot = ResultSlot<Value>()
    jobs.withLock { $0.append { shapes in slot.fill(work(shapes)) } }
    available.signal()
    return slot.wait()
  }
}

private final class ResultSlot<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let filled = DispatchSemaphore(value: 0)

  func fill(_ newValue: Value) {
    value.withLock { $0 = newValue }
    filled.signal()
  }

  func wait() -> Value {
    while true {
      filled.wait()
      if let result = value.withLock({ $0 }) { return result }
    }
  }
}
