import Postgres

/// What a run did to one object after the other, and the outcome that follows from it.
struct RunTally {
  private let context: JobContext
  private var result = JobResult(.ok)
  private var firstFailure: JobObject?
  private var failures = 0
  /// Why the run ended before its last object.
  private var stop: RunStop?
  private var reasonForRest: String?
  private var notes: [String] = []

  init(_ context: JobContext) {
    self.context = context
  }

  /// - Parameter hint: kept where the object is the first that failed.
  mutating func add(_ object: JobObject, hint: String? = nil) {
    result.objects.append(object)
    result.rows += object.rows ?? 0
    if object.action == "failed" {
      failures += 1
      if firstFailure == nil {
        firstFailure = object
        result.hint = hint
      }
    }
    context.report(.finished(object))
  }

  /// An object that is left for the next run.
  mutating func leave(_ object: JobObject) {
    add(object)
    leave(1, because: "\(object.name): \(object.detail ?? object.action)")
  }

  mutating func leave(_ count: Int, because reason: String) {
    guard count > 0 else { return }
    result.backlog = (result.backlog ?? 0) + Int64(count)
    reasonForRest = reasonForRest ?? reason
  }

  /// What is worth knowing of a run that went well, also in its record.
  mutating func note(_ text: String) {
    context.report(.note(text))
    notes.append(text)
  }

  mutating func end(_ stop: RunStop) { self.stop = stop }

  func finished() -> JobResult {
    var result = result
    if let stop {
      result.outcome = .failed
      result.reason = stop.reason
      result.sqlState = stop.sqlState
    } else if let firstFailure {
      let others = failures == 1 ? "" : " (and \(failures - 1) more failed)"
      result.outcome = .failed
      result.reason = "\(firstFailure.name): \(firstFailure.detail ?? "failed")\(others)"
      result.sqlState = firstFailure.sqlState
    } else if let backlog = result.backlog, backlog > 0 {
      result.outcome = .partial
      result.reason = backlog == 1 ? reasonForRest : "\(backlog) are left; \(reasonForRest ?? "")"
    } else if !notes.isEmpty {
      result.reason = notes.joined(separator: "; ")
    }
    return result
  }
}

extension JobContext {
  /// Whether the next object may be begun.
  enum Readiness {
    case ready
    /// Why the rest is left for the next run.
    case enough(String)
    case stopped(RunStop)
  }

  /// Looks at the clock and waits at the gates.
  func readiness(for object: String) async throws -> Readiness {
    if isOutOfTime { return .enough("out of time before \(object)") }
    do {
      // Not for the relation: where autovacuum is at work on it, the lock says so.
      if try await gates.wait(self, object: object, relation: nil) { return .ready }
      return .enough("replicas or the archive lag behind, before \(object)")
    } catch {
      guard let stop = RunStop(error) else { throw error }
      return .stopped(stop)
    }
  }
}

/// What ends a whole run.
enum RunStop: Sendable {
  case lost(PostgresError)
  case interrupted

  init?(_ error: any Error) {
    switch error {
    case is CancellationError: self = .interrupted
    case let error as PostgresError where error.isCancellation && Task.isCancelled: self = .interrupted
    case let error as PostgresError
    where error.origin == .connectionLost || error.origin == .connecting || error.isServerUnavailable:
      self = .lost(error)
    default: return nil
    }
  }

  var reason: String {
    switch self {
    case .lost(let error): error.message
    case .interrupted: "interrupted"
    }
  }

  var sqlState: String? {
    guard case .lost(let error) = self, !error.sqlState.isEmpty else { return nil }
    return error.sqlState
  }
}

extension PoliteConnection {
  /// What came of the work on one object.
  enum UnitEnd<Result: Sendable>: Sendable {
    case done(Result)
    case gaveUp(String)
    case failed(PostgresError)
    case stopped(RunStop)
  }

  /// Runs `body`, watched, at most `attempts` times with pauses between them that grow and are jittered; so one
  /// object that is always in use does not take the time of the others.
  func unit<Result: Sendable>(
    _ object: String, until deadline: ContinuousClock.Instant, attempts: Int,
    _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> UnitEnd<Result> {
    var pause = Duration.milliseconds(200)
    var left = attempts
    do {
      while true {
        try Task.checkCancellation()
        let reason: String
        switch try await attempt(object, body) {
        case .done(let result): return .done(result)
        case .yielded(let waiter): reason = "gave way to session \(waiter), which waited behind it"
        case .lockTimeout(let message): reason = message
        }
        left -= 1
        let jittered = pause * Double.random(in: 0.5...1.5)
        guard left > 0, .now + jittered < deadline else {
          return .gaveUp(attempts - left == 1 ? reason : "\(attempts - left) attempts; the last \(reason)")
        }
        try await Task.sleep(for: jittered)
        pause = min(pause * 2, .seconds(10))
      }
    } catch {
      if let stop = RunStop(error) { return .stopped(stop) }
      guard let error = error as? PostgresError else { throw error }
      return .failed(error)
    }
  }
}
