import Postgres
import Timekeeping

/// One rule being followed.
struct RetentionRun {
  let context: JobContext
  let rule: RetentionRule
  private let begun = ContinuousClock.now
  /// Of the table, as the rule names it until the catalogue has said more.
  private var name: String
  private var plan: RetentionPlan?
  private var size: BatchSize
  private var deleted: Int64 = 0
  private var bytes: Int64 = 0
  /// Locked by others, changed or gone since they were read.
  private var passedOver: Int64 = 0
  /// Kept by a trigger or a policy.
  private var kept: Int64 = 0
  /// Why there is more to do.
  private var rest: String?
  private var backlog: Int64? = 0
  private var aftermath: [JobObject] = []
  private var progress: RetentionProgress

  init(context: JobContext, rule: RetentionRule) {
    self.context = context
    self.rule = rule
    name = rule.table
    size = BatchSize(rule)
    progress = RetentionProgress()
  }

  /// Follows the rule to its end, or to that of the budget.
  mutating func run() async throws {
    let (rule, now) = (rule, context.now)
    let plan = try await context.work.run { try RetentionPlan.make(rule, now: now, on: $0) }
    self.plan = plan
    name = plan.facts.name
    if plan.facts.hidesRows {
      context.report(
        .warning(
          "row-level security hides rows of \(name) from this role",
          detail: "What its policies hide is not deleted.",
          hint: "run retention as the table's owner, or as a role with BYPASSRLS"))
    }
    context.report(.began(object: name, phase: "retention"))
    progress.total = try await context.work.run { try plan.statements.estimateOld(on: $0) }
    switch plan.path {
    case .indexes: try await deleteByIndex(plan)
    case .pages: try await deleteByPages(plan)
    }
    try await context.work.run { _ = try $0.execute("set statement_timeout = 0") }
    progress.end(name, deleted, context.report)
    if rest != nil || passedOver > 0 || kept > 0 { backlog = try await countBacklog(plan) }
    try await vacuum(plan)
  }

  // MARK: Stretches

  /// Keys are read for about ten batches, and for more where a whole stretch is of one moment: each stretch reads
  /// the rows of its first moment anew.
  private mutating func deleteByIndex(_ plan: RetentionPlan) async throws {
    let statements = plan.statements
    var last: RowKey?
    var widened = 1
    while rest == nil {
      guard try await mayGoOn(plan) else { return }
      let (limit, position) = (min(200_000, max(1_000, size.rows * 10) * widened), last)
      guard
        let keys = try await read({ try statements.readKeys(after: position, limit: limit, on: $0) }),
        let end = keys.last
      else { return }
      widened = keys.first?.moment == end.moment ? widened * 2 : 1
      try await delete(plan.facts.isPartitioned ? Self.byTable(keys) : keys, plan)
      if keys.count < limit { return }
      last = end
    }
  }

  /// Batches are of one table, however a partitioned one spreads its rows.
  static func byTable(_ keys: [RowKey]) -> [RowKey] {
    keys.enumerated()
      .sorted { ($0.element.relation, $0.offset) < ($1.element.relation, $1.offset) }
      .map(\.element)
  }

  private mutating func deleteByPages(_ plan: RetentionPlan) async throws {
    let statements = plan.statements
    for leaf in plan.facts.leaves {
      // 8 MiB of a table, so that the keys of one stretch are few.
      for start in stride(from: Int64(0), to: leaf.pages, by: 1_024) {
        guard try await mayGoOn(plan) else { return }
        let pages = start..<start + 1_024
        guard let keys = try await read({ try statements.readKeys(of: leaf, pages: pages, on: $0) }) else {
          return
        }
        try await delete(keys, plan)
        if rest != nil { return }
      }
    }
  }

  /// Keys; nil when time ran out over it.
  private mutating func read(
    _ body: @Sendable (borrowing Connection) throws -> [RowKey]
  ) async throws -> [RowKey]? {
    let timeout = timeout
    do {
      // Watched: who waits with DDL behind a reader makes everybody else wait behind him.
      let outcome = try await context.work.perform(name, until: context.deadline) { connection in
        try connection.execute("set statement_timeout = \(timeout)")
        return try body(connection)
      }
      if case .done(let keys) = outcome { return keys }
      rest = "always in somebody's way"
      return nil
    } catch let error as PostgresError where error.isCancellation && !Task.isCancelled && context.isOutOfTime
    {
      rest = "out of time"
      return nil
    }
  }

