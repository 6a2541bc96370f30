import Postgres
import Timekeeping

/// Keeps tables that are partitioned by time supplied with partitions, and takes off those whose time is over.
///
/// Each partition is a transaction of its own, and creating never depends on dropping. What an interrupted run left
/// is put in order first and reported as healed.
public struct PartitionsJob: JobBody {
  public let rules: [PartitionRule]
  /// Moving more rows than this out of the default partition, which is one transaction, is warned of.
  static let manyRows: Int64 = 100_000
  /// How long one partition is tried for; a table that is always in use must not keep the others waiting.
  static let patience = Duration.seconds(60)

  public init(_ rules: [PartitionRule]) {
    self.rules = rules
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    var run = PartitionsRun(context: context, tally: ObjectTally(report: context.report))
    for rule in rules {
      try Task.checkCancellation()
      do {
        try await run.maintain(rule)
      } catch {
        try run.tally.fail(rule.table, error)
      }
    }
    var result = run.tally.result(remark: run.remarks.first)
    result.rows = run.rows
    result.bytes = run.bytes
    return result
  }
}

/// The state of one run.
struct PartitionsRun {
  let context: JobContext
  var tally: ObjectTally
  /// What is worth knowing though nothing failed, such as rows in a default partition.
  var remarks: [String] = []
  /// Moved out of default partitions.
  var rows: Int64 = 0
  /// Of dropped partitions.
  var bytes: Int64 = 0

  mutating func maintain(_ rule: PartitionRule) async throws {
    let now = context.now
    let facts = try await context.work.run { try PartitionFacts(rule, now: now, on: $0) }
    let plan = PartitionPlan(rule, facts, now: now)
    for refusal in plan.refusals { tally.fail(refusal.object, refusal.reason, hint: refusal.hint) }
    for creation in plan.creations {
      let name = CataloguedRelation.display(facts.table.schema, creation.name)
      try await each(name) { run in try await run.create(creation, name, facts) }
    }
    try await heal(plan, facts)
    for retirement in plan.retirements where retirement.method != .finalize {
      let name = retirement.partition.relation.display
      try await each(name) { run in try await run.retire(retirement, facts) }
    }
    try await lookIntoDefault(facts)
  }

  private mutating func heal(_ plan: PartitionPlan, _ facts: PartitionFacts) async throws {
    for retirement in plan.retirements where retirement.method == .finalize {
      try await each(retirement.partition.relation.display) { run in try await run.finalize(retirement, facts)
      }
    }
    for leftOver in plan.leftOvers {
      try await each(leftOver.relation.display) { run in
        let isDropped = try await run.drop(leftOver.relation, bytes: leftOver.bytes, facts)
        if isDropped {
          run.context.report(
            .healed("\(leftOver.relation.display), which an earlier run had taken off, is dropped"))
        }
      }
    }
    for partition in plan.unmarked {
      try await each(partition.relation.display) { run in
        try await run.restoreComment(of: partition)
        run.context.report(.healed("\(partition.relation.display) is kept, and has its comment again"))
      }
    }
    for kept in plan.kept {
      let reason = "it was taken off by a rule that kept less, and is neither dropped nor attached"
      context.report(
        .warning(
          "\(kept.relation.display): \(reason)", detail: "Its rows end before \(kept.end).",
          hint: "attach it by hand, or remove its comment to keep it apart"))
      tally.note(JobObject(kept.relation.display, "skipped", detail: reason))
    }
  }

  /// One unit: not begun out of time, and its error is its own.
  private mutating func each(
    _ name: String, _ body: (inout PartitionsRun) async throws -> Void
  ) async throws {
    try Task.checkCancellation()
    guard !context.isOutOfTime else { return tally.leave(name, because: "out of time") }
    do {
      try await body(&self)
    } catch {
      try tally.fail(name, error)
    }
  }

  /// Runs `body` watched, until it is done or was in the way too long.
  func perform<Result: Sendable>(
    _ name: String, _ body: @Sendable (borrowing Connection) throws -> Result
  ) async throws -> PoliteConnection.Outcome<Result> {
    let deadline = min(context.deadline, .now + PartitionsJob.patience)
    let timeout = max(1, context.job.lockTimeout.wholeMilliseconds)
    var conflicts = 0
    while true {
      do {
        return try await context.work.perform(name, until: deadline) { connection in
          try connection.execute("set lock_timeout = \(timeout)")
          try connection.execute("set statement_timeout = 0")
          return try body(connection)
        }
      } catch let error as PostgresError where error.isRetryableConflict && conflicts < 3 {
        conflicts += 1
      } catch let error as PostgresError where error.isCancellation && !Task.isCancelled {
        return .gaveUp("the transactions of others that use the table did not end in time")
      }
    }
  }

  private mutating func lookIntoDefault(_ facts: PartitionFacts) async throws {
    guard let fallback = facts.defaultPartition, !context.isOutOfTime else { return }
    try await each(fallback.display) { run in
      let column = Quoting.identifier(facts.column)
      let outcome = try await run.perform(fallback.display) { connection in
        try facts.rights.read(
          """
          select count(*), to_char(min(\(column)), 'YYYY-MM-DD'), to_char(max(\(column)), 'YYYY-MM-DD')
          from only \(fallback.quoted)
          """, columns: "count bigint, first text, last text", on: connection
        ).rows()[0]
      }
      guard case .done(let row) = outcome else {
        return run.tally.leave(fallback.display, because: "it could not be read")
      }
      guard let count = row[0].flatMap({ Int64($0) }), count > 0 else { return }
      let span = row[1] == nil ? "without a time" : "from \(row[1] ?? "") to \(row[2] ?? "")"
      let text = "the default partition \(fallback.display) holds \(count) rows, \(span)"
      run.remarks.append(text)
      run.tally.note(JobObject(fallback.display, "holds rows", detail: span, rows: count))
      run.context.report(
        .warning(
          text,
          detail: "No partition of \(facts.table.display) covers them, and none is ever dropped with them.",
          hint: "correct their \"\(facts.column)\", raise ahead, or delete them by a retention rule"))
    }
  }
}
