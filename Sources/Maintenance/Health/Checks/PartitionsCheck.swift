import Postgres
import Timekeeping

/// Partitions of time: there for the rows to come, and none half detached.
enum PartitionsCheck: HealthCheck {
  static let defaultRows = HealthThreshold(
    "default-rows", "rows in a DEFAULT partition (counted up to the critical limit)", warning: 0,
    critical: 10_000)
  static let description = HealthCheckDescription(
    "partitions",
    looksAt:
      "tables of jobs of kind partitions: partitions ready ahead, overdue for dropping, rows in DEFAULT, interrupted detaches",
    rights: "select on DEFAULT partitions", thresholds: [defaultRows])

  struct Partition: Sendable, Equatable {
    let label: String
    var isDefault = false
    var isDetachPending = false
    /// nil for no limit, and for a key that is no time.
    var start: UTCTime?
    var end: UTCTime?
  }

  struct Table: Sendable, Equatable {
    var isPartitioned = true
    var partitions: [Partition]
    /// nil where there is no DEFAULT partition.
    var defaultRows: HealthReading<Int64>?
  }

  struct Rule: Sendable, Equatable {
    let job: String
    let rule: PartitionRule
    let table: HealthReading<Table>
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [Rule] {
    var rules: [Rule] = []
    for job in context.jobs {
      guard case .partitions(let list) = job.work else { continue }
      for rule in list {
        let table = try HealthReading<Table>(on: connection) { (connection) throws(PostgresError) in
          try read(HealthRelation(rule.table), context, on: connection)
        }
        rules.append(Rule(job: job.name, rule: rule, table: table))
      }
    }
    return rules
  }

