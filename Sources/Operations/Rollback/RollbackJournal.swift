import Deployments
import Timekeeping

/// The record of a deployment whose rollback goes on; saved before and after each step.
struct RollbackJournal: Sendable {
  private(set) var record: DeploymentRecord
  private let store: DeploymentStore

  /// Notes that the way back begins, or goes on.
  init(_ record: DeploymentRecord, cause: String, store: DeploymentStore) {
    self.record = record
    self.store = store
    if record.rollback == nil {
      self.record.rollback = DeploymentRecord.Rollback(started: UTCTime.now.description, cause: cause)
    }
  }

  func isDone(_ step: RollbackStep) -> Bool {
    record.rollback?.steps.contains { $0.step == step && $0.outcome == .done } ?? false
  }

  mutating func begin(_ step: RollbackStep) throws {
    record.begin(step, at: UTCTime.now.description)
    try store.save(record)
  }

  mutating func end(
    _ step: RollbackStep, _ outcome: DeploymentRecord.Outcome, _ summary: String?, findings: [String] = []
  ) throws {
    record.end(step, outcome, at: UTCTime.now.description, summary: summary, findings: findings)
    try store.save(record)
  }

  /// Notes what has to be known before or after anything is done to a database.
  mutating func note(_ change: (inout DeploymentRecord.Rollback) -> Void) throws {
    guard var rollback = record.rollback else { return }
    change(&rollback)
    record.rollback = rollback
    try store.save(record)
  }

  /// Notes that all is done.
  mutating func finish() throws {
    record.state = .rolledBack
    record.ended = UTCTime.now.description
    try store.save(record)
  }
}
