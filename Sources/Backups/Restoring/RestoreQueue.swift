import Postgres

/// Hands a schedule's work to several connections.
actor RestoreQueue {
  private var schedule: RestoreSchedule
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private var isStopped = false

  init(_ nodes: [RestorePlan.Node]) {
    schedule = RestoreSchedule(nodes)
  }

  /// The next work; waits until there is some. Nil when there is no more, or after ``stop()``.
  func next() async -> RestoreSchedule.Assignment? {
    while !isStopped {
      if let next = schedule.next() { return next }
      if schedule.isFinished { return nil }
      await withCheckedContinuation { waiters.append($0) }
    }
    return nil
  }

  func finish(_ assignment: RestoreSchedule.Assignment) {
    schedule.finish(assignment)
    wake()
  }

  func stop() {
    isStopped = true
    wake()
  }

  private func wake() {
    let woken = waiters
    waiters = []
    woken.forEach { $0.resume() }
  }
}

/// The connections of a restore, each used by one task at a time.
struct RestorePool: Sendable {
  let sessions: [Session]

  /// Runs the nodes to the end, or to the first failure.
  func run(
    _ nodes: [RestorePlan.Node],
    _ perform: @escaping @Sendable (RestorePlan.Node, Int, Session) async throws -> Void
  ) async throws {
    guard !nodes.isEmpty else { return }
    let queue = RestoreQueue(nodes)
    try await withTaskCancellationHandler {
      try await withThrowingTaskGroup { group in
        for session in sessions {
          group.addTask {
            do {
              while let next = await queue.next() {
                try Task.checkCancellation()
                try await perform(nodes[next.node], next.part, session)
                await queue.finish(next)
              }
            } catch {
              await queue.stop()
              throw error
            }
          }
        }
        // The first failure is the cause; those of the tasks that it cancels are not.
        try await group.waitForAll()
      }
    } onCancel: {
      Task { await queue.stop() }
    }
  }

  /// Runs `perform` for every item, in their order, several at a time.
  func forEach<Item: Sendable>(
    _ items: [Item], _ perform: @escaping @Sendable (Item, Session) async throws -> Void
  ) async throws {
    let nodes = items.indices.map {
      RestorePlan.Node(entry: $0, work: .statement, parts: 1, isData: true, weight: 0, needs: [], locks: [])
    }
    try await run(nodes) { node, _, session in try await perform(items[node.entry], session) }
  }

  func close() async {
    for session in sessions { await session.close() }
  }
}
