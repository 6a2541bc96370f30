import Postgres
import Timekeeping

/// Which jobs pg_cron can take over, as one statement each.
///
/// pg_cron runs a command in one transaction unless it is a single statement, so VACUUM has to stand alone, and it
/// cannot run programs. A run of its own says that a statement raised no error, and not that the work is done.
public struct PgCronPlan: Sendable, Equatable {
  /// By name.
  public let wanted: [PgCronJob]
  /// Names of jobs in `tsdb.yaml` that are in ``wanted``, and are to be disabled there.
  public let taken: [String]
  /// Jobs that stay with `tsdb maintain`, with the reason.
  public let left: [Left]
  /// One sentence each.
  public let notes: [String]

  public struct Left: Sendable, Equatable, Encodable {
    public let job: String
    public let reason: String
  }

  /// What a table of a rule of retention looks like.
  public struct ExpiringTable: Sendable, Equatable {
    public let rule: RetentionRule
    /// Quoted and qualified; nil where there is no such table or column.
    public let name: String?
    public let isPartitioned: Bool
    public let hasIndex: Bool
    /// Whether the role may delete from it.
    public let mayDelete: Bool
    /// Of the column, as `format_type` writes it.
    public let type: String
    /// Why the rule's condition cannot be used.
    public let problem: String?

    public init(
      rule: RetentionRule, name: String?, isPartitioned: Bool, hasIndex: Bool, mayDelete: Bool = true,
      type: String = "timestamp with time zone", problem: String? = nil
    ) {
      self.type = type
      self.problem = problem
      self.rule = rule
      self.name = name
      self.isPartitioned = isPartitioned
      self.hasIndex = hasIndex
      self.mayDelete = mayDelete
    }
  }

  /// What the plan is made from besides the jobs.
  public struct Relations: Sendable {
    public var views: [MaterializedView]
    public var tables: [VacuumFacts]
    public var expiring: [ExpiringTable]
    /// As `server_version_num`.
    public var serverVersion: Int

    public init(
      views: [MaterializedView] = [], tables: [VacuumFacts] = [], expiring: [ExpiringTable] = [],
      serverVersion: Int
    ) {
      self.views = views
      self.tables = tables
      self.expiring = expiring
      self.serverVersion = serverVersion
    }
  }

  /// What all names of an entry's jobs begin with.
  public static func prefix(_ name: String) -> String { "tsdb \(name) " }

  /// - Throws: ``MaintenanceError`` where pg_cron cannot keep the schedules.
  public init(
    name: String, jobs: [JobDefinition], zone: TimeZoneRules, facts: PgCronFacts, relations: Relations
  ) throws(MaintenanceError) {
    try facts.requireUsable()
    try Self.checkZone(zone.name, facts)
    var (wanted, taken, left) = ([PgCronJob](), [String](), [Left]())
    var notes: [String] = []
    for job in jobs where job.isEnabled {
      guard let schedule = Self.fields(job.schedule) else {
        left.append(
          Left(job: job.name, reason: "five fields cannot say \"\(Self.text(job.schedule))\""))
        continue
      }
      switch Self.statements(job.work, relations) {
      case .failure(let reason): left.append(Left(job: job.name, reason: reason.text))
      case .success(let statements) where statements.isEmpty:
        left.append(Left(job: job.name, reason: "there is no relation for it"))
      case .success(let statements):
        taken.append(job.name)
        wanted += statements.map {
          PgCronJob(
            name: Self.shortened(Self.prefix(name) + "\(job.name) \($0.object)"), schedule: schedule,
            command: $0.sql)
        }
        notes += statements.compactMap(\.note)
        if !job.onlyAfter.isEmpty {
          notes.append("\(job.name): pg_cron knows no order, so only_after does not hold there")
        }
      }
    }
    if !wanted.isEmpty {
      wanted.append(
        PgCronJob(
          name: Self.prefix(name) + "purge", schedule: "17 4 * * *",
          command: "delete from cron.job_run_details where coalesce(end_time, start_time) < "
            + "now() - interval '14 days'"))
      notes.append(
        "statements of pg_cron do not give way: a limit helps, such as alter role "
          + "\(Quoting.identifier(facts.role)) in database \(Quoting.identifier(facts.database)) set "
          + "lock_timeout = '2s'")
    }
    if !facts.foreignJobs.isEmpty {
      notes.append(
        "other roles have jobs of the same entry, which are not touched: "
          + facts.foreignJobs.joined(separator: ", "))
    }
    self.wanted = wanted.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    self.taken = taken
    self.left = left
    self.notes = notes
  }

  private static let utcNames: Set = ["UTC", "GMT", "ETC/UTC", "ETC/GMT", "ZULU"]

