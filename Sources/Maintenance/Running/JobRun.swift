import Postgres
import Timekeeping

/// One run of one job: takes the job's lock, looks again whether it is due, heals, does the work and records it.
public struct JobRun: Sendable {
  /// What came of it.
  public enum End: Sendable, Equatable {
    case ran(JobResult)
    /// Recorded as skipped; why.
    case skipped(String)
    /// Another process did the slot in the meantime, or failed at it and `retry` has not passed; nothing to record.
    case alreadyDone
  }

  public let job: JobDefinition
  /// nil when the job was asked for by name.
  public let slot: UTCTime?
  public let now: UTCTime
  public let settings: ConnectionSettings
  public let records: JobRecords
  public let gates: Gates
  public let report: JobReporter
  private let idleSession: Session?

  /// - Parameter idleSession: to the same database, by which ``JobRunTable/install(on:)`` was called, used for nothing else
  ///   until the run has ended: it becomes the watch.
  public init(
    job: JobDefinition, slot: UTCTime?, now: UTCTime, settings: ConnectionSettings, records: JobRecords,
    gates: Gates, idleSession: Session? = nil, report: @escaping JobReporter
  ) {
    self.idleSession = idleSession
    self.job = job
    self.slot = slot
    self.now = now
    self.settings = settings
    self.records = records
    self.gates = gates
    self.report = report
  }

  /// - Throws: ``MaintenanceError`` or `PostgresError` when no run could be recorded. What goes wrong in `body` is
  ///   recorded, and is the result.
  public func run(_ body: some JobBody) async throws -> End {
    let watch = JobWatch(settings: settings, session: idleSession)
    let work = PoliteConnection(
      settings: settings, watch: watch, activity: "tsdb/\(job.name)", lockTimeout: job.lockTimeout,
      report: report)
    do {
      let end = try await run(body, watch, work)
      await work.close()
      await watch.close()
      return end
    } catch {
      await work.close()
      await watch.close()
      throw error
    }
  }

  private func run(_ body: some JobBody, _ watch: JobWatch, _ work: PoliteConnection) async throws -> End {
    let (table, isInstalled) = (records.table, idleSession != nil)
    let serverVersion = try await work.run { connection in
      if !isInstalled { try table.isUsable(on: connection) }
      return connection.serverVersion
    }
    let lock = JobLock(schema: records.table.schema, job: job.name)
    let (records, job, slot) = (records, job, slot)
    if let time = try await watch.tryLock(lock) {
      // Whoever holds the lock may be on its way out.
      if let slot, try await isSettled(slot, work) { return .alreadyDone }
      let reason = "already running"
      try await work.run { try records.skip(job, slot: slot, reason: reason, at: time, on: $0) }
      return .skipped(reason)
    }
    if let slot, try await isSettled(slot, work) { return .alreadyDone }
    let id = try await work.run { [report] connection in
      for started in try records.failInterrupted(job.name, on: connection) {
        report(.healed("the run of \(started), whose process ended before it did, is recorded as failed"))
      }
      return try records.begin(job, slot: slot, on: connection)
    }
    let watching = Task { await watch.run() }
    do {
      let end = try await finish(body, id, serverVersion, watch, work)
      watching.cancel()
      await watching.value
      return end
    } catch {
      watching.cancel()
      await watching.value
      throw error
    }
  }

  /// Does the work of a run that has begun, watched, and records how it ended.
  private func finish(
    _ body: some JobBody, _ id: Int64, _ serverVersion: Int, _ watch: JobWatch, _ work: PoliteConnection
  ) async throws -> End {
    let records = records
    let context = JobContext(
      job: job, now: now, work: work, settings: settings, serverVersion: serverVersion,
      schema: records.table.schema, gates: gates, deadline: .now + job.budget, report: report)
    var result: JobResult
    do {
      result = try await body.run(context)
    } catch {
      result = Self.failure(error)
    }
    result.waits += work.waits
    result.yields += work.yields
    let final = result
    // Also in a task that is cancelled: a run that was interrupted is recorded so.
    do {
      try await work.run { try records.end(id, final, on: $0) }
    } catch let error as PostgresError where error.origin == .connectionLost {
      // Cut while it was idle, as by a firewall during a long backup; a new one can record as well.
      try await work.run { try records.end(id, final, on: $0) }
    }
    return .ran(final)
  }

