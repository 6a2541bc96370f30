import Checklists
import Deployments
import Maintenance
import Migrations
import Postgres
import Timekeeping

/// Reads what a report says of a database. Writes nothing.
public struct Report: Sendable {
  /// A file of evidence; nil for the newest of the project's deployments.
  public var evidence: String?
  /// Of this process: its secrets do not get into the report.
  public let environment: [String: String]
  public let now: UTCTime

  /// How much is read and kept, whatever there is.
  private enum Limit {
    static let calendarDays = 14
    static let runs = 50_000
    static let rows = 200
    static let failures = 50
    static let tables = 20
    static let problems = 20
  }

  public init(evidence: String? = nil, environment: [String: String], now: UTCTime = .now) {
    self.evidence = evidence
    self.environment = environment
    self.now = now
  }

  /// - Throws: `MigrationError` where the server cannot be reached, `ChecklistError` for evidence that cannot be read,
  ///   `MaintenanceError` for a time zone that the system does not know. Whatever else cannot be read is unknown.
  public func run(project: Project, settings: Postgres.ConnectionSettings) async throws -> ReportFacts {
    var settings = settings
    if settings["connect_timeout"] == nil { settings["connect_timeout"] = "5" }
    let clean = ReportCleaning(Redaction(settings: settings, environment: environment))
    let calendar = try JobCalendar(project.configuration)
    let session = Session(settings, applicationName: "tsdb report")
    let server: ReportServer
    do {
      let given = settings
      server = try await session.run { try ReportServer.read(on: $0, settings: given, clean: clean) }
    } catch let error as PostgresError {
      throw MigrationError.connecting(error)
    }
    do {
      let facts = try await read(project, settings, calendar, server, session, clean)
      await session.close()
      return facts
    } catch {
      await session.close()
      throw error
    }
  }

  private func read(
    _ project: Project, _ settings: Postgres.ConnectionSettings, _ calendar: JobCalendar,
    _ server: ReportServer,
    _ session: Session, _ clean: ReportCleaning
  ) async throws -> ReportFacts {
    let queries = ReportQueries(
      session: session, schema: project.configuration.historySchema, role: server.role.text, clean: clean)
    let checklist = try ReportEvidence(file: evidence, project: project).read(server: server, clean: clean)
    let access = DatabaseAccess(
      project: project, settings: settings, options: project.configuration.runOptions)
    let checks = await CheckOperation.all.run(project: project, settings: settings, now: now).findings
      .map { check($0, clean) }
    let context = HealthContext(
      now: now, jobs: calendar.jobs, schema: project.configuration.historySchema,
      period: { CheckOperation.period(of: $0, now: now, zone: calendar.zone) })
    let figures = ReportFigures(
      figures: try await HealthFigures.read(context, on: session), now: now, clean: clean, limit: Limit.rows)
    let deployments = await queries.deployments(limit: Limit.tables)
    let jobs = await jobs(access, calendar, queries)
    let tables = await queries.tables(limit: Limit.tables)
    let unused = await queries.unusedIndexes(limit: Limit.tables)
    let migrations = await migrations(access, queries)
    let judgement = ReportJudgement(
      checks: checks, checklist: checklist, deployments: deployments, migrations: migrations, jobs: jobs,
      unfinishedRollback: UnfinishedRollback.find(
        in: project, database: server.database.text, systemIdentifier: server.systemIdentifier)?.id,
      gaps: [tables.gap, unused.gap].compactMap { $0 }, clean: clean)
    return ReportFacts(
      tool: "tsdb \(Version.current)", time: now.description, timeZone: calendar.zone.name,
      verdict: judgement.verdict, server: server, checks: checks, checklist: checklist,
      deployments: deployments,
      migrations: migrations, backups: await backups(project, server, queries),
      jobs: jobs,
      views: figures.views(sizes: await queries.viewSizes()), retention: figures.retention, tables: tables,
      sequences: figures.sequences, indexes: figures.indexes(unused: unused), wraparound: figures.wraparound)
  }

  private func check(_ finding: HealthFinding, _ clean: ReportCleaning) -> ReportCheck {
    let problems = finding.problems.map {
      ReportProblem(
        status: $0.status, summary: clean($0.summary), detail: clean($0.detail), remedy: clean($0.remedy))
    }
    return ReportCheck(
      name: finding.check, subject: ReportSubject(check: finding.check), status: finding.status,
      summary: clean(finding.summary),
      problems: ReportList(problems, limit: Limit.problems))
  }