  /// Milliseconds to the end of the budget; at least one second, so that no batch is begun in vain.
  private var timeout: Int64 { max(1_000, (context.deadline - .now).wholeMilliseconds) }

  private mutating func mayGoOn(_ plan: RetentionPlan) async throws -> Bool {
    try Task.checkCancellation()
    if context.isOutOfTime {
      rest = "out of time"
    } else if try await !context.gates.wait(context, object: name, relation: plan.facts.oid) {
      rest = context.isOutOfTime ? "out of time" : "a gate stayed closed"
    }
    return rest == nil
  }

  // MARK: Batches

  private mutating func delete(_ keys: [RowKey], _ plan: RetentionPlan) async throws {
    var begin = keys.startIndex
    var refusals = 0
    while begin < keys.endIndex {
      guard try await mayGoOn(plan) else { return }
      let count = size.count(of: keys[begin...])
      let batch = keys[begin..<begin + count]
      if try await attempt(batch, plan.statements) {
        begin += count
        refusals = 0
        progress.tell(name, deleted, context.report)
        continue
      }
      refusals += 1
      if size.isSmallest, count == 1 {
        // One row that cannot be had: what hangs on it is locked by somebody.
        begin += 1
        passedOver += 1
      } else {
        size.shrink()
      }
      if refusals >= 25 {
        rest = "always in somebody's way"
        return
      }
      let pause = min(Duration.milliseconds(100) * (1 << min(refusals - 1, 4)), .seconds(1))
      try await Task.sleep(for: pause * Double.random(in: 0.5...1.5))
    }
  }

  /// Whether the batch is done; else it was in the way, or somebody was in its.
  private mutating func attempt(_ batch: ArraySlice<RowKey>, _ statements: RetentionStatements) async throws
    -> Bool
  {
    let (timeout, work) = (timeout, context.work)
    do {
      let attempt = try await work.attempt(name) { connection in
        try connection.execute("set statement_timeout = \(timeout)")
        if statements.facts.rights.owner != nil { work.renewSettings() }
        return try statements.delete(batch, on: connection)
      }
      guard case .done(let deletion) = attempt else { return false }
      deleted += deletion.deleted
      bytes += deletion.bytes
      passedOver += Int64(batch.count - deletion.locked)
      kept += Int64(deletion.locked) - deletion.deleted
      size.took(deletion.time, for: batch.count)
      return true
    } catch let error as PostgresError
      where (error.isCancellation && !Task.isCancelled && context.isOutOfTime) || error.isRetryableConflict
    {
      return false
    }
  }

  // MARK: Afterwards

  /// How many rows a rule has to delete for which there was no time, up to a million; nil where that cannot be told.
  func countLeft() async -> Int64? {
    let (rule, now) = (rule, context.now)
    do {
      let plan = try await context.work.run { try RetentionPlan.make(rule, now: now, on: $0) }
      let left = try await countBacklog(plan)
      try await context.work.run { _ = try $0.execute("set statement_timeout = 0") }
      return left
    } catch {
      return nil
    }
  }

  /// Rows that are old still, up to a million; nil when even that takes too long.
  private func countBacklog(_ plan: RetentionPlan) async throws -> Int64? {
    do {
      let attempt = try await context.work.attempt(name) {
        try plan.statements.countOld(upTo: 1_000_000, within: .seconds(5), on: $0)
      }
      guard case .done(let count) = attempt else { return nil }
      return count
    } catch let error as PostgresError where error.isCancellation && !Task.isCancelled {
      return nil
    }
  }

