import Postgres
import Timekeeping

/// What retention would do to one table, for `tsdb maintain --plan`.
public struct RetentionPreview: Sendable, Equatable, Encodable {
  /// `schema.name`, quoted where SQL needs it.
  public var table: String
  public var column: String
  /// Rows older than this would go; ISO 8601.
  public var cutoff: String?
  public var rows: Int64?
  /// `rows` is the planner's guess, and `bytes` is scaled to it: more than a million rows are not counted.
  public var isEstimate = false
  /// The stored size of the rows with their TOASTed values, without indexes.
  public var bytes: Int64?
  /// The oldest value of the column, as text in ISO format.
  public var oldest: String?
  /// Batches of the full size, which the time of a batch may make smaller and more.
  public var batches: Int64?
  /// By which indexes rows are found; empty for reading the whole table.
  public var indexes: [String] = []
  /// Which locks a batch takes, in one line.
  public var locks: String
  /// Why the rule would be refused, and what would help.
  public var refusal: String?
  public var hint: String?
  /// What else is worth knowing.
  public var notes: [String] = []

  public init(table: String, column: String, locks: String, notes: [String] = []) {
    self.table = table
    self.column = column
    self.locks = locks
    self.notes = notes
  }

  /// The locks of a batch of a rule.
  public static func locks(of rule: RetentionRule) -> String {
    "ROW EXCLUSIVE, and the rows of one batch for about \(rule.batchTime.spanText)"
  }
}

extension RetentionJob {
  /// What a run at `now` would do. Reads only, and no longer than half a minute for each rule; the connection must not
  /// be in a transaction.
  ///
  /// - Throws: `PostgresError` when the connection is lost or a statement cancelled. What a rule is refused for is in its preview.
  public func preview(on connection: borrowing Connection, now: UTCTime) throws -> [RetentionPreview] {
    var previews: [RetentionPreview] = []
    for rule in rules {
      previews.append(try Self.preview(rule, on: connection, now: now))
    }
    return previews
  }

  private static func preview(
    _ rule: RetentionRule, on connection: borrowing Connection, now: UTCTime
  ) throws -> RetentionPreview {
    var preview = RetentionPreview(
      table: rule.table, column: rule.column,
      locks: RetentionPreview.locks(of: rule))
    let started = ContinuousClock.now
    do {
      let before = try connection.query(
        "select pg_catalog.current_setting('search_path'), pg_catalog.current_setting('statement_timeout')"
      ).rows()[0]
      try connection.execute("set search_path = pg_catalog, pg_temp; set statement_timeout = '30s'")
      defer {
        _ = try? connection.query(
          "select pg_catalog.set_config('search_path', $1, false), pg_catalog.set_config('statement_timeout', $2, false)",
          before
        ).rowCount
      }
      let plan = try RetentionPlan.make(rule, now: now, on: connection)
      preview.describe(plan)
      try preview.survey(plan, on: connection)
    } catch let error as MaintenanceError {
      preview.refusal = error.message
      preview.hint = error.hint
      if let detail = error.detail { preview.notes.append(detail) }
    } catch let error as PostgresError where error.origin == .server {
      if error.isCancellation {
        // By a request, for somebody waits behind it.
        guard ContinuousClock.now - started >= .seconds(29) else { throw error }
        preview.notes.append("counting the rows takes longer than half a minute and was given up")
      } else {
        preview.refusal = error.message
        preview.hint = error.hint
      }
    }
    return preview
  }
}

extension RetentionPreview {
  fileprivate mutating func describe(_ plan: RetentionPlan) {
    table = plan.facts.name
    cutoff = "\(plan.cutoff)"
    if case .indexes(let names) = plan.path {
      indexes = names
    } else {
      notes.append("the whole table is read, \(plan.facts.leaves.reduce(0) { $0 + $1.pages }) pages")
    }
    if plan.facts.hidesRows {
      notes.append("row-level security hides rows from this role; they are kept")
    }
    if plan.rule.allowsSequentialScan {
      notes += plan.facts.unindexedChildren.map {
        "each deleted row scans \($0.table), whose foreign key \"\($0.constraint)\" has no index"
      }
    }
  }

  fileprivate mutating func survey(_ plan: RetentionPlan, on connection: borrowing Connection) throws {
    let limit = 1_000_000
    let survey = try plan.statements.survey(upTo: limit, on: connection)
    rows = survey.rows
    bytes = survey.bytes
    oldest = survey.oldest
    if survey.rows == limit, let guess = try plan.statements.estimateOld(on: connection), guess > survey.rows
    {
      rows = guess
      isEstimate = true
      bytes = Int64(Double(survey.bytes) / Double(survey.rows) * Double(guess))
    }
    if let rows, let bytes, rows > 0 {
      let width = max(1, bytes / rows)
      let size = max(1, min(Int64(plan.rule.maxRows), plan.rule.maxBytes / width))
      batches = (rows + size - 1) / size
    } else {
      batches = 0
    }
  }
}