  private func migrations(_ access: DatabaseAccess, _ queries: ReportQueries) async -> ReportPart<
    ReportMigrations
  > {
    let log = await queries.migrationLog(limit: Limit.failures)
    // Without its rights the answer would be an error of some statement in between.
    if case .unknown(let gap) = log {
      let grants: ReportText = queries.clean(queries.grants)
      return .unknown(ReportGap(gap.reason, remedy: grants))
    }
    do {
      let status = try await MigrateStatus().run(access)
      let clean = queries.clean
      guard !status.migrations.isEmpty else { return .absent }
      let migrations = status.migrations.map {
        ReportMigrations.Migration(
          name: clean($0.name), state: $0.state, version: clean($0.version), applied: $0.appliedAt,
          appliedBy: clean($0.appliedBy), milliseconds: $0.milliseconds)
      }
      return .known(
        ReportMigrations(
          migrations: ReportList(migrations, limit: Limit.rows), log: log,
          counts: migrations.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }))
    } catch let error as MigrationError {
      let remedy = error.sqlState == "42501" ? queries.grants : error.hint
      return .unknown(ReportGap(queries.clean(error.summary), remedy: queries.clean(remedy)))
    } catch {
      return .unknown(queries.gap(error))
    }
  }

  private func backups(
    _ project: Project, _ server: ReportServer, _ queries: ReportQueries
  ) async -> ReportPart<ReportBackups> {
    let records = await queries.backupRecords(limit: Limit.rows)
    return ReportBackupReading(project: project, server: server, clean: queries.clean)
      .read(records.value?.records, gap: records.gap)
  }

  private func jobs(
    _ access: DatabaseAccess, _ calendar: JobCalendar, _ queries: ReportQueries
  ) async -> ReportPart<ReportJobs> {
    guard !calendar.jobs.isEmpty else { return .absent }
    let days = RunCalendar(days: Limit.calendarDays, now: now, zone: calendar.zone)
    let read = await queries.runs(since: days.start, limit: Limit.runs, failures: Limit.failures)
    if case .unknown(let gap) = read { return .unknown(gap) }
    let list = read.value ?? ReportQueries.RunList()
    do {
      let status = try await MaintainStatus().run(access, at: now)
      return .known(ReportJobs(status, list, calendar, days, clean: queries.clean, limit: Limit.rows))
    } catch let error as MaintenanceError {
      return .unknown(ReportGap(queries.clean(error.message), remedy: queries.clean(error.hint)))
    } catch {
      return .unknown(queries.gap(error))
    }
  }
}

extension ReportJobs {
  init(
    _ status: MaintainStatus.Result, _ list: ReportQueries.RunList, _ calendar: JobCalendar,
    _ days: RunCalendar,
    clean: ReportCleaning, limit: Int
  ) {
    let definitions = Dictionary(calendar.jobs.map { ($0.name, $0) }) { first, _ in first }
    let runs = Dictionary(grouping: list.runs, by: \.job)
    // What was not read is not missing.
    let oldestRead = list.unread > 0 ? list.runs.last?.started : nil
    let known = list.firstRun.map { max($0, oldestRead ?? $0) }
    var missing: [(name: ReportText, slots: [UTCTime])] = []
    let jobs = status.jobs.map { job -> Job in
      let name = clean(job.job)
      let line = definitions[job.job].map { days.line(of: $0, runs: runs[job.job] ?? [], knownSince: known) }
      missing += (line?.missing ?? []).map { (name, $0) }
      return Job(
        name: name, kind: job.kind, schedule: clean(job.schedule), state: job.state, next: job.next,
        lastSuccess: job.lastSuccess, lastRun: job.lastRun, lastOutcome: job.lastOutcome,
        lastReason: clean(job.lastReason), lastTrigger: clean(job.lastTrigger),
        medianMilliseconds: job.medianMilliseconds, days: line?.days ?? [],
        missing: line?.missing.reduce(0) { $0 + $1.count } ?? 0,
        isLatestMissing: line?.isLatestMissing ?? false)
    }
    let spans = missing.compactMap { name, slots in
      slots.first.flatMap { first in
        slots.last.map {
          MissingRuns(job: name, first: first.description, last: $0.description, count: slots.count)
        }
      }
    }.sorted { ($0.last, $0.job.text) > ($1.last, $1.job.text) }
    self.init(
      days: days.days, knownSince: known?.description, jobs: ReportList(jobs, limit: limit),
      missing: ReportList(spans, limit: limit), missingCount: spans.reduce(0) { $0 + $1.count },
      failures: ReportList(list.failures, omitted: list.failureCount - list.failures.count),
      unreadRuns: list.unread)
  }
}