  /// Before 1.5, `cron.timezone` is not known to pg_cron and changes nothing.
  private static func checkZone(_ zone: String, _ facts: PgCronFacts) throws(MaintenanceError) {
    let theirs = facts.timezone ?? "GMT"
    if theirs == zone || (utcNames.contains(theirs.uppercased()) && utcNames.contains(zone.uppercased())) {
      return
    }
    let knowsZones = facts.timezone != nil
    throw MaintenanceError(
      .failed, "the schedules are in \(zone), but pg_cron runs in \(theirs)",
      detail: knowsZones
        ? nil : "pg_cron \(facts.version ?? "") does not show a setting cron.timezone, which came with 1.5.",
      hint: knowsZones
        ? "set cron.timezone = '\(zone)' and restart the server, or keep the schedules in UTC"
        : "keep the schedules in UTC, or use --cron or --systemd")
  }

  private static func text(_ schedule: JobSchedule) -> String {
    switch schedule {
    case .cron(let expression): expression.text
    case .every(let span): "every \(span.spanText)"
    }
  }

  /// The five fields of a schedule; nil where they cannot express it.
  public static func fields(_ schedule: JobSchedule) -> String? {
    switch schedule {
    case .cron(let expression): return expression.text.lowercased()
    case .every(let span):
      let seconds = span.wholeSeconds
      guard seconds >= 60, seconds % 60 == 0 else { return nil }
      let minutes = seconds / 60
      if minutes == 1 { return "* * * * *" }
      if minutes < 60 { return 60 % minutes == 0 ? "*/\(minutes) * * * *" : nil }
      guard minutes % 60 == 0 else { return nil }
      let hours = minutes / 60
      if hours == 1 { return "0 * * * *" }
      if hours < 24 { return 24 % hours == 0 ? "0 */\(hours) * * *" : nil }
      // Multiples since 1970-01-01, which was a Thursday.
      return hours == 24 ? "0 0 * * *" : hours == 168 ? "0 0 * * 4" : nil
    }
  }

  private struct Statement {
    let object: String
    let sql: String
    var note: String?
  }

  private struct Reason: Error { let text: String }

  private static func statements(
    _ work: JobWork, _ relations: Relations
  ) -> Result<[Statement], Reason> {
    switch work {
    case .refreshViews(let selection): return .success(refreshes(selection, relations.views))
    case .vacuum(let selection, let analyze):
      return .success(
        vacuumed(selection, relations.tables).map {
          let sql = VacuumStatement.vacuum($0.label, analyze: analyze, serverVersion: relations.serverVersion)
          return Statement(object: $0.label, sql: sql)
        })
    case .analyze(let selection):
      return .success(
        vacuumed(selection, relations.tables, withPartitioned: true).map {
          Statement(object: $0.label, sql: VacuumStatement.analyze($0.label))
        })
    case .retention(let rules): return deletes(rules, relations.expiring)
    case .partitions: return .failure(Reason(text: "making and dropping partitions takes several statements"))
    case .indexes: return .failure(Reason(text: "a failed rebuild has to be looked after"))
    case .backup, .check, .command: return .failure(Reason(text: "pg_cron cannot run a program"))
    case .sql: return .failure(Reason(text: "a file is read by tsdb maintain"))
    }
  }

  private static func refreshes(_ selection: RelationSelection, _ views: [MaterializedView]) -> [Statement] {
    let steps = RefreshPlan(selection, of: views).steps
    let refreshed = Set(steps.map(\.view.oid))
    return steps.map { step in
      let isConcurrent = if case .concurrently = step.mode { true } else { false }
      let readsOthers = !step.view.reads.isDisjoint(with: refreshed.subtracting([step.view.oid]))
      return Statement(
        object: step.view.label,
        sql: "refresh materialized view \(isConcurrent ? "concurrently " : "")\(step.view.label)",
        note: readsOthers
          ? "\(step.view.label) reads other materialized views, and pg_cron refreshes all at the same time"
          : isConcurrent ? nil : "\(step.view.label) is refreshed plainly, for \(step.reason ?? "")")
    }
  }

  private static func vacuumed(
    _ selection: RelationSelection, _ tables: [VacuumFacts], withPartitioned: Bool = false
  ) -> [VacuumFacts] {
    tables.filter {
      $0.mayVacuum && (withPartitioned || !$0.isPartitioned)
        && selection.selects(schema: $0.schema, name: $0.name)
    }
  }

  private static func deletes(
    _ rules: [RetentionRule], _ tables: [ExpiringTable]
  ) -> Result<[Statement], Reason> {
    var statements: [Statement] = []
    for rule in rules {
      guard let table = tables.first(where: { $0.rule == rule }), let name = table.name else {
        return .failure(Reason(text: "there is no \(rule.table) with a column \(rule.column)"))
      }
      if table.isPartitioned {
        return .failure(
          Reason(text: "\(rule.table) is partitioned, and rows of several tables are not one batch"))
      }
      if !table.mayDelete { return .failure(Reason(text: "the role may not delete from \(rule.table)")) }
      if !table.hasIndex, !rule.allowsSequentialScan {
        return .failure(Reason(text: "\(rule.table) has no index that begins with \(rule.column)"))
      }
      if rule.needsBackup != nil {
        return .failure(
          Reason(text: "\(rule.table) needs a verified backup first, which pg_cron cannot look for"))
      }
      if let problem = table.problem { return .failure(Reason(text: problem)) }
      guard let cutoff = cutoff(rule, table.type) else {
        return .failure(Reason(text: "\(rule.column) of \(rule.table) is of type \(table.type)"))
      }
      let column = Quoting.identifier(rule.column)
      let condition = rule.condition.map { " and (\($0)\n)" } ?? ""
      statements.append(
        Statement(
          object: name,
          sql: """
            delete from \(name) where ctid = any (array(select ctid from \(name) where \(column) < \
            \(cutoff)\(condition) order by \(column) \
            limit \(rule.maxRows) for update skip locked))
            """,
          note: "\(name): at most \(rule.maxRows) rows go in each run of pg_cron"))
    }
    return .success(statements)
  }

