import Archive
import Postgres
import Synchronization

/// Restores an archive into a database that did not exist before.
///
/// The new database is marked until it is finished and compared; when the restore fails it is dropped,
/// and when the process dies the next restore drops it. No other database is touched.
public struct RestoreRun: Sendable {
  public let source: RestoreSource
  /// Of the server; the database in it is the one that the new one is named after.
  public let settings: ConnectionSettings
  public let options: RestoreOptions
  public let report: RestoreReporter

  public init(
    source: RestoreSource, settings: ConnectionSettings, options: RestoreOptions,
    report: @escaping RestoreReporter
  ) {
    self.source = source
    self.settings = settings
    self.options = options
    self.report = report
  }

  /// Restores.
  ///
  /// - Throws: ``BackupError``; its detail says what became of the new database.
  public func run() async throws -> RestoreReport {
    let clock = RestoreClock()
    let prepared = try await RestorePreparation(run: self, clock: clock).perform()
    if options.isDryRun {
      await prepared.control.close()
      return dryRun(prepared, clock)
    }
    do {
      let result = try await restore(prepared, clock)
      await prepared.control.close()
      return result
    } catch {
      await prepared.control.close()
      throw error
    }
  }

  private func restore(_ prepared: RestorePreparation.Prepared, _ clock: RestoreClock) async throws
    -> RestoreReport
  {
    report(.phase(.create))
    let database: RestoreDatabase
    do {
      database = try await clock.measure(.create) {
        if options.createsMissingRoles { try await createRoles(prepared) }
        return try await RestoreDatabase.make(
          prepared.name, like: prepared.database, source: source.name, on: prepared.control)
      }
    } catch let left as RestoreDatabase.Left {
      throw RestoreFailure.finish(
        left.after,
        outcome:
          "An unfinished database may have been left, \(left.names.map { "\"\($0)\"" }.joined(separator: " or ")); "
          + "the next restore on this server drops it.",
        isCancelled: Task.isCancelled)
    } catch {
      throw RestoreFailure.finish(
        error, outcome: "Nothing was changed.", isCancelled: Task.isCancelled)
    }
    do {
      return try await fill(database, prepared, clock)
    } catch {
      let isCancelled = Task.isCancelled
      // The clean-up runs in a task of its own, which nobody has cancelled.
      let outcome = await Task { await database.abandon(keeping: options.keepsFailed) }.value
      throw RestoreFailure.finish(error, outcome: outcome, isCancelled: isCancelled)
    }
  }

  private func dryRun(_ prepared: RestorePreparation.Prepared, _ clock: RestoreClock) -> RestoreReport {
    RestoreReport(
      database: prepared.name, source: source.name, stateOf: source.manifest?.snapshot.time,
      tables: prepared.plan.tables.count, rows: source.manifest?.totalRows ?? 0,
      bytes: prepared.plan.tables.reduce(0) { $0 + $1.bytes }, phases: clock.phases,
      milliseconds: clock.milliseconds, checked: options.check.rawValue, notes: prepared.notes,
      leftOut: prepared.plan.leftOut.map { source.toc.entries[$0].label },
      removedLeftovers: prepared.removedLeftovers)
  }

  private func createRoles(_ prepared: RestorePreparation.Prepared) async throws {
    for role in prepared.missingRoles {
      try await prepared.control.run { try $0.execute("create role \(Quoting.identifier(role)) nologin") }
      report(.note("made role \"\(role)\", which may not log in"))
    }
  }

  private func fill(
    _ database: RestoreDatabase, _ prepared: RestorePreparation.Prepared, _ clock: RestoreClock
  ) async throws -> RestoreReport {
    var target = prepared.settings
    target["dbname"] = database.name
    let script = prepared.script
    let isOurs = source.manifest != nil
    let statements = prepared.plan.databaseStatements(source.toc, for: database.name)
    var notes = prepared.notes
    notes += try await database.run(statements.settings, encoding: script.encoding)
    let pool = RestorePool(
      sessions: (0..<max(1, options.jobs)).map { _ in Session(target, applicationName: "tsdb restore") })
    do {
      for session in pool.sessions {
        try await session.run { try RestoreSettings.apply(script, isOurs: isOurs, on: $0) }
      }
      let work = RestoreWork(
        source: source, plan: prepared.plan, script: script, clock: clock,
        isCompared: options.check == .content, report: report)
      try await perform(work, pool)
      notes += try await analyze(pool, clock)
      if options.check == .content {
        report(.phase(.check))
        let check = ContentCheck(work: work, pool: pool, options: options)
        try await clock.measure(.check) { [target] in try await check.run(database: target) }
      }
      await pool.close()
      try Task.checkCancellation()
      report(.phase(.finish))
      notes += try await clock.measure(.finish) { try await finish(database, prepared, statements) }
      return summary(database, prepared, work, clock, notes: notes, leftOut: statements.unknown)
    } catch {
      await pool.close()
      throw error
    }
  }

  private func perform(_ work: RestoreWork, _ pool: RestorePool) async throws {
    guard let first = pool.sessions.first else { return }
    try await work.runSerially(work.plan.preData, .preData, on: first)
    try await work.runParallel(work.plan.parallel, in: pool)
    if !work.plan.privileges.isEmpty {
      try await work.runSerially(work.plan.privileges, .privileges, on: first)
    }
    if !work.plan.late.isEmpty { try await work.runParallel(work.plan.late, in: pool, late: true) }
  }

  /// - Returns: what could not be analysed.
  private func analyze(_ pool: RestorePool, _ clock: RestoreClock) async throws -> [String] {
    guard options.analyzes, options.selection.contents != .schema, let first = pool.sessions.first else {
      return []
    }
    report(.phase(.analyze))
    return try await clock.measure(.analyze) {
      let tables = try await first.run { connection in
        // A partitioned table takes its partitions along.
        let rows = try connection.execute(
          """
          select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
          from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'm') and not c.relispartition and c.relpersistence <> 't'
            and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
          order by pg_catalog.pg_total_relation_size(c.oid) desc
          """)
        return (0..<rows.rowCount).compactMap { rows.bytes($0, 0) }
      }
      let notes = Mutex<[String]>([])
      try await pool.forEach(tables) { table, session in
        do {
          try await session.run { try $0.execute(Array("analyze ".utf8) + table) }
        } catch let error as PostgresError where error.origin == .server && !error.isCancellation {
          notes.withLock {
            $0.append("\(String(decoding: table, as: UTF8.self)) was not analysed: \(error.message)")
          }
        }
      }
      return notes.withLock { $0 }
    }
  }

  /// - Returns: what the server refused.
  private func finish(
    _ database: RestoreDatabase, _ prepared: RestorePreparation.Prepared, _ statements: DatabaseStatements
  ) async throws -> [String] {
    let encoding = prepared.script.encoding
    switch options.target {
    case .beside:
      // It takes the live one's properties when it is swapped in; until then its comment says what it is.
      let mark = RestoreMark(
        state: .finished, source: source.name, time: source.manifest?.snapshot.time ?? "unknown",
        runner: database.mark.runner, oid: database.mark.oid)
      return try await database.finish(owner: nil, [], encoding: encoding, comment: mark.text)
    case .new:
      return try await database.finish(
        owner: ownerStatement(database), options.isWhole ? statements.properties : [], encoding: encoding,
        comment: nil)
    }
  }

  private func ownerStatement(_ database: RestoreDatabase) -> [UInt8]? {
    guard options.selection.includesOwners, options.isWhole,
      let owner = source.toc.entries.first(where: { $0.kind == "DATABASE" })?.owner, !owner.isEmpty
    else { return nil }
    let quote = UInt8(ascii: "\"")
    return Array("ALTER DATABASE \(Quoting.identifier(database.name)) OWNER TO ".utf8) + [quote]
      + owner.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
  }

  private func summary(
    _ database: RestoreDatabase, _ prepared: RestorePreparation.Prepared, _ work: RestoreWork,
    _ clock: RestoreClock, notes: [String], leftOut: [String]
  ) -> RestoreReport {
    RestoreReport(
      database: database.name, source: source.name, stateOf: source.manifest?.snapshot.time,
      tables: prepared.plan.tables.count, rows: work.rows.load(ordering: .relaxed),
      bytes: prepared.plan.tables.reduce(0) { $0 + $1.bytes }, phases: clock.phases,
      milliseconds: clock.milliseconds, checked: options.check.rawValue, notes: notes,
      leftOut: prepared.plan.leftOut.map { source.toc.entries[$0].label } + leftOut,
      removedLeftovers: prepared.removedLeftovers)
  }
}
