import Postgres
import Timekeeping

/// A row that is to go, as it was read.
struct RowKey: Sendable, Equatable {
  /// The table that holds it: the `tableoid`.
  var relation: UInt32
  /// Its `ctid`.
  var place: String
  var bytes: Int64
  /// Its expiry column as text in ISO format; nil where nobody needs it.
  var moment: String?
}

/// The statements of one rule.
///
/// Rows are read in the order of the expiry column, table and place, a stretch at a time; the next stretch begins
/// behind the last row of the one before. That place in the order only grows, and no row lies before it that was there
/// when its stretch was read: so the reading ends, and reads no dead index entry twice. Rows of a stretch are deleted by
/// their place, in batches, after everything that made them go has been looked at again: a place may hold another
/// row by then. A row that was changed or locked in the meantime stays for the next run.
struct RetentionStatements: Sendable {
  let rule: RetentionRule
  let facts: RetentionFacts
  let column: String
  let moment: RetentionFacts.Moment
  let cutoff: UTCTime

  /// The rows that go, `t`, in SQL.
  private var isOld: String {
    "t.\(column) < \(cutoffLiteral)" + (rule.condition.map { " and (\($0)\n)" } ?? "")
  }

  /// A `timestamp` is taken as UTC. A `date` is old when the whole day is.
  var cutoffLiteral: String {
    let text = "\(cutoff)".dropLast()
    return switch moment {
    case .timestamptz: "timestamp with time zone '\(text)Z'"
    case .timestamp: "timestamp without time zone '\(text)'"
    case .date: "date '\(text.prefix { $0 != "T" })'"
    }
  }

  // MARK: Reading

  private var rights: OwnerRights { facts.rights }

  /// For one transaction: the planner has no statistics to err by, and text comes in one format.
  static let readingSettings = """
    set local datestyle = 'ISO'; set local enable_seqscan = off; set local enable_bitmapscan = off;
    set local enable_sort = off; set local enable_tidscan = off; set local jit = off;
    set local max_parallel_workers_per_gather = 0
    """

  private func reading(after isLater: Bool, limit: Int) -> String {
    let later =
      isLater
      ? """
       and t.\(column) >= $1::\(moment.rawValue) and (
        t.\(column) > $1::\(moment.rawValue) or (t.tableoid, t.ctid) > ($2::oid, $3::tid))
      """ : ""
    return """
      select t.tableoid::bigint, t.ctid, (\(facts.width))::bigint, t.\(column)::text
      from \(facts.name) as t
      where \(isOld)\(later)
      order by t.\(column), t.tableoid, t.ctid
      limit \(limit)
      """
  }

  /// The next stretch by index, oldest first.
  func readKeys(after last: RowKey?, limit: Int, on connection: borrowing Connection) throws -> [RowKey] {
    try reading(on: connection) { connection in
      let parameters: [String?] = last.map { [$0.moment, "\($0.relation)", $0.place] } ?? []
      let result = try rights.query(
        reading(after: last != nil, limit: limit), parameters,
        columns: "relation bigint, place tid, bytes bigint, moment text", on: connection)
      return Self.keys(result) {
        facts.isPartitioned || $0 == 0 || $0 == $1 - 1
      }
    }
  }

  /// The old rows in a range of pages of one table, in no order.
  func readKeys(
    of leaf: RetentionFacts.Leaf, pages: Range<Int64>, on connection: borrowing Connection
  ) throws -> [RowKey] {
    try reading(on: connection, settings: nil) { connection in
      let result = try rights.query(
        """
        select t.tableoid::bigint, t.ctid, (\(facts.width))::bigint
        from only \(leaf.name) as t
        where t.ctid >= '(\(pages.lowerBound),0)' and t.ctid < '(\(pages.upperBound),0)' and \(isOld)
        """, columns: "relation bigint, place tid, bytes bigint", on: connection)
      return Self.keys(result) { _, _ in false }
    }
  }

  /// - Parameter hasMoment: whether the moment of a row is needed, by its number and the number of rows.
  private static func keys(
    _ result: borrowing QueryResult, hasMoment: (Int, Int) -> Bool
  ) -> [RowKey] {
    var keys: [RowKey] = []
    keys.reserveCapacity(result.rowCount)
    for row in 0..<result.rowCount {
      keys.append(
        RowKey(
          relation: UInt32(result.integer(row, 0) ?? 0), place: result.text(row, 1),
          bytes: Int64(result.integer(row, 2) ?? 0),
          moment: hasMoment(row, result.rowCount) ? result[row, 3] : nil))
    }
    return keys
  }

  /// Rolled back, so that nothing of what the owner's code has set or put off is left.
  ///
  /// - Parameter settings: nil where one statement of the session needs no transaction.
  private func reading<Result>(
    on connection: borrowing Connection, settings: String? = readingSettings,
    _ body: (borrowing Connection) throws -> Result
  ) throws -> Result {
    guard settings != nil || rights.owner != nil else { return try body(connection) }
    try rights.prepare(on: connection)
    try connection.execute("begin read only; \(settings ?? "")")
    do {
      let result = try body(connection)
      try connection.execute("rollback")
      return result
    } catch {
      _ = try? connection.execute("rollback")
      throw error
    }
  }

