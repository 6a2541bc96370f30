import Postgres
import Timekeeping

extension IndexesRun {
  mutating func rebuild(_ facts: IndexFacts, bloat: Int?) async throws {
    let name = facts.index.display
    let reason = bloat.map { "\($0) % of it was bloat" } ?? "it was invalid"
    let start = ContinuousClock.now
    context.report(.began(object: name, phase: "rebuild"))
    if let old = try await waitForOldTransactions(name) { return tally.leave(name, because: old) }
    let before = try await invalidIndexes(of: facts.table)
    let outcome: PoliteConnection.Outcome<Void>
    do {
      outcome = try await reindex(facts, keeping: before)
    } catch {
      // Also in a task that is cancelled. A lost connection leaves it to the next run.
      if (error as? PostgresError)?.origin == .server {
        try await dropLeftOvers(of: facts.table, but: before)
      }
      guard let error = error as? PostgresError, error.isCancellation, !Task.isCancelled else { throw error }
      return tally.leave(name, because: "the rebuild did not end within the job's budget")
    }
    if case .gaveUp(let reason) = outcome { return tally.leave(name, because: reason) }
    let index = facts.index
    let (size, isValid) = try await context.work.run { connection in
      let result = try connection.query(
        """
        select pg_catalog.pg_relation_size(c.oid), i.indisvalid
        from pg_catalog.pg_class as c join pg_catalog.pg_index as i on i.indexrelid = c.oid
        where c.oid = pg_catalog.to_regclass($1)
        """, [index.quoted])
      return (Int64(result.integer(0, 0) ?? 0), result.isTrue(0, 1))
    }
    guard isValid else { return tally.fail(name, "it is still invalid after it was rebuilt") }
    bytes += max(0, facts.bytes - size)
    tally.note(
      JobObject(
        name, "rebuilt", detail: reason, bytes: size,
        milliseconds: (ContinuousClock.now - start).wholeMilliseconds))
    if bloat == nil { context.report(.healed("the index \(name), which was invalid, is rebuilt")) }
  }

  private func reindex(
    _ facts: IndexFacts, keeping before: Set<UInt32>
  ) async throws -> PoliteConnection.Outcome<Void> {
    let (run, index, table) = (self, facts.index, facts.table)
    // It waits for the transactions of others, and of those no end is known.
    let limit = max(1000, (context.deadline - .now).wholeMilliseconds)
    let outcome: PoliteConnection.Outcome<Void>
    do {
      outcome = try await context.work.perform(
        index.display, until: min(context.deadline, .now + patience),
        cleanUp: { try await run.dropLeftOvers(of: table, but: before) }
      ) { connection in
        try connection.execute("set lock_timeout = 0")
        try connection.execute("set statement_timeout = \(limit)")
        try connection.execute("reindex index concurrently \(index.quoted)")
      }
    } catch {
      try await withoutStatementTimeout()
      throw error
    }
    try await withoutStatementTimeout()
    return outcome
  }

  func withoutStatementTimeout() async throws {
    let timeout = max(1, context.job.lockTimeout.wholeMilliseconds)
    try await context.work.run { connection in
      guard !connection.isBroken else { return }
      try connection.execute("set statement_timeout = 0; set lock_timeout = \(timeout)")
    }
  }

  private func invalidIndexes(of table: CataloguedRelation) async throws -> Set<UInt32> {
    try await context.work.run { connection in
      Set(try Self.leftOvers(of: table, on: connection).map(\.oid))
    }
  }

  private static func leftOvers(
    of table: CataloguedRelation, on connection: borrowing Connection
  ) throws -> [CataloguedRelation] {
    let result = try connection.query(
      """
      select c.oid, n.nspname, c.relname
      from pg_catalog.pg_index as i
      join pg_catalog.pg_class as c on c.oid = i.indexrelid
      join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
      where i.indrelid = $1::oid and not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'
        and not exists (select from pg_catalog.pg_constraint as k where k.conindid = c.oid)
      """, ["\(table.oid)"])
    return result.rows().compactMap { row in
      row[0].flatMap { UInt32($0) }.map {
        CataloguedRelation(oid: $0, schema: row[1] ?? "", name: row[2] ?? "")
      }
    }
  }

