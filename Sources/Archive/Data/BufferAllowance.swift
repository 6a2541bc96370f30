import Synchronization

/// How much compressed data may wait in memory for its place in a file; shared by all files that are
/// written at the same time.
public final class BufferAllowance: Sendable {
  private let rest: Atomic<Int>

  /// - Parameter bytes: about 16 MB for each thread that writes.
  public init(bytes: Int) { rest = Atomic(bytes) }

  /// Bytes that may still be taken.
  public var available: Int { rest.load(ordering: .relaxed) }

  /// Takes `count` bytes of it, or nothing when that many are not left.
  func take(_ count: Int) -> Bool {
    let left = rest.subtract(count, ordering: .relaxed).newValue
    if left >= 0 { return true }
    rest.add(count, ordering: .relaxed)
    return false
  }

  func give(_ count: Int) { rest.add(count, ordering: .relaxed) }
}