  /// Whether another process did the slot since it was found due, or failed at it just now.
  private func isSettled(_ slot: UTCTime, _ work: PoliteConnection) async throws -> Bool {
    let (records, name) = (records, job.name)
    let history = try await work.run { try records.histories(of: [name], on: $0)[name] }
    // One that was asked for by hand in the meantime has done the slot as well.
    if let done = history?.lastSuccess, done.covers >= slot { return true }
    guard let run = history?.lastRun else { return false }
    return job.mustWait(after: run, for: slot, at: now)
  }

  static func failure(_ error: any Error) -> JobResult {
    switch error {
    case is CancellationError: JobResult(.failed, reason: "interrupted")
    case let error as PostgresError where error.isCancellation && Task.isCancelled:
      JobResult(.failed, reason: "interrupted")
    case let error as PostgresError:
      JobResult(
        .failed, reason: error.message, hint: error.hint,
        sqlState: error.sqlState.isEmpty ? nil : error.sqlState)
    case let error as MaintenanceError:
      JobResult(.failed, reason: error.message, hint: error.hint, sqlState: error.sqlState)
    default: JobResult(.failed, reason: "\(error)")
    }
  }
}

/// The settings of a maintenance session.
enum MaintenanceSession {
  /// Whether a session can run jobs at all.
  ///
  /// - Returns: whether the server runs on Linux.
  /// - Throws: ``MaintenanceError`` where a pooler stands between, or nothing can be written.
  static func require(_ connection: borrowing Connection) throws -> Bool {
    let facts = try connection.query(
      "select pg_backend_pid(), pg_is_in_recovery(), version() ~ 'linux'")
    guard facts.integer(0, 0) == connection.announcedProcessID else {
      throw MaintenanceError(
        .invalidInput, "a connection pooler stands between tsdb and the server",
        detail:
          "The lock of a job belongs to a session, and a pooler lends sessions to others. Nothing was run.",
        hint: "connect directly: name the server's own port in DATABASE_URL for tsdb maintain")
    }
    guard !facts.isTrue(0, 1) else {
      throw MaintenanceError(
        .failed, "the server is a read-only standby", detail: "Nothing was run.",
        hint: "connect to the primary; a URL with several hosts and target_session_attrs=primary finds it")
    }
    return facts.isTrue(0, 2)
  }

  /// - Returns: the settings that the session has now, as SQL.
  /// - Throws: ``MaintenanceError`` where a pooler stands between, or nothing can be written.
  @discardableResult
  static func prepare(_ connection: borrowing Connection, lockTimeout: Duration) throws -> String {
    let isLinux = try require(connection)
    var settings = [
      "set lock_timeout = \(max(1, lockTimeout.wholeMilliseconds))", "set statement_timeout = 0",
      "set idle_in_transaction_session_timeout = '60s'", "set client_min_messages = notice",
      "set default_transaction_read_only = off", "set search_path = pg_catalog, pg_temp",
      // Compiling a query of a large catalogue takes longer than the query.
      "set jit = off",
      // Sooner done with several processes, but the application's statements then find no processor free.
      "set max_parallel_workers_per_gather = 0", "set max_parallel_maintenance_workers = 0",
    ]
    // A killed tsdb must not leave its statement running and its locks held.
    // Source: PostgreSQL manual, client_connection_check_interval; Linux and others, from 14.
    if isLinux, connection.serverVersion >= 140_000 {
      settings.append("set client_connection_check_interval = '1s'")
    }
    // While a backup or a program runs, nothing is asked here for hours.
    if connection.serverVersion >= 140_000 { settings.append("set idle_session_timeout = 0") }
    if connection.serverVersion >= 170_000 { settings.append("set transaction_timeout = 0") }
    let text = settings.joined(separator: "; ")
    try connection.execute(text)
    return text
  }
}