  /// The same moment as `tsdb maintain` counts from: without a zone it is UTC, and a date is old when the whole day is.
  private static func cutoff(_ rule: RetentionRule, _ type: String) -> String? {
    let span = "interval '\(rule.keep.wholeSeconds) seconds'"
    switch RetentionFacts.Moment(rawValue: type) {
    case .timestamptz: return "now() - \(span)"
    case .timestamp: return "(now() at time zone 'UTC') - \(span)"
    case .date: return "((now() at time zone 'UTC') - \(span))::date"
    case nil: return nil
    }
  }

  /// Names of some versions hold 63 bytes, and cut what is longer without a word.
  static func shortened(_ name: String) -> String {
    guard name.utf8.count > 63 else { return name }
    var hash: UInt32 = 0x811c_9dc5
    for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    var bytes = Array(name.utf8.prefix(53))
    while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self) + "~" + String(hash, radix: 16)
  }
}

extension PgCronPlan.Relations {
  /// Reads what the plan for these jobs needs, from catalogues that every role may read.
  public static func read(
    for jobs: [JobDefinition], on connection: borrowing Connection
  ) throws(PostgresError) -> PgCronPlan.Relations {
    var relations = PgCronPlan.Relations(serverVersion: connection.serverVersion)
    for job in jobs where job.isEnabled {
      switch job.work {
      case .refreshViews(let selection):
        // Details of the views of several jobs: the last to read one wins, and both read the same.
        let read = try MaterializedViewReader.read(selection, on: connection)
        if relations.views.isEmpty {
          relations.views = read
        } else {
          for (index, view) in read.enumerated()
          where selection.selects(schema: view.schema, name: view.name)
            && relations.views.indices.contains(index)
          {
            relations.views[index] = view
          }
        }
      case .vacuum, .analyze:
        if relations.tables.isEmpty { relations.tables = try VacuumFactsReader.read(on: connection) }
      case .retention(let rules):
        for rule in rules { relations.expiring.append(try table(rule, on: connection)) }
      default: break
      }
    }
    return relations
  }

  /// Why the condition cannot be used: what closes a parenthesis that it did not open would leave the cutoff aside.
  private static func problem(
    _ rule: RetentionRule, _ name: String, on connection: borrowing Connection
  ) throws(PostgresError) -> String? {
    guard let condition = rule.condition else { return nil }
    let isNested = connection.isInTransaction
    if isNested { try connection.execute("savepoint condition") }
    do throws(PostgresError) {
      _ = try connection.query(RetentionPlan.probe(condition, name)).rowCount
    } catch {
      guard error.origin == .server else { throw error }
      if isNested { try connection.execute("rollback to savepoint condition") }
      return "the condition of the rule for \(rule.table) cannot be used: \(error.message)"
    }
    return nil
  }

  private static func table(
    _ rule: RetentionRule, on connection: borrowing Connection
  ) throws(PostgresError) -> PgCronPlan.ExpiringTable {
    let parts = rule.table.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(
      String.init)
    let result = try connection.query(
      """
      select pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind = 'p',
        exists (select from pg_catalog.pg_index as i where i.indrelid = c.oid and i.indisvalid
          and i.indpred is null and i.indkey[0] = a.attnum),
        pg_catalog.has_table_privilege(c.oid, 'DELETE') and pg_catalog.has_table_privilege(c.oid, 'SELECT')
          and pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'),
        pg_catalog.format_type(a.atttypid, null)
      from pg_catalog.pg_class as c
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = $3 and a.attnum > 0
        and not a.attisdropped
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')
      """, [parts[0], parts.count > 1 ? parts[1] : "", rule.column])
    guard result.rowCount == 1 else {
      return PgCronPlan.ExpiringTable(rule: rule, name: nil, isPartitioned: false, hasIndex: false)
    }
    return PgCronPlan.ExpiringTable(
      rule: rule, name: result.text(0, 0), isPartitioned: result.isTrue(0, 1), hasIndex: result.isTrue(0, 2),
      mayDelete: result.isTrue(0, 3), type: result.text(0, 4),
      problem: try problem(rule, result.text(0, 0), on: connection))
  }
}