  /// Drops what a rebuild that was given up has left: invalid indexes that were not there before it.
  private func dropLeftOvers(of table: CataloguedRelation, but before: Set<UInt32>) async throws {
    try await withoutStatementTimeout()
    let found = try await context.work.run { try Self.leftOvers(of: table, on: $0) }
    for index in found where !before.contains(index.oid) {
      // In a task that is cancelled `perform` would not begin; nothing is waited for then.
      if Task.isCancelled {
        try await context.work.run { connection in
          try connection.execute("set lock_timeout = '2s'")
          try connection.execute("drop index concurrently \(index.quoted)")
        }
      } else if try await !drop(index, of: table) {
        context.report(
          .warning(
            "the index \(index.display), left by a rebuild that was given up, could not be dropped yet",
            detail: "It is invalid and of no use, and each write keeps it up to date. The next run drops it.",
            hint: nil))
      }
    }
  }

  /// - Returns: why there is no point in beginning; nil where no old transaction is left.
  private func waitForOldTransactions(_ name: String) async throws -> String? {
    let limit = min(context.deadline, .now + patience)
    let seconds = oldTransaction.wholeSeconds
    var isTold = false
    while true {
      let found = try await context.work.run { connection in
        try connection.query(Self.oldTransactions, ["\(seconds)"]).rows()[0]
      }
      guard let old = found[0] else { return nil }
      let reason = "session \(old) has had a transaction open since \(found[1] ?? "long ago")"
      guard ContinuousClock.now < limit else { return reason }
      if !isTold {
        context.report(.waiting(object: name, reason: reason))
        context.work.countWait()
        isTold = true
      }
      try await Task.sleep(for: .milliseconds(500))
    }
  }

  /// Only those whose snapshot a rebuild waits for: not VACUUM's, and only of this database.
  private static let oldTransactions = """
    select min(a.pid), to_char(min(a.xact_start) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    from (
      select s.pid, s.xact_start from pg_catalog.pg_stat_activity as s
      where s.datname = current_database() and s.pid <> pg_catalog.pg_backend_pid()
        and s.xact_start < clock_timestamp() - make_interval(secs => $1::double precision)
        and (s.backend_xmin is not null or s.backend_xid is not null) and s.backend_type <> 'autovacuum worker'
      order by s.xact_start limit 1
    ) as a
    """

  /// Measures with pgstattuple where it is installed and may be used: it reads the index, and so only large ones.
  func measured(_ indexes: [IndexFacts]) async throws -> [IndexFacts] {
    let function = try await context.work.run { connection in
      try connection.query(
        """
        select pg_catalog.format('%I.pgstatindex', n.nspname)
        from pg_catalog.pg_extension as e
        join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
        join pg_catalog.pg_proc as p on p.pronamespace = n.oid and p.proname = 'pgstatindex'
          and p.proargtypes = array['pg_catalog.regclass'::pg_catalog.regtype::oid]::oidvector
        where e.extname = 'pgstattuple' and pg_catalog.has_function_privilege(p.oid, 'execute')
          and pg_catalog.has_schema_privilege(n.oid, 'usage')
        """)[0, 0]
    }
    guard let function else { return indexes }
    var indexes = indexes
    for (place, facts) in indexes.enumerated()
    where facts.bytes >= rule.bloatMinimumBytes && facts.isValid
      && facts.bloat != .withheld("it is not a btree")
    {
      guard !context.isOutOfTime else { break }
      let outcome = try? await context.work.attempt(facts.index.display) { connection in
        try connection.query(
          """
          select floor(100 * greatest(0, (p.empty_pages + p.deleted_pages + p.leaf_pages
            * (1 - p.avg_leaf_density / coalesce((select pg_catalog.substr(o, 12)::float8
              from pg_catalog.pg_class as c, pg_catalog.unnest(c.reloptions) as o
              where c.oid = $1::oid and o like 'fillfactor=%'), 90)))
            / greatest(1, p.leaf_pages + p.internal_pages + p.empty_pages + p.deleted_pages)))::int
          from \(function)($1::oid::pg_catalog.regclass) as p
          """, ["\(facts.index.oid)"]
        ).integer(0, 0)
      }
      try Task.checkCancellation()
      if case .done(.some(let percent)) = outcome { indexes[place].bloat = .measured(percent: percent) }
    }
    return indexes
  }
}
