import Postgres
import Timekeeping

/// A statement of a file.
public struct SQLFileStatement: Sendable, Equatable {
  public let text: String
  /// Where it begins, counted from 1.
  public let line: Int
  /// Whether it runs outside a transaction and waits for old snapshots: `CREATE INDEX CONCURRENTLY` and its kind.
  /// It has no lock timeout, and is not tried again once it was given up, for what it left is in the way.
  public let isConcurrent: Bool

  public init(text: String, line: Int, isConcurrent: Bool = false) {
    self.text = text
    self.line = line
    self.isConcurrent = isConcurrent
  }
}

/// Runs the statements of a file, each as a transaction of its own, on the role's own search path.
///
/// The first that fails ends the run. A run that is out of time begins at the first statement again the next time.
public struct SQLFileJob: JobBody {
  private let path: String
  private let statements: [SQLFileStatement]

  /// How often one statement may be given up for others.
  private static let attempts = 10

  /// - Parameter path: as in the configuration, for messages.
  public init(path: String, statements: [SQLFileStatement]) {
    self.path = path
    self.statements = statements
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    try await context.work.run { _ = try $0.execute("reset search_path") }
    var result = JobResult(.ok)
    for (index, statement) in statements.enumerated() {
      let place = "\(path):\(statement.line)"
      if context.isOutOfTime {
        result.outcome = .partial
        result.reason = "out of time before \(place)"
        result.backlog = Int64(statements.count - index)
        break
      }
      let object = try await run(statement, place, context, &result)
      result.objects.append(object)
      context.report(.finished(object))
      if result.outcome != .ok {
        result.backlog = Int64(statements.count - index)
        break
      }
    }
    await Self.restore(context)
    return result
  }

  private func run(
    _ statement: SQLFileStatement, _ place: String, _ context: JobContext, _ result: inout JobResult
  ) async throws -> JobObject {
    context.report(.began(object: place, phase: "run"))
    let start = ContinuousClock.now
    let lockTimeout = context.job.lockTimeout
    let end = try await context.work.unit(
      place, until: context.deadline, attempts: statement.isConcurrent ? 1 : Self.attempts
    ) { connection in
      _ = connection.takeNotices()
      if statement.isConcurrent { try connection.execute("set lock_timeout = 0") }
      let tag = try connection.execute(statement.text).commandTag
      guard !connection.isInTransaction else { throw Self.openTransaction }
      if statement.isConcurrent {
        try connection.execute("set lock_timeout = \(max(1, lockTimeout.wholeMilliseconds))")
      }
      return Done(tag: tag, warnings: connection.takeNotices().filter { $0.severity == "WARNING" })
    }
    var object = JobObject(
      place, "run", milliseconds: (ContinuousClock.now - start).wholeMilliseconds)
    switch end {
    case .done(let done):
      for warning in done.warnings {
        context.report(.warning("\(place): \(warning.message)", detail: warning.detail, hint: warning.hint))
      }
      object.detail = done.tag.isEmpty ? nil : done.tag
      object.rows = done.rows
      result.rows += done.rows ?? 0
    case .gaveUp(let reason):
      object.action = "gave up"
      object.detail =
        statement.isConcurrent
        ? "\(reason); it may have left an invalid index, which the job \"indexes\" drops" : reason
      result.outcome = .partial
      result.reason = "\(place): \(reason)"
    case .failed(let error):
      let line = statement.line + Self.linesBefore(error.position, in: statement.text)
      object.action = "failed"
      object.detail = error.message
      object.sqlState = error.sqlState.isEmpty ? nil : error.sqlState
      result.outcome = .failed
      result.reason = "\(path):\(line): \(error.message)"
      result.hint = error.hint
      result.sqlState = object.sqlState
    case .stopped(let stop):
      object.action = "failed"
      object.detail = stop.reason
      object.sqlState = stop.sqlState
      result.outcome = .failed
      result.reason = "\(place): \(stop.reason)"
      result.sqlState = stop.sqlState
    }
    return object
  }

  private struct Done: Sendable {
    let tag: String
    let warnings: [Notice]

    /// What was changed; nil for statements that change no rows.
    var rows: Int64? {
      let words = tag.split(separator: " ")
      guard let first = words.first, ["INSERT", "UPDATE", "DELETE", "MERGE", "COPY"].contains(first) else {
        return nil
      }
      return words.last.flatMap { Int64($0) }
    }
  }

  private static let openTransaction = PostgresError(
    origin: .client, sqlState: "25001", message: "the statement leaves a transaction open",
    hint: "leave out begin and commit: each statement is a transaction of its own; use a do block for several"
  )

  private static func linesBefore(_ position: Int?, in text: String) -> Int {
    guard let position, position > 1 else { return 0 }
    return text.unicodeScalars.prefix(position - 1).count { $0 == "\n" }
  }

  /// Undoes what the statements set, such as a role or a read-only mode in which the run could not be recorded.
  private static func restore(_ context: JobContext) async {
    let lockTimeout = context.job.lockTimeout
    try? await context.work.run { connection in
      try connection.execute("discard all")
      try MaintenanceSession.prepare(connection, lockTimeout: lockTimeout)
    }
  }
}
