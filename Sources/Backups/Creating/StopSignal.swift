import Synchronization

/// Tells everything that takes part in one run to end, and why.
///
/// The first reason counts; what fails afterwards fails because of it.
final class StopSignal: Sendable {
  private struct State {
    var reason: (any Error)?
    var reactions: [@Sendable () -> Void] = []
  }

  private let state = Mutex(State())
  private let isSet = Atomic(false)

  /// Whether to end; cheap enough to be asked for every row.
  var isStopped: Bool { isSet.load(ordering: .relaxed) }

  var reason: (any Error)? { state.withLock { $0.reason } }

  func stop(because error: any Error) {
    let reactions = state.withLock { state -> [@Sendable () -> Void] in
      guard state.reason == nil else { return [] }
      state.reason = error
      defer { state.reactions = [] }
      return state.reactions
    }
    isSet.store(true, ordering: .relaxed)
    for reaction in reactions { reaction() }
  }

  /// Runs `reaction` at the stop, or now when it has come.
  func whenStopped(_ reaction: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      if state.reason == nil { state.reactions.append(reaction) }
      return state.reason != nil
    }
    if isLate { reaction() }
  }

  func forgetReactions() {
    state.withLock { $0.reactions = [] }
  }

  /// - Throws: that the run was ended.
  func check() throws(BackupError) {
    guard isStopped else { return }
    if let error = reason as? BackupError { throw error }
    throw BackupError(.interrupted, "interrupted")
  }
}
