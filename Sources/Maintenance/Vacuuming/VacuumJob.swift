import Postgres
import Timekeeping

/// Vacuums tables and materialized views that need it, the neediest first.
public struct VacuumJob: JobBody {
  private let upkeep: TableUpkeep

  /// - Parameter analyze: also analyzes those whose rows have changed.
  public init(_ selection: RelationSelection, analyze: Bool) {
    upkeep = TableUpkeep(request: analyze ? .vacuumAndAnalyze : .vacuum, selection: selection)
  }

  /// What a run would do now. Reads catalogues and statistics only.
  public func plan(on connection: borrowing Connection) throws(PostgresError) -> VacuumPlan {
    try upkeep.plan(on: connection)
  }

  public func run(_ context: JobContext) async throws -> JobResult { try await upkeep.run(context) }
}

/// Analyzes tables and materialized views that were never analyzed or of which more than 5 % changed since.
public struct AnalyzeJob: JobBody {
  private let upkeep: TableUpkeep

  public init(_ selection: RelationSelection) {
    upkeep = TableUpkeep(request: .analyze, selection: selection)
  }

  /// What a run would do now. Reads catalogues and statistics only.
  public func plan(on connection: borrowing Connection) throws(PostgresError) -> VacuumPlan {
    try upkeep.plan(on: connection)
  }

  public func run(_ context: JobContext) async throws -> JobResult { try await upkeep.run(context) }
}

/// VACUUM and ANALYZE of one relation after the other.
struct TableUpkeep: Sendable {
  let request: VacuumPlan.Request
  let selection: RelationSelection

  /// How often one relation may be given up for others before it is left for the next run.
  static let attempts = 10
  /// How often a relation that another session has locked is tried.
  static let lockedAttempts = 3

  func plan(on connection: borrowing Connection) throws(PostgresError) -> VacuumPlan {
    VacuumPlan(
      request, selection, of: try VacuumFactsReader.read(on: connection),
      limits: try VacuumFactsReader.limits(on: connection))
  }

  func run(_ context: JobContext) async throws -> JobResult {
    let plan = try await context.work.run { connection in
      try connection.execute(VacuumStatement.costDelay)
      return try self.plan(on: connection)
    }
    if plan.hasOnlyForeign, plan.left.isEmpty {
      // Not a success: the job would look as if it had done something.
      return JobResult(
        .skipped, reason: plan.notes.joined(separator: "; "),
        hint: "run the job as the owner of the tables or of the database")
    }
    var tally = RunTally(context)
    for note in plan.notes { tally.note(note) }
    for object in plan.left { tally.add(object, hint: Self.hint(object, context)) }
    for (index, step) in plan.steps.enumerated() {
      switch try await context.readiness(for: step.relation.label) {
      case .ready:
        guard let stop = try await work(on: step, context, &tally) else { continue }
        tally.end(stop)
      case .enough(let reason): tally.leave(plan.steps.count - index, because: reason)
      case .stopped(let stop): tally.end(stop)
      }
      break
    }
    return tally.finished()
  }

  private func work(
    on step: VacuumPlan.Step, _ context: JobContext, _ tally: inout RunTally
  ) async throws -> RunStop? {
    let label = step.relation.label
    context.report(.began(object: label, phase: step.work.rawValue))
    let start = ContinuousClock.now
    let end = try await perform(step, context)
    var object = JobObject(
      label, step.work.action, detail: step.reason,
      milliseconds: (ContinuousClock.now - start).wholeMilliseconds)
    switch end {
    case .done(let done):
      let notices = done.notices
      for warning in notices.warnings {
        context.report(
          .warning("\(label): \(warning.message)", detail: warning.detail, hint: warning.hint))
      }
      if let skip = notices.skip {
        object.action = "skipped"
        object.detail = skip
        tally.leave(object)
      } else {
        if step.work != .analyze {
          object.rows = max(0, step.relation.deadRows - done.deadRows)
          if done.deadRows > 0, done.deadRows * 2 >= step.relation.deadRows {
            object.detail =
              "\(step.reason); \(done.deadRows) dead rows stay, for an old transaction may still see them"
          }
        }
        tally.add(object)
      }
    case .gaveUp(let reason):
      object.action = "gave up"
      object.detail = reason
      tally.leave(object)
    case .failed(let error) where error.isUndefinedTable && error.context == nil:
      // As it happens to partitions. The missing table of an index's function comes with the function's context.
      object.action = "skipped"
      object.detail = "it was dropped or renamed since the run began"
      tally.add(object)
    case .failed(let error):
      object.action = "failed"
      object.detail = error.message
      object.sqlState = error.sqlState
      tally.add(object, hint: error.hint)
    case .stopped(let stop):
      object.action = "failed"
      object.detail = stop.reason
      object.sqlState = stop.sqlState
      tally.add(object)
      return stop
    }
    return nil
  }

  private struct Done: Sendable {
    let notices: VacuumNotices
    /// That are still there.
    let deadRows: Int64
  }

  /// Tries again a few times where the relation is locked; what the others get is done meanwhile in its turn.
  private func perform(
    _ step: VacuumPlan.Step, _ context: JobContext
  ) async throws -> PoliteConnection.UnitEnd<Done> {
    let statement = step.statement(serverVersion: context.serverVersion)
    let oid = step.relation.oid
    var left = Self.lockedAttempts
    while true {
      let end = try await context.work.unit(
        step.relation.label, until: context.deadline, attempts: Self.attempts
      ) {
        _ = $0.takeNotices()
        try $0.execute(statement)
        let notices = VacuumNotices($0.takeNotices())
        let dead = try $0.query("select pg_catalog.pg_stat_get_dead_tuples(\(oid))")
        return Done(notices: notices, deadRows: Int64(dead.text(0, 0)) ?? 0)
      }
      left -= 1
      guard case .done(let done) = end, done.notices.isLocked else { return end }
      let notices = done.notices
      context.work.countWait()
      context.report(.waiting(object: step.relation.label, reason: notices.skip ?? "locked"))
      guard left > 0, !context.isOutOfTime else { return end }
      do {
        try await Task.sleep(for: .milliseconds(Int.random(in: 200...600)))
      } catch { return .stopped(.interrupted) }
    }
  }

  private static func hint(_ object: JobObject, _ context: JobContext) -> String? {
    guard object.sqlState == "42501" else { return nil }
    return context.serverVersion >= 170_000
      ? "grant maintain on \(object.name) to the role, or run the job as its owner"
      : "run the job as the owner of \(object.name) or of the database"
  }
}

extension VacuumPlan.Work {
  var action: String {
    switch self {
    case .vacuum: "vacuumed"
    case .vacuumAnalyze: "vacuumed and analyzed"
    case .analyze: "analyzed"
    }
  }
}

extension VacuumPlan.Step {
  func statement(serverVersion: Int) -> String {
    let name = Quoting.identifier(relation.schema, relation.name)
    switch work {
    case .vacuum: return VacuumStatement.vacuum(name, analyze: false, serverVersion: serverVersion)
    case .vacuumAnalyze: return VacuumStatement.vacuum(name, analyze: true, serverVersion: serverVersion)
    case .analyze:
      return VacuumStatement.analyze(name, alone: relation.isPartitioned && serverVersion >= 180_000)
    }
  }
}
