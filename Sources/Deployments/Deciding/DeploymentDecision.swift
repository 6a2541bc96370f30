/// What `deploy` does, given what was recorded before.
public enum DeploymentDecision: Sendable, Equatable {
  case start
  /// At the first step that is neither done nor skipped.
  case resume(DeploymentRecord, at: DeploymentStep)
  /// The way back has begun and has to be finished first.
  case refuse(DeploymentRecord)

  /// - Parameter records: of this database on this server, in any order.
  /// - Parameters:
  ///   - isFresh: a deployment that failed or was interrupted is given up rather than continued; one that
  ///     has changed the database is continued all the same, as its backup is the way back.
  ///   - isUntouched: whether the database itself shows nothing of the last deployment, though it had begun to
  ///     migrate.
  public init(_ records: [DeploymentRecord], isFresh: Bool = false, isUntouched: Bool = false) {
    guard let last = records.max(by: { $0.id < $1.id }) else {
      self = .start
      return
    }
    switch last.state {
    case .deployed, .rolledBack, .abandoned: self = .start
    case .rollingBack: self = .refuse(last)
    case .running, .failed:
      if isFresh, isUntouched || !last.hasChangedDatabase {
        self = .start
      } else {
        self = .resume(last, at: last.nextStep)
      }
    }
  }
}

extension DeploymentRecord {
  /// The first step that is neither done nor skipped; the last one where all are.
  public var nextStep: DeploymentStep {
    DeploymentStep.allCases.first { step in
      guard let entry = self.step(step) else { return true }
      return entry.outcome != .done && entry.outcome != .skipped
    } ?? .report
  }
}

/// What `rollback` does, given what was recorded before.
public enum RollbackDecision: Sendable, Equatable {
  /// Restores the deployment's backup.
  case restore(DeploymentRecord)
  /// Nothing of it has reached the database: it is given up, and nothing else is done.
  case abandon(DeploymentRecord)
  /// It was rolled back before.
  case alreadyDone(DeploymentRecord)
  /// The database was changed, and there is no backup to go back to.
  case impossible(DeploymentRecord)
  /// No deployment is recorded, or none of the id.
  case none
  /// What was given is the beginning of several ids.
  case ambiguous([String])

  /// - Parameter records: of this database on this server, in any order.
  /// - Parameter id: one of them, or the beginning of its id; nil for the last.
  public init(_ records: [DeploymentRecord], id: String? = nil) {
    var found: [DeploymentRecord]
    if let id {
      found = records.filter { $0.id == id }
      if found.isEmpty, !id.isEmpty { found = records.filter { $0.id.hasPrefix(id) } }
      guard found.count < 2 else {
        self = .ambiguous(found.map(\.id).sorted())
        return
      }
    } else {
      found = records.filter { $0.state != .abandoned }
    }
    guard let last = found.max(by: { $0.id < $1.id }) else {
      self = .none
      return
    }
    if last.state == .rolledBack {
      self = .alreadyDone(last)
    } else if last.state == .abandoned || !last.hasChangedDatabase {
      self = .abandon(last)
    } else if last.backup == nil {
      self = .impossible(last)
    } else {
      self = .restore(last)
    }
  }
}
