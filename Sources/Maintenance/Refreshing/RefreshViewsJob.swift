import Postgres
import Timekeeping

/// Refreshes materialized views: each in a transaction of its own, after those that it reads, concurrently where
/// that is possible.
///
/// A view that fails is recorded and the rest goes on, also views that read it: they take its earlier content
/// with everything else that is new, and say so.
public struct RefreshViewsJob: JobBody {
  private let selection: RelationSelection

  /// How often one view may be given up for others before it is left for the next run.
  private let attempts: Int

  public init(_ selection: RelationSelection, attempts: Int = 10) {
    self.selection = selection
    self.attempts = attempts
  }

  /// What a run would do now. Reads catalogues only.
  public func plan(on connection: borrowing Connection) throws(PostgresError) -> RefreshPlan {
    RefreshPlan(selection, of: try MaterializedViewReader.read(selection, on: connection))
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    let plan = try await context.work.run { try self.plan(on: $0) }
    if plan.hasOnlyForeign, plan.refused.isEmpty {
      // Not a success: the job would look as if it had done something.
      return JobResult(
        .skipped, reason: plan.notes.joined(separator: "; "),
        hint:
          "run the job as the owner of the views, or let an sql job call a function with the owner's rights")
    }
    var tally = RunTally(context)
    for note in plan.notes { tally.note(note) }
    for object in plan.refused { tally.add(object, hint: Self.refusedHint(object, context)) }
    var stale: [UInt32: String] = [:]
    for (index, step) in plan.steps.enumerated() {
      switch try await context.readiness(for: step.view.label) {
      case .ready:
        guard let stop = try await refresh(step, context, &stale, &tally) else { continue }
        tally.end(stop)
      case .enough(let reason): tally.leave(plan.steps.count - index, because: reason)
      case .stopped(let stop): tally.end(stop)
      }
      break
    }
    return tally.finished()
  }

  private func refresh(
    _ step: RefreshPlan.Step, _ context: JobContext, _ stale: inout [UInt32: String],
    _ tally: inout RunTally
  ) async throws -> RunStop? {
    let view = step.view
    context.report(.began(object: view.label, phase: step.phase))
    let start = ContinuousClock.now
    let statement = step.statement
    let end = try await context.work.unit(view.label, until: context.deadline, attempts: attempts) {
      let counts = try $0.execute(statement)
      return (inserted: Int64(counts.text(0, 0)) ?? 0, deleted: Int64(counts.text(0, 1)) ?? 0)
    }
    let milliseconds = (ContinuousClock.now - start).wholeMilliseconds
    var remarks = step.remarks
    let behind = view.reads.compactMap { stale[$0] }.sorted()
    if !behind.isEmpty {
      remarks.append("it reads \(behind.joined(separator: ", ")), not refreshed by this run")
    }
    var object = JobObject(view.label, step.action, milliseconds: milliseconds)
    switch end {
    case .stopped(let stop):
      object.action = "failed"
      object.detail = stop.reason
      object.sqlState = stop.sqlState
      tally.add(object)
      return stop
    case .gaveUp(let reason):
      stale[view.oid] = view.label
      object.action = "gave up"
      object.detail = ([reason] + remarks).joined(separator: "; ")
      tally.leave(object)
    case .failed(let error) where error.isUndefinedTable && error.context == nil:
      // A function's missing table comes with the context of the function.
      object.action = "skipped"
      object.detail = "it was dropped or renamed since the run began"
      tally.add(object)
    case .failed(let error):
      stale[view.oid] = view.label
      let failure = RefreshFailure(error, of: step)
      object.action = "failed"
      object.detail = ([failure.detail] + remarks).joined(separator: "; ")
      object.sqlState = error.sqlState.isEmpty ? nil : error.sqlState
      tally.add(object, hint: failure.hint)
    case .done(let counts):
      object.rows = counts.inserted + counts.deleted
      let (remark, stop) = try await tidy(step, deleted: counts.deleted, context)
      if let remark { remarks.append(remark) }
      object.detail = remarks.isEmpty ? nil : remarks.joined(separator: "; ")
      tally.add(object)
      return stop
    }
    return nil
  }