  /// How many rows are old, at most `limit`; stops after `time`.
  func countOld(upTo limit: Int, within time: Duration, on connection: borrowing Connection) throws -> Int64 {
    try reading(on: connection) { connection in
      try connection.execute("set local statement_timeout = \(max(1, time.wholeMilliseconds))")
      return Int64(
        try rights.query(
          "select count(*) from (select from \(facts.name) as t where \(isOld) limit \(limit)) as old",
          columns: "count bigint", on: connection
        ).integer(0, 0) ?? 0)
    }
  }

  /// The planner's guess of how many rows are old; costs nothing.
  func estimateOld(on connection: borrowing Connection) throws -> Int64? {
    let plan = try reading(on: connection, settings: nil) { connection in
      try rights.query(
        "explain select from \(facts.name) as t where \(isOld)", columns: "plan text", on: connection
      ).text(0, 0)
    }
    guard let start = plan.firstRange(of: "rows=")?.upperBound else { return nil }
    return Int64(plan[start...].prefix { $0.isNumber })
  }

  /// The indexes that the planner takes to find old rows.
  func plannedIndexes(on connection: borrowing Connection) throws -> Set<String> {
    let text = try reading(on: connection) { connection in
      try rights.query(
        "explain (format json) \(reading(after: false, limit: 1_000))", columns: "plan json", on: connection
      ).text(0, 0)
    }
    return Set(
      facts.leaves.flatMap(\.indexes).map(\.name).filter { name in
        let escaped = name.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
        return text.contains("\"Index Name\": \"\(String(escaped))\"")
      })
  }

  /// Rows (at most `limit`), their bytes, and the oldest moment as text.
  func survey(
    upTo limit: Int, on connection: borrowing Connection
  ) throws -> (rows: Int64, bytes: Int64, oldest: String?) {
    try reading(on: connection) { connection in
      let result = try rights.query(
        """
        select count(*), coalesce(sum(old.bytes), 0)::bigint, min(old.moment)::text
        from (
          select \(facts.width) as bytes, t.\(column) as moment from \(facts.name) as t
          where \(isOld) order by t.\(column) limit \(limit)
        ) as old
        """, columns: "rows bigint, bytes bigint, oldest text", on: connection)
      return (Int64(result.integer(0, 0) ?? 0), Int64(result.integer(0, 1) ?? 0), result[0, 2])
    }
  }

  // MARK: Deleting

  /// What came of a batch.
  struct Deletion: Sendable, Equatable {
    /// Rows that were still old, and locked by nobody else.
    var locked: Int
    var deleted: Int64
    var bytes: Int64
    var time: Duration
  }

  /// The places as an array in SQL's text format.
  private static func array(_ keys: ArraySlice<RowKey>) -> String {
    var text = "{"
    text.reserveCapacity(keys.count * 16)
    for key in keys {
      text += text.utf8.count == 1 ? "\"" : ",\""
      text += key.place
      text += "\""
    }
    return text + "}"
  }

  /// Deletes those of `keys`, all of one table, that are still old and locked by nobody: one statement, one transaction.
  ///
  /// With an owner's rights the session's settings are afterwards what the owner's code made of them, and where it
  /// throws a transaction may be open.
  func delete(_ keys: ArraySlice<RowKey>, on connection: borrowing Connection) throws -> Deletion {
    guard let first = keys.first, let last = keys.last else {
      return Deletion(locked: 0, deleted: 0, bytes: 0, time: .zero)
    }
    var parameters: [String?] = [
      "\(first.relation)", Self.array(keys),
    ]
    var range = ""
    if facts.isPartitioned, let low = first.moment, let high = last.moment {
      // So that the planner leaves out partitions by range.
      range =
        " and t.\(column) >= $3::\(moment.rawValue) and t.\(column) <= $4::\(moment.rawValue)"
      parameters += [low, high]
    }
    let start = ContinuousClock.now
    // `is true` hides the condition from the planner, which would else take the index rather than so many places, and
    // read what earlier batches left dead.
    let isOwners = rights.owner != nil
    if isOwners { try rights.begin(on: connection) }
    let result = try rights.query(
      """
      with locked as materialized (
        select t.ctid as place from \(facts.name) as t
        where t.tableoid = $1::oid and t.ctid = any ($2::tid[])\(range) and (\(isOld)) is true
        for update of t skip locked
      ), deleted as (
        delete from \(facts.name) as t
        where t.tableoid = $1::oid and t.ctid = any (array(select place from locked))\(range)
        returning \(facts.width) as bytes
      )
      select (select count(*) from locked), count(*), coalesce(sum(bytes), 0)::bigint from deleted
      """, parameters, columns: "locked bigint, deleted bigint, bytes bigint", on: connection)
    if isOwners {
      try rights.settle(on: connection)
      try connection.execute("commit")
    }
    return Deletion(
      locked: result.integer(0, 0) ?? 0, deleted: Int64(result.integer(0, 1) ?? 0),
      bytes: Int64(result.integer(0, 2) ?? 0), time: ContinuousClock.now - start)
  }
}

extension RetentionPlan {
  var statements: RetentionStatements {
    RetentionStatements(rule: rule, facts: facts, column: column, moment: moment, cutoff: cutoff)
  }
}