  /// Dead rows and their index entries are in everybody's way until a vacuum; autovacuum may be far from its threshold.
  private mutating func vacuum(_ plan: RetentionPlan) async throws {
    let isLarge = deleted > 10_000 || (deleted > 0 && Double(deleted) > 0.1 * max(0, plan.facts.rows))
    guard isLarge else { return }
    guard !context.isOutOfTime else {
      aftermath.append(JobObject(name, "skipped", detail: "no time to vacuum after the deletion"))
      return
    }
    let (start, name) = (ContinuousClock.now, name)
    context.report(.began(object: name, phase: "vacuum"))
    let outcome: PoliteConnection.Outcome<[String]>
    do {
      outcome = try await context.work.perform(name, until: context.deadline) { connection in
        _ = connection.takeNotices()
        try connection.execute("set vacuum_cost_delay = '2ms'")
        defer { _ = try? connection.execute("reset vacuum_cost_delay") }
        // Skipping is a warning and counts as success.
        try connection.execute("vacuum (analyze, skip_locked, truncate off) \(name)")
        return connection.takeNotices().filter { $0.severity == "WARNING" }.map(\.message)
      }
    } catch let error as PostgresError where error.origin == .server && !Task.isCancelled {
      outcome = .gaveUp(error.message)
    }
    let object: JobObject
    switch outcome {
    case .done(let warnings) where warnings.isEmpty:
      object = JobObject(
        name, "vacuumed and analyzed", milliseconds: (ContinuousClock.now - start).wholeMilliseconds)
    case .done(let warnings):
      object = JobObject(name, "skipped", detail: "vacuum after the deletion: \(warnings[0])")
    case .gaveUp(let reason):
      object = JobObject(name, "skipped", detail: "vacuum after the deletion: \(reason)")
    }
    aftermath.append(object)
  }

  // MARK: Recording

  /// Records a rule that was followed, to its end or to that of the budget.
  func record(in tally: inout RetentionTally) {
    tally.count(rows: deleted, bytes: bytes)
    tally.leave(rest.map { "\(name): \($0)" }, backlog: backlog)
    for object in [object("deleted", detail: detail(rest))] + aftermath {
      context.report(.finished(object))
      tally.add(object)
    }
  }

  /// Records a rule that failed, with what it had deleted before.
  func record(_ error: any Error, in tally: inout RetentionTally) {
    let failure = JobRun.failure(error)
    var hint = failure.hint
    var reason = failure.reason ?? "\(error)"
    if failure.sqlState == "23503" {
      hint =
        "delete or detach what refers to the rows first, or give the rule a condition that leaves them out"
    }
    if !reason.contains(name) { reason = "\(name): \(reason)" }
    tally.count(rows: deleted, bytes: bytes)
    tally.fail(reason, hint: hint, sqlState: failure.sqlState)
    var object = object("failed", detail: detail(hint.map { "\(reason) (\($0))" } ?? reason))
    object.sqlState = failure.sqlState
    context.report(.finished(object))
    tally.add(object)
  }

  private func object(_ action: String, detail: String?) -> JobObject {
    JobObject(
      name, action, detail: detail, rows: deleted, bytes: bytes,
      milliseconds: (ContinuousClock.now - begun).wholeMilliseconds)
  }

  private func detail(_ reason: String?) -> String? {
    let parts = [
      reason,
      passedOver > 0 ? "\(passedOver) rows locked or changed by others were left" : nil,
      kept > 0 ? "\(kept) rows were kept by a trigger or a policy" : nil,
      plan?.facts.hidesRows == true ? "row-level security may hide more from this role" : nil,
    ].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}

/// Tells how far a rule is, seldom enough.
private struct RetentionProgress {
  /// The planner's guess.
  var total: Int64?
  private let begun = ContinuousClock.now
  private var told = ContinuousClock.now
  private var toldTime = ContinuousClock.now

  /// At most once a second; the time that is left, every half minute.
  mutating func tell(_ name: String, _ done: Int64, _ report: JobReporter) {
    let now = ContinuousClock.now
    guard now - told >= .seconds(1) else { return }
    told = now
    let total = total.map { max($0, done) }
    report(.progress(object: name, done: done, total: total))
    guard now - toldTime >= .seconds(30), let total, done > 0 else { return }
    toldTime = now
    let left = (now - begun) * (Double(total - done) / Double(done))
    report(.note("\(name): \(done) of about \(total) rows deleted, about \(left.wholeSeconds) s left"))
  }

  func end(_ name: String, _ done: Int64, _ report: JobReporter) {
    report(.progress(object: name, done: done, total: done))
  }
}
