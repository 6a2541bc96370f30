import Archive
import Postgres
import Synchronization

/// Loads an archive's rows into a database that has the tables already.
///
/// Everything is one transaction on one connection: all of it is loaded, or nothing. Triggers fire and
/// constraints are checked as for any client.
public struct RestoreDataRun: Sendable {
  public let source: RestoreSource
  /// Of the database that is loaded.
  public let settings: ConnectionSettings
  public let options: RestoreOptions
  /// Loads although there are rows already.
  public let acceptsRows: Bool
  public let report: RestoreReporter

  public init(
    source: RestoreSource, settings: ConnectionSettings, options: RestoreOptions, acceptsRows: Bool,
    report: @escaping RestoreReporter
  ) {
    self.source = source
    self.settings = settings
    var options = options
    options.selection.contents = .data
    self.options = options
    self.acceptsRows = acceptsRows
    self.report = report
  }

  private struct Target: Sendable {
    let database: String
    let order: DataOrder
    let hasRows: Bool
  }

  /// - Throws: ``BackupError``; the database is then as it was.
  public func run() async throws -> RestoreReport {
    let clock = RestoreClock()
    let session = Session(settings, applicationName: "tsdb restore")
    do {
      let report = try await run(on: session, clock)
      await session.close()
      return report
    } catch {
      await session.close()
      throw RestoreFailure.finish(error, outcome: "Nothing was changed.", isCancelled: Task.isCancelled)
    }
  }

  private func run(on session: Session, _ clock: RestoreClock) async throws -> RestoreReport {
    let plan = try RestorePlan(
      source.toc, manifest: source.manifest, selection: options.selection, dataSizes: source.dataSizes)
    var script = RestoreScript.Options()
    script.noOwner = !options.selection.includesOwners
    script.noPrivileges = !options.selection.includesPrivileges
    let work = RestoreWork(
      source: source, plan: plan, script: try RestoreScript(source.toc, options: script), clock: clock,
      isCompared: options.check == .content, report: report)
    report(.phase(.verify))
    try await clock.measure(.verify) {
      try await source.verify(jobs: options.jobs) { [report] in
        report(.progress(.verify, done: $0.done, total: $0.total))
      }
    }
    report(.phase(.preflight))
    let target = try await clock.measure(.preflight) { try await prepare(work, on: session) }
    if options.isDryRun { return summary(work, target, clock) }
    try await session.run { connection in
      try connection.execute("set synchronous_commit to on")
      try connection.execute("begin; set constraints all deferred")
    }
    try await load(work, target, on: session)
    if options.check == .content, !target.hasRows {
      let check = ContentCheck(work: work, pool: RestorePool(sessions: [session]), options: options)
      report(.phase(.check))
      try await clock.measure(.check) { try await check.run(database: settings) }
    }
    try Task.checkCancellation()
    report(.phase(.finish))
    try await clock.measure(.finish) { try await session.run { _ = try $0.execute("commit") } }
    return summary(work, target, clock)
  }

  private func load(_ work: RestoreWork, _ target: Target, on session: Session) async throws {
    let plan = work.plan
    try await work.runSerially(plan.preData, .preData, on: session)
    report(.phase(.data))
    for table in target.order.tables {
      try Task.checkCancellation()
      try await work.loadWhole(table, on: session)
    }
    // Groups of large objects are made before their bytes come.
    for node in plan.parallel where node.work == .statement {
      try await work.runStatements(of: node.entry, on: session)
    }
    for node in plan.parallel where node.work == .largeObjects {
      try await work.loadLargeObjects(of: node.entry, on: session, isNested: true)
    }
    for index in plan.privileges { try await work.runStatements(of: index, on: session) }
  }

  private func summary(_ work: RestoreWork, _ target: Target, _ clock: RestoreClock) -> RestoreReport {
    RestoreReport(
      database: target.database, source: source.name, stateOf: source.manifest?.snapshot.time,
      tables: work.plan.tables.count, rows: work.rows.load(ordering: .relaxed),
      bytes: work.plan.tables.reduce(0) { $0 + $1.bytes }, phases: clock.phases,
      milliseconds: clock.milliseconds,
      checked: target.hasRows && options.check == .content
        ? RestoreCheck.counts.rawValue : options.check.rawValue,
      notes: target.hasRows && options.check == .content
        ? ["there were rows before, so only the number of new ones was compared"] : [],
      leftOut: work.plan.leftOut.map { source.toc.entries[$0].label }, removedLeftovers: [])
  }
}

// MARK: - Before anything is loaded

extension RestoreDataRun {
  private func prepare(_ work: RestoreWork, on session: Session) async throws -> Target {
    try await session.run { connection in
      try RestoreSettings.apply(work.script, isOurs: source.manifest != nil, on: connection)
      var preflight = RestorePreflight()
      let row = try connection.query("select current_database(), pg_is_in_recovery()")
      if row.isTrue(0, 1) {
        preflight.add(.init("the server is a standby", remedy: "restore on the primary server"))
      }
      var oids: [Int: Int] = [:]
      var hasRows = false
      for (number, table) in work.plan.tables.enumerated() {
        let name = String(decoding: table.copy.relation, as: UTF8.self)
        guard let oid = try oid(of: table, on: connection) else {
          preflight.add(
            .init(
              "the database has no table \(name)",
              remedy: "restore the schema first, or leave --data-only out"))
          continue
        }
        oids[number] = oid
        let isFilled = try connection.execute(
          Array("select exists (select from only ".utf8) + table.copy.relation + Array(")".utf8)
        ).isTrue(0, 0)
        hasRows = hasRows || isFilled
        guard isFilled, !acceptsRows else { continue }
        preflight.add(
          .init(
            "table \(name) has rows", remedy: "empty the tables first, or pass --yes to add to what is there")
        )
      }
      let order = DataOrder(count: work.plan.tables.count, try foreignKeys(oids, on: connection))
      if !order.circle.isEmpty {
        preflight.add(
          .init(
            "the foreign keys \(order.circle.map { "\"\($0.name)\"" }.joined(separator: ", ")) form a circle",
            remedy:
              "make one deferrable (alter table … alter constraint … deferrable), or restore into a new "
              + "database"))
      }
      if let error = preflight.error { throw error }
      return Target(database: row.text(0, 0), order: order, hasRows: hasRows)
    }
  }

  private func oid(of table: RestorePlan.Table, on connection: borrowing Connection) throws -> Int? {
    try connection.execute(
      Array("select pg_catalog.to_regclass(".utf8) + table.copy.relationLiteral
        + Array(")::pg_catalog.oid".utf8)
    ).integer(0, 0)
  }

  private func foreignKeys(
    _ oids: [Int: Int], on connection: borrowing Connection
  ) throws -> [DataOrder.ForeignKey] {
    let numbers = Dictionary(oids.map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    let list = oids.values.map(String.init).joined(separator: ",")
    let rows = try connection.query(
      """
      select conname, conrelid, confrelid, condeferrable from pg_catalog.pg_constraint
      where contype = 'f' and conrelid = any ('{\(list)}') and confrelid = any ('{\(list)}')
      """)
    return (0..<rows.rowCount).compactMap { row in
      guard let from = rows.integer(row, 1).flatMap({ numbers[$0] }),
        let to = rows.integer(row, 2).flatMap({ numbers[$0] })
      else { return nil }
      return DataOrder.ForeignKey(
        name: rows.text(row, 0), from: from, to: to, isDeferrable: rows.isTrue(row, 3))
    }
  }
}
