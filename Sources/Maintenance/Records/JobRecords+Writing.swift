import FoundationEssentials
import Postgres
import Timekeeping

/// Reads and writes the runs of jobs. Each write is a transaction of its own and takes ROW EXCLUSIVE for a moment.
public struct JobRecords: Sendable {
  public let table: JobRunTable
  public let caller: JobCaller

  public init(table: JobRunTable, caller: JobCaller) {
    self.table = table
    self.caller = caller
  }

  /// Records that a run has begun.
  ///
  /// - Returns: the run's id.
  public func begin(
    _ job: JobDefinition, slot: UTCTime?, on connection: borrowing Connection
  ) throws(PostgresError) -> Int64 {
    let result = try connection.query(
      """
      insert into \(table.name) (job, kind, slot, outcome, triggered_by, host, process_id, tool_version)
      values ($1, $2, $3, 'running', $4, $5, $6, $7) returning id
      """,
      [
        job.name, job.work.kind, slot?.description, caller.trigger, caller.host, "\(caller.processID)",
        caller.toolVersion,
      ])
    return Int64(result.text(0, 0)) ?? 0
  }

  /// Records how a run has ended.
  public func end(_ id: Int64, _ result: JobResult, on connection: borrowing Connection) throws(PostgresError)
  {
    _ = try connection.query(
      """
      update \(table.name) set ended_at = clock_timestamp(), outcome = $2, reason = $3, hint = $4, sqlstate = $5,
        row_count = $6, byte_count = $7, waits = $8, yields = $9, backlog = $10, objects = $11::jsonb
      where id = $1 and outcome = 'running'
      """,
      [
        "\(id)", result.outcome.rawValue, result.reason, result.hint, result.sqlState, "\(result.rows)",
        "\(result.bytes)", "\(result.waits)", "\(result.yields)", result.backlog.map { "\($0)" },
        Self.json(result.objects),
      ])
  }

  /// Records that a job was due and not run.
  ///
  /// - Parameter time: of the server, when it was found that it cannot be run; nil for now.
  public func skip(
    _ job: JobDefinition, slot: UTCTime?, reason: String, at time: String? = nil,
    on connection: borrowing Connection
  ) throws(PostgresError) {
    _ = try connection.query(
      """
      insert into \(table.name) (job, kind, slot, outcome, reason, started_at, ended_at, triggered_by, host,
        process_id, tool_version)
      values ($1, $2, $3, 'skipped', $4, coalesce($9::timestamptz, clock_timestamp()), clock_timestamp(), $5, $6, $7, $8)
      """,
      [
        job.name, job.work.kind, slot?.description, reason, caller.trigger, caller.host,
        "\(caller.processID)", caller.toolVersion, time,
      ])
  }

  /// Marks runs of a job that never ended as failed; only for the holder of the job's lock.
  ///
  /// - Returns: when they had begun, the oldest first.
  public func failInterrupted(
    _ job: String, on connection: borrowing Connection
  ) throws(PostgresError) -> [String] {
    let result = try connection.query(
      """
      update \(table.name) set ended_at = clock_timestamp(), outcome = 'failed',
        reason = 'interrupted: its process ended before the run did'
      where job = $1 and outcome = 'running'
      returning to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      """, [job])
    return result.rows().compactMap { $0[0] }.sorted()
  }

  /// Removes rows that ended longer ago than `age`, but neither the newest success nor the newest run of a job; at
  /// most 10,000 at once.
  ///
  /// - Returns: how many.
  @discardableResult
  public func purge(olderThan age: Duration, on connection: borrowing Connection) throws(PostgresError) -> Int
  {
    let result = try onCatalogPath(connection) { (connection) throws(PostgresError) in
      try connection.query(
        """
        delete from \(table.name) as r where r.id = any (array(
          select o.id from \(table.name) as o
          where o.ended_at < clock_timestamp() - make_interval(secs => $1::double precision)
            and exists (select from \(table.name) as n where n.job = o.job and n.id > o.id
              and (n.outcome in ('ok', 'partial') or o.outcome not in ('ok', 'partial')))
          order by o.id limit 10000))
        """, ["\(age.wholeSeconds)"])
    }
    return result.commandTag.split(separator: " ").last.flatMap { Int($0) } ?? 0
  }

  private static func json(_ objects: [JobObject]) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Strings and numbers always encode.
    guard let data = try? encoder.encode(shortened(objects)) else { return "[]" }
    return String(decoding: data, as: UTF8.self)
  }

  /// Of thousands of relations that need nothing, a table of runs would grow to gigabytes.
  static let keptSkips = 200

  /// All that was done, and the first of what was left alone; how many more there were is said.
  static func shortened(_ objects: [JobObject]) -> [JobObject] {
    var skips = 0
    var kept = objects.filter { object in
      guard object.action == "skipped" else { return true }
      skips += 1
      return skips <= keptSkips
    }
    if skips > keptSkips {
      kept.append(JobObject("*", "skipped", detail: "and \(skips - keptSkips) more, which are not listed"))
    }
    return kept
  }
}