  /// A concurrent refresh leaves a dead row for each that it changed, and a first one leaves a view of which the
  /// planner knows nothing.
  private func tidy(
    _ step: RefreshPlan.Step, deleted: Int64, _ context: JobContext
  ) async throws -> (String?, RunStop?) {
    let statement: String
    let name = step.view.sqlName
    switch step.upkeep(deleted: deleted) {
    case nil: return (nil, nil)
    case .vacuumAnalyze:
      statement = VacuumStatement.vacuum(name, analyze: true, serverVersion: context.serverVersion)
    case .analyze: statement = VacuumStatement.analyze(name)
    }
    let end = try await context.work.unit(step.view.label, until: context.deadline, attempts: 2) {
      _ = $0.takeNotices()
      try $0.execute(VacuumStatement.costDelay)
      try $0.execute(statement)
      return VacuumNotices($0.takeNotices())
    }
    switch end {
    case .done(let notices):
      return (notices.skip.map { "left to autovacuum: \($0)" } ?? step.upkeepDone(deleted: deleted), nil)
    case .gaveUp(let reason): return ("left to autovacuum: \(reason)", nil)
    case .failed(let error): return ("left to autovacuum: \(error.message)", nil)
    case .stopped(let stop): return (nil, stop)
    }
  }

  private static func refusedHint(_ object: JobObject, _ context: JobContext) -> String? {
    guard object.sqlState == "42501" else { return nil }
    return context.serverVersion >= 170_000
      ? "grant maintain on \(object.name) to the role, or run the job as its owner"
      : "run the job as the owner of \(object.name), or grant the owner's role to this one"
  }
}

extension MaterializedView {
  var sqlName: String { Quoting.identifier(schema, name) }
}

extension RefreshPlan.Step {
  var isConcurrent: Bool { if case .concurrently = mode { true } else { false } }
  var action: String { isConcurrent ? "refreshed concurrently" : "refreshed" }
  var phase: String { isConcurrent ? "refresh concurrently" : "refresh" }
  var remarks: [String] { (reason.map { ["plainly, for \($0)"] } ?? []) + notes }

  /// Both statements are one transaction and one round trip, so that the lock of a plain refresh is not held for
  /// an answer of ours; the second reads what this transaction has written.
  var statement: String {
    """
    refresh materialized view \(isConcurrent ? "concurrently " : "")\(view.sqlName);
    select pg_catalog.pg_stat_get_xact_tuples_inserted(\(view.oid)), pg_catalog.pg_stat_get_xact_tuples_deleted(\(view.oid))
    """
  }

  enum Upkeep {
    case vacuumAnalyze, analyze
  }

  /// What the view needs after its refresh; `deleted` rows died by it.
  func upkeep(deleted: Int64) -> Upkeep? {
    guard isConcurrent else { return view.estimatedRows == nil || !view.isPopulated ? .analyze : nil }
    let dead = deleted + view.deadRows
    return dead >= 1000 && dead * 5 >= view.estimatedRows ?? 0 ? .vacuumAnalyze : nil
  }

  func upkeepDone(deleted: Int64) -> String? {
    isConcurrent ? "vacuumed, for \(deleted + view.deadRows) dead rows" : nil
  }
}

/// What a failed refresh means, and what helps.
struct RefreshFailure {
  let detail: String
  let hint: String?

  init(_ error: PostgresError, of step: RefreshPlan.Step) {
    detail = error.message
    let name = step.view.label
    switch error.sqlState {
    // A key that is there twice, or two rows that are wholly the same.
    case "23505", "21000":
      hint =
        "the query of \(name) gives two rows with the same key: group by exactly the columns of its unique index, or "
        + "add the others to the index"
    case "42883", "42P01":
      hint =
        "a function that \(name) calls does not find a name: a refresh has search_path = pg_catalog, as PostgreSQL 17 "
        + "enforces; qualify the names in it, or give it a search_path with alter function … set search_path"
    case "42501":
      hint = "a refresh has the rights of the owner of \(name), who needs select on all that it reads"
    case "55000":
      hint = "a materialized view that \(name) reads is not populated; refresh that first"
    default: hint = error.hint
    }
  }
}
