import Postgres
import Timekeeping

/// What the history says of jobs, as far as the role may see it.
enum JobSight: Sendable, Equatable {
  /// No job ever ran.
  case noTable
  case hidden(grants: String)
  case seen(JobFacts)

  static func look(_ context: HealthContext, on connection: borrowing Connection) throws(PostgresError)
    -> JobSight
  {
    switch try TableSight.look(history: "job_runs", for: context, on: connection) {
    case .missing: return .noTable
    case .hidden(let grants): return .hidden(grants: grants)
    case .readable: return .seen(try JobFacts(context, on: connection))
    }
  }

  /// What every check that needs the history says where it is hidden.
  static func hiddenProblem(_ grants: String, _ context: HealthContext) -> HealthProblem {
    HealthProblem(
      .unknown, "the records of maintenance may not be read by this role",
      detail: "The table is \(Quoting.identifier(context.schema, "job_runs")).", remedy: grants)
  }
}

struct JobFacts: Sendable, Equatable {
  /// One success of a job.
  struct Success: Sendable, Equatable {
    let rows: Int64
    let backlog: Int64?
  }

  var histories: [String: JobHistory] = [:]
  /// The two newest, the newest first.
  var successes: [String: [Success]] = [:]
  /// When any job first ran.
  var firstRun: UTCTime?

  init(histories: [String: JobHistory] = [:], successes: [String: [Success]] = [:], firstRun: UTCTime? = nil)
  {
    self.histories = histories
    self.successes = successes
    self.firstRun = firstRun
  }

  init(_ context: HealthContext, on connection: borrowing Connection) throws(PostgresError) {
    let records = JobRecords(
      table: JobRunTable(schema: context.schema),
      caller: JobCaller(trigger: "hand", host: "", processID: 0, toolVersion: ""))
    let names = context.jobs.map(\.name)
    histories = try records.histories(of: names, on: connection)
    let table = records.table.name
    let result = try connection.query(
      """
      select j.name, s.row_count, s.backlog from unnest($1::text[]) as j (name) cross join lateral (
        select id, row_count, backlog from \(table) as r
        where r.job = j.name and r.outcome in ('ok', 'partial') order by r.id desc limit 2) as s
      order by j.name, s.id desc
      """, [Quoting.textArray(names)])
    for row in 0..<result.rowCount {
      successes[result.text(row, 0), default: []].append(
        Success(rows: Int64(result.text(row, 1)) ?? 0, backlog: result[row, 2].flatMap { Int64($0) }))
    }
    let first = try connection.query(
      "select floor(extract(epoch from started_at))::bigint from \(table) order by id limit 1")
    firstRun = first[0, 0].flatMap { Int64($0) }.map { UTCTime(secondsSince1970: $0) }
  }
}

extension HealthContext {
  /// Seconds between two slots of a job's schedule; at least a minute.
  func periodSeconds(_ job: JobDefinition) -> Int64 { max(60, period(job.schedule).wholeSeconds) }
}