  private static func read(
    _ relation: HealthRelation, _ context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> HealthReading<Table> {
    let table = try connection.query(
      """
      select c.oid, c.relkind = 'p' from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')
      """, [relation.schema, relation.name])
    guard table.rowCount > 0 else { return .missing }
    let result = try connection.query(
      """
      select format('%I.%I', n.nspname, c.relname), b.bound = 'DEFAULT', i.inhdetachpending,
        case when b.low ~ '^\\d{4,}-\\d\\d-\\d\\d' then floor(extract(epoch from b.low::timestamptz))::bigint end,
        case when b.high ~ '^\\d{4,}-\\d\\d-\\d\\d' then floor(extract(epoch from b.high::timestamptz))::bigint end,
        n.nspname, c.relname
      from pg_inherits as i join pg_class as c on c.oid = i.inhrelid join pg_namespace as n on n.oid = c.relnamespace
      cross join lateral (select pg_get_expr(c.relpartbound, c.oid) as bound,
        substring(pg_get_expr(c.relpartbound, c.oid) from 'FROM \\(''([^'']*)''\\)') as low,
        substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([^'']*)''\\)') as high) as b
      where i.inhparent = $1::oid order by 4, 1
      """, [table[0, 0]])
    func time(_ row: Int, _ column: Int) -> UTCTime? {
      result[row, column].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
    }
    var read = Table(isPartitioned: table.isTrue(0, 1), partitions: [])
    for row in 0..<result.rowCount {
      read.partitions.append(
        Partition(
          label: result.text(row, 0), isDefault: result.isTrue(row, 1),
          isDetachPending: result.isTrue(row, 2),
          start: time(row, 3), end: time(row, 4)))
      if result.isTrue(row, 1) {
        let relation = HealthRelation("\(result.text(row, 5)).\(result.text(row, 6))")
        read.defaultRows = try HealthReading(on: connection) { (connection) throws(PostgresError) in
          try count(relation, context, on: connection)
        }
      }
    }
    return .read(read)
  }

  private static func count(
    _ relation: HealthRelation, _ context: HealthContext, on connection: borrowing Connection
  ) throws(PostgresError) -> HealthReading<Int64> {
    switch try TableSight.look(relation, for: context, on: connection) {
    case .missing: return .missing
    case .hidden(let grants): return .hidden(grants: grants)
    case .readable: break
    }
    let limit = context.limit(defaultRows)
    let most = Int64(max(limit.warning ?? 0, limit.critical ?? 0)) + 1
    let rows = try connection.query(
      "select count(*) from (select from \(relation.quoted) limit \(most)) as r")
    return .read(Int64(rows.text(0, 0)) ?? 0)
  }

  static func verdict(_ rules: [Rule], _ context: HealthContext) -> HealthFinding {
    var problems: [HealthProblem] = []
    var (ahead, rows): (Int?, Int64) = (nil, 0)
    for rule in rules {
      let subject = "table \(rule.rule.table)"
      if let problem = rule.table.problem(subject) { problems.append(problem) }
      guard case .read(let table) = rule.table else { continue }
      guard table.isPartitioned else {
        problems.append(
          HealthProblem(
            .warning, "\(subject) is not partitioned",
            remedy: "take it out of the job \"\(rule.job)\" in tsdb.yaml"))
        continue
      }
      let ready = Self.ready(table.partitions, now: context.now)
      ahead = min(ahead ?? .max, ready ?? 0)
      problems += Self.problems(rule, table, ready, context)
      if case .read(let count)? = table.defaultRows { rows += count }
    }
    let limit = context.limit(defaultRows)
    return HealthFinding(
      name, problems: problems, several: "problems of partitions",
      fine: rules.isEmpty ? "no partitioned tables are configured" : "partitions are ready",
      performance: (ahead.map { [PerformanceData("partitions_ahead", Double($0))] } ?? [])
        + (rules.isEmpty ? [] : [limit.performance(Double(rows))]))
  }

  private static func problems(_ rule: Rule, _ table: Table, _ ready: Int?, _ context: HealthContext)
    -> [HealthProblem]
  {
    let subject = "table \(rule.rule.table)"
    var problems: [HealthProblem] = []
    if let ready, ready < rule.rule.ahead {
      problems.append(
        HealthProblem(
          ready == 0 ? .critical : .warning,
          "\(subject) has \(ready) of \(rule.rule.ahead) partitions ready ahead",
          remedy: "tsdb maintain \(rule.job)"))
    } else if ready == nil {
      problems.append(
        HealthProblem(
          .critical, "\(subject) has no partition for the present",
          detail: table.defaultRows == nil ? "Rows of now are refused." : "Rows of now go into DEFAULT.",
          remedy: "tsdb maintain \(rule.job)"))
    }
    if let keep = rule.rule.keep {
      // Three days, so that a nightly job may fail once.
      let limit = context.now + -(keep.wholeSeconds + 3 * 86_400)
      let overdue = table.partitions.filter { $0.end.map { $0 < limit } ?? false }
      if let first = overdue.first {
        problems.append(
          HealthProblem(
            .warning,
            "\(HealthText.count(Int64(overdue.count), "partition", "partitions")) of \(rule.rule.table) should have been dropped",
            detail: "The oldest is \(first.label); \(HealthText.span(keep.wholeSeconds)) are kept.",
            remedy: "tsdb maintain \(rule.job)"))
      }
    }
    for partition in table.partitions where partition.isDetachPending {
      problems.append(
        HealthProblem(
          .warning, "the detach of \(partition.label) from \(rule.rule.table) was interrupted",
          remedy:
            "alter table \(HealthRelation(rule.rule.table).quoted) detach partition \(partition.label) finalize;"
        ))
    }
    guard let reading = table.defaultRows else { return problems }
    let label = table.partitions.first { $0.isDefault }?.label ?? ""
    if let problem = reading.problem("DEFAULT partition \(label)") { problems.append(problem) }
    let limit = context.limit(defaultRows)
    if case .read(let count) = reading, limit.status(of: Double(count)) != .ok {
      let most = Int64(max(limit.warning ?? 0, limit.critical ?? 0))
      problems.append(
        HealthProblem(
          limit.status(of: Double(count)),
          "\(count > most ? "more than \(most) rows" : HealthText.count(count, "row", "rows")) in DEFAULT partition \(label)",
          detail: "A partition for their time cannot be made while they are there.",
          remedy: "tsdb maintain \(rule.job)"))
    }
    return problems
  }

  /// How many partitions follow the present one without a gap; nil where there is none for the present.
  static func ready(_ partitions: [Partition], now: UTCTime) -> Int? {
    let usable = partitions.filter {
      !$0.isDefault && !$0.isDetachPending && ($0.start != nil || $0.end != nil)
    }
    .sorted { ($0.start?.secondsSince1970 ?? .min) < ($1.start?.secondsSince1970 ?? .min) }
    let isCurrent = { (partition: Partition) in
      partition.start.map { $0 <= now } ?? true && partition.end.map { now < $0 } ?? true
    }
    guard let current = usable.firstIndex(where: isCurrent) else { return nil }
    var (count, end) = (0, usable[current].end)
    for partition in usable[(current + 1)...] {
      guard let start = partition.start, start == end else { break }
      count += 1
      end = partition.end
    }
    return count
  }
}
