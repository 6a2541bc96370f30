import Postgres
import Timekeeping

/// Removes what interrupted rebuilds left, rebuilds invalid and bloated indexes, and tells of duplicates.
///
/// All statements are CONCURRENTLY: readers and writers go on. A rebuild that is given up takes its own left-over
/// with it, or the next run does.
public struct IndexesJob: JobBody {
  public let rule: IndexRule
  /// A transaction older than this is waited for before a rebuild, which would wait for it while holding its lock.
  var oldTransaction = Duration.seconds(60)
  /// How long old transactions are waited for, and how long a rebuild that must give way is tried again.
  var patience = Duration.seconds(180)

  public init(_ rule: IndexRule) {
    self.rule = rule
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    var run = IndexesRun(
      context: context, rule: rule, oldTransaction: oldTransaction, patience: patience,
      tally: ObjectTally(report: context.report))
    try await run.work()
    var result = run.tally.result(remark: run.remark)
    result.bytes = run.bytes
    return result
  }

  /// What a run would do now, with the locks it would take. Reads only; bloat is estimated, not measured.
  public func preview(on connection: borrowing Connection) throws -> [PlannedStep] {
    IndexPlan(rule, try IndexFacts.read(rule.tables, on: connection)).steps
  }
}

/// The state of one run.
struct IndexesRun {
  let context: JobContext
  let rule: IndexRule
  let oldTransaction: Duration
  let patience: Duration
  var tally: ObjectTally
  /// What rebuilding has given back.
  var bytes: Int64 = 0
  var remark: String?

  mutating func work() async throws {
    let tables = rule.tables
    var indexes = try await context.work.run { try IndexFacts.read(tables, on: $0) }
    indexes = try await measured(indexes)
    for entry in IndexPlan(rule, indexes).entries {
      try Task.checkCancellation()
      let name = entry.facts.index.display
      if case .report(let reason) = entry.step {
        if remark == nil { remark = "\(name): \(reason)" }
        tally.note(JobObject(name, "skipped", detail: reason, bytes: entry.facts.bytes))
        continue
      }
      guard !context.isOutOfTime else {
        tally.leave(name, because: "out of time")
        continue
      }
      do {
        switch entry.step {
        case .drop: try await dropLeftOver(entry.facts)
        case .rebuild(let bloat): try await rebuild(entry.facts, bloat: bloat)
        case .report: break
        }
      } catch {
        try tally.fail(name, error)
      }
    }
  }

  private mutating func dropLeftOver(_ facts: IndexFacts) async throws {
    let name = facts.index.display
    context.report(.began(object: name, phase: "drop"))
    guard try await drop(facts.index, of: facts.table) else {
      return tally.leave(name, because: "another session works on it, or waits behind the drop")
    }
    tally.note(JobObject(name, "dropped", detail: "left by an interrupted rebuild", bytes: facts.bytes))
    context.report(.healed("the index \(name), which an interrupted rebuild had left, is dropped"))
    bytes += facts.bytes
  }

  /// Drops an invalid index, looking once more that it is, and that nobody works on it.
  ///
  /// - Returns: whether it is gone.
  func drop(_ index: CataloguedRelation, of table: CataloguedRelation) async throws -> Bool {
    let deadline = min(context.deadline, .now + patience)
    // It waits for the transactions of others, and of those no end is known.
    let limit = max(1000, (deadline - .now).wholeMilliseconds)
    do {
      let outcome = try await context.work.perform(index.display, until: deadline) { connection in
        guard let isIdle = try Self.isIdleLeftOver(index, on: connection) else { return true }
        guard isIdle else { return false }
        try connection.execute("set lock_timeout = 0")
        try connection.execute("set statement_timeout = \(limit)")
        try connection.execute("drop index concurrently \(index.quoted)")
        return true
      }
      try await withoutStatementTimeout()
      guard case .done(let isGone) = outcome else { return false }
      return isGone
    } catch let error as PostgresError where error.isCancellation && !Task.isCancelled {
      try await withoutStatementTimeout()
      return false
    }
  }

  /// nil where it is gone.
  private static func isIdleLeftOver(
    _ index: CataloguedRelation, on connection: borrowing Connection
  ) throws -> Bool? {
    let result = try connection.query(
      """
      select not i.indisvalid and not exists (
        select from pg_catalog.pg_locks as l
        where l.locktype = 'relation' and l.relation = i.indexrelid and l.granted
          and l.pid <> pg_catalog.pg_backend_pid()
          and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
          and l.mode in ('ShareUpdateExclusiveLock', 'AccessExclusiveLock'))
        and i.indexrelid = pg_catalog.to_regclass($2)
      from pg_catalog.pg_index as i where i.indexrelid = $1::oid
      """, ["\(index.oid)", index.quoted])
    return result.rowCount == 0 ? nil : result.isTrue(0, 0)
  }
}
