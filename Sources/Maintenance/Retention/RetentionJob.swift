import Postgres
import Timekeeping

/// Deletes rows once they are old, in small batches that give way.
///
/// Locks: ROW EXCLUSIVE on the table, and the rows of one batch for about ``RetentionRule/batchTime``. Rows that others have
/// locked are left for the next run. A run that is killed has deleted whole batches of old rows and nothing else.
public struct RetentionJob: JobBody {
  public let rules: [RetentionRule]

  public init(_ rules: [RetentionRule]) {
    self.rules = rules
  }

  public func run(_ context: JobContext) async throws -> JobResult {
    var tally = RetentionTally()
    var isEnded = false
    for rule in rules {
      if isEnded {
        tally.add(JobObject(rule.table, "skipped", detail: "the run ended before"))
        continue
      }
      if context.isOutOfTime {
        tally.add(JobObject(rule.table, "skipped", detail: "out of time"))
        let left = await RetentionRun(context: context, rule: rule).countLeft()
        tally.leave("\(rule.table): out of time", backlog: left)
        continue
      }
      var run = RetentionRun(context: context, rule: rule)
      do {
        try await run.run()
        run.record(in: &tally)
      } catch {
        run.record(error, in: &tally)
        isEnded = Self.endsRun(error)
        if !isEnded { try await context.work.run { _ = try $0.execute("set statement_timeout = 0") } }
      }
    }
    return tally.result
  }

  /// Nothing more is begun when the run is interrupted, or its connections are lost: a new one has not its settings.
  private static func endsRun(_ error: any Error) -> Bool {
    Task.isCancelled || error is CancellationError
      || (error as? PostgresError).map { $0.isServerUnavailable } == true
  }
}

/// What the rules of a run came to.
struct RetentionTally: Sendable {
  private(set) var result = JobResult(.ok)
  private var failures: [String] = []
  private var leftovers: [String] = []

  mutating func add(_ object: JobObject) {
    result.objects.append(object)
  }

  mutating func count(rows: Int64, bytes: Int64) {
    result.rows += rows
    result.bytes += bytes
  }

  /// Rows are left; how many, where somebody counted.
  mutating func leave(_ reason: String?, backlog: Int64?) {
    if let backlog { result.backlog = (result.backlog ?? 0) + backlog }
    guard let reason else { return }
    leftovers.append(reason)
    settle()
  }

  mutating func fail(_ reason: String, hint: String?, sqlState: String?) {
    failures.append(reason)
    if result.hint == nil { result.hint = hint }
    if result.sqlState == nil { result.sqlState = sqlState }
    settle()
  }

  private mutating func settle() {
    let reasons = failures.isEmpty ? leftovers : failures
    result.outcome = failures.isEmpty ? .partial : .failed
    result.reason = reasons.first.map { reasons.count > 1 ? "\($0); and \(reasons.count - 1) more" : $0 }
  }
}
