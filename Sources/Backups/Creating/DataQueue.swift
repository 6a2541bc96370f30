import Archive
import Synchronization

/// One piece of one table to read.
struct DataTask: Sendable, Equatable {
  /// In ``DataPlan/tables``.
  var table: Int
  /// In the table's ranges; 0 for a table that is read as one stream.
  var piece: Int
}

/// Hands out the pieces: largest table first, the pieces of a table in order.
///
/// In order, because a data file keeps the table's order: of the pieces in work the earliest is never
/// held up by a later one.
final class DataQueue: Sendable {
  private struct State {
    var table = 0
    var piece = 0
    /// Pieces not yet read, by table.
    var open: [Int]
    /// Pieces that a worker could not lock, for the connection that holds the locks.
    var refused: [DataTask] = []
    var workers = 0
  }

  let plan: DataPlan
  private let state: Mutex<State>

  init(_ plan: DataPlan, workers: Int) {
    self.plan = plan
    state = Mutex(State(open: plan.tables.map { max(1, $0.ranges.count) }, workers: workers))
  }

  /// The next piece, or nil when all are handed out.
  func next() -> DataTask? {
    state.withLock { state in
      guard state.table < plan.tables.count else { return nil }
      let task = DataTask(table: state.table, piece: state.piece)
      state.piece += 1
      if state.piece >= max(1, plan.tables[state.table].ranges.count) {
        (state.table, state.piece) = (state.table + 1, 0)
      }
      return task
    }
  }

  /// Whether that was the table's last piece.
  func finished(_ task: DataTask) -> Bool {
    state.withLock { state in
      state.open[task.table] -= 1
      return state.open[task.table] == 0
    }
  }

  /// Gives a piece to the connection that already holds the lock.
  func refuse(_ task: DataTask) {
    state.withLock { $0.refused.append(task) }
  }

  func workerEnded() {
    state.withLock { $0.workers -= 1 }
  }

  enum Refused: Sendable, Equatable {
    case task(DataTask)
    /// Nothing now, but workers are still running.
    case wait
    case end
  }

  /// The next refused piece, in order.
  func nextRefused() -> Refused {
    state.withLock { state in
      let first = state.refused.indices.min {
        (state.refused[$0].table, state.refused[$0].piece) < (
          state.refused[$1].table, state.refused[$1].piece
        )
      }
      if let first { return .task(state.refused.remove(at: first)) }
      return state.workers > 0 ? .wait : .end
    }
  }
}
