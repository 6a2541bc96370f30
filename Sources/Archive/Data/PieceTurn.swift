import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A piece that is complete and waits for its place in the file.
struct FinishedPiece: Sendable {
  /// Compressed, in order.
  var chunks: [[UInt8]]
  /// Sum of the chunks' lengths.
  var buffered: Int
  var contents: PieceContents
}

/// Whose turn it is to write: pieces go to the file in the order of their indexes.
// `@unchecked`: `mutex` and `condition` are only touched through pthread calls, and `turn`, `parked` and
// `failure` only while `mutex` is held.
final class PieceTurn: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var turn = 0
  private var parked: [Int: FinishedPiece] = [:]
  private var failure: ArchiveError?
  /// `turn`, or -1 after a failure, for a look without the lock.
  private let current = Atomic(0)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  private func locked<Result>(_ body: () throws(ArchiveError) -> Result) throws(ArchiveError) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Whether it is the turn of `index`.
  ///
  /// - Throws: what the file was abandoned with.
  func has(_ index: Int) throws(ArchiveError) -> Bool {
    let now = current.load(ordering: .acquiring)
    if now < 0 { _ = try number() }
    return now == index
  }

  /// The index whose turn it is.
  ///
  /// - Throws: what the file was abandoned with.
  func number() throws(ArchiveError) -> Int {
    try locked { () throws(ArchiveError) in
      if let failure { throw failure }
      return turn
    }
  }

  /// Blocks until it is the turn of `index`.
  ///
  /// - Throws: what the file was abandoned with.
  func wait(for index: Int) throws(ArchiveError) {
    try locked { () throws(ArchiveError) in
      while turn != index {
        if let failure { throw failure }
        pthread_cond_wait(condition, mutex)
      }
      if let failure { throw failure }
    }
  }

  /// Leaves `piece` to whoever comes before it.
  ///
  /// - Returns: false when it is its turn by now; then nothing was left.
  func park(_ piece: FinishedPiece, _ index: Int) throws(ArchiveError) -> Bool {
    try locked { () throws(ArchiveError) in
      if let failure { throw failure }
      if turn == index { return false }
      parked[index] = piece
      return true
    }
  }

  /// Ends the turn of a piece.
  ///
  /// - Returns: the next piece when it is complete: then it is the caller's to write, and to end its turn.
  func next() throws(ArchiveError) -> FinishedPiece? {
    try locked { () throws(ArchiveError) in
      if let failure { throw failure }
      turn += 1
      current.store(turn, ordering: .releasing)
      pthread_cond_broadcast(condition)
      return parked.removeValue(forKey: turn)
    }
  }

  /// Makes every call, also those that wait, throw `error`; the first error stays.
  ///
  /// - Returns: the bytes that waited and are forgotten.
  func abandon(_ error: ArchiveError) -> Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if failure == nil { failure = error }
    current.store(-1, ordering: .releasing)
    let forgotten = parked.values.reduce(0) { $0 + $1.buffered }
    parked = [:]
    pthread_cond_broadcast(condition)
    return forgotten
  }
}
