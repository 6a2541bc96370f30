import Postgres
import SQLSyntax

/// Finds out, after a crash, what came of a statement that cannot run in a transaction.
struct StatementRecovery {
  enum Outcome: Equatable {
    case mustRun
    case isDone
  }

  let run: JournaledRun
  let statement: SQLStatement

  private var runner: MigrationRunner { run.runner }

  /// For a statement that was never begun: refuses what a failed build of somebody else left.
  func inspectFresh(on connection: borrowing Connection) throws -> Outcome {
    guard case .createIndex(let index) = statement.kind, index.concurrently,
      let found = try waitForBuilder(of: index, on: connection), !found.isValid
    else { return .mustRun }
    throw found.refusal(
      location: run.prepared.location(of: statement), excerpt: run.prepared.excerpt(of: statement))
  }

  /// For a statement whose intent is recorded and whose outcome is not.
  func recover(on connection: borrowing Connection) throws -> Outcome {
    try waitForOldBackend(on: connection)
    switch statement.kind {
    case .createIndex(let index): return try recoverIndex(index, on: connection)
    case .dropIndex(let names, _): return try recoverDrop(names, on: connection)
    case .reindex(let scope, let target, _): try dropReindexRemains(scope, target, on: connection)
    case .detachPartitionConcurrently(let table, let partition):
      return try recoverDetach(partition, of: table, on: connection)
    case .createDatabase(let name):
      if try exists("select from pg_catalog.pg_database where datname = $1", name, on: connection) {
        return tell(.isDone, "the database exists")
      }
    case .dropDatabase(let name):
      if try !exists("select from pg_catalog.pg_database where datname = $1", name, on: connection) {
        return tell(.isDone, "the database is gone")
      }
    default:
      if let settled = try recoverSharedObject(on: connection) { return settled }
    }
    return tell(.mustRun, "it is run again")
  }

  /// The backend of a killed run may still be at the statement, where the runner's lock was not its own.
  private func waitForOldBackend(on connection: borrowing Connection) throws {
    // The server cuts the text that it shows, between two characters.
    let sql = """
      select pid from pg_catalog.pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
        and (query = $1 or starts_with($1, query)
          and octet_length(query) >= pg_size_bytes(current_setting('track_activity_query_size')) - 8)
      limit 1
      """
    let start = ContinuousClock.now
    while let backend = try connection.query(sql, [statement.text]).firstInteger {
      if Task.isCancelled { throw MigrationError.interrupted() }
      if ContinuousClock.now - start >= runner.options.runnerWait {
        throw MigrationError(
          .tryAgain, "process \(backend) is still running the statement of an interrupted run",
          detail: "It is at \(statement.commandTag) in \"\(run.prepared.file.name)\".",
          hint: "wait for it, or run: select pg_cancel_backend(\(backend)); then run the same command again",
          location: run.prepared.location(of: statement), excerpt: run.prepared.excerpt(of: statement))
      }
      Pause.sleep(.milliseconds(100))
    }
  }

  /// What a statement that did not end well has left.
  enum Remains {
    case nothing
    case everything
    case half
  }

  /// Looks, after `error`, at what is left of the statement, and drops what is of no use.
  func remains(of error: PostgresError, on connection: borrowing Connection) throws -> Remains {
    // Refused: what is there was there before, but for what cannot be built to its end.
    let isRefused = !error.isCancellation && !error.isLockTimeout
    do {
      switch statement.kind {
      case .createIndex(let index) where index.concurrently:
        guard let found = try IndexState.find(index, on: connection) else { return .nothing }
        if found.isValid { return isRefused ? .nothing : .everything }
        guard found.builder == nil, mayWait else { return .half }
        try drop(found.identity, on: connection)
        return .nothing
      case .reindex(let scope, let target, _):
        guard mayWait else { return .half }
        try dropReindexRemains(scope, target, on: connection)
        return .nothing
      case .dropIndex, .detachPartitionConcurrently, .createDatabase, .dropDatabase:
        // The next run asks the catalogue; withdrawn, it would meet what is half done.
        return isRefused ? .nothing : .half
      default:
        return .nothing
      }
    } catch let error as PostgresError where error.isLockTimeout || error.isCancellation {
      return .half
    }
  }

  /// Whether a wait for other sessions ends soon: after an interruption nobody wants to wait, and
  /// behind a pooler no timeout can be set.
  private var mayWait: Bool { !(runner.server.isPooled && Task.isCancelled) }

  private func recoverIndex(_ index: IndexCreation, on connection: borrowing Connection) throws -> Outcome {
    guard let found = try waitForBuilder(of: index, on: connection) else {
      return tell(.mustRun, "no index was left; it is built now")
    }
    if found.isValid { return tell(.isDone, "the index is there and valid") }
    try drop(found.identity, on: connection)
    return tell(.mustRun, "the invalid index was dropped; it is built again")
  }

  /// The backend of a killed run may still be building: its index is neither dropped nor built twice.
  private func waitForBuilder(
    of index: IndexCreation, on connection: borrowing Connection
  ) throws -> IndexState? {
    let start = ContinuousClock.now
    while let found = try IndexState.find(index, on: connection) {
      guard let builder = found.builder else { return found }
      if Task.isCancelled { throw MigrationError.interrupted() }
      if ContinuousClock.now - start >= runner.options.runnerWait {
        throw MigrationError(
          .tryAgain, "index \(found.identity) is still being built by process \(builder)",
          detail: "This run did not begin it.",
          hint: "wait for it, or run: select pg_cancel_backend(\(builder)); then run the same command again")
      }
      Pause.sleep(.milliseconds(100))
    }
    return nil
  }

  /// Tablespaces and subscriptions: what was to be created is there, or what was to be dropped is gone.
  private func recoverSharedObject(on connection: borrowing Connection) throws -> Outcome? {
    let sources: [ObjectReference.Kind: String] = [
      .tablespace: "select from pg_catalog.pg_tablespace where spcname = $1",
      .subscription: "select from pg_catalog.pg_subscription where subname = $1",
    ]
    for (references, isCreation) in [(statement.creates, true), (statement.drops, false)] {
      for reference in references {
        guard let sql = sources[reference.kind] else { continue }
        guard try exists(sql, reference.name, on: connection) == isCreation else { return nil }
        return tell(.isDone, "the \(reference.kind.rawValue) is \(isCreation ? "there" : "gone")")
      }
    }
    return nil
  }

  private func recoverDrop(_ names: [ObjectReference], on connection: borrowing Connection) throws -> Outcome
  {
    for name in names
    where try exists("select where to_regclass($1) is not null", name.quoted, on: connection) {
      return tell(.mustRun, "the index is still there; it is dropped now")
    }
    return tell(.isDone, "the index is gone")
  }

  private func recoverDetach(
    _ partition: ObjectReference, of table: ObjectReference, on connection: borrowing Connection
  ) throws -> Outcome {
    let state = try connection.query(
      """
      select inhdetachpending from pg_catalog.pg_inherits
      where inhparent = to_regclass($1) and inhrelid = to_regclass($2)
      """, [table.quoted, partition.quoted])
    guard state.rowCount > 0 else { return tell(.isDone, "the partition is detached") }
    guard state.isTrue(0, 0) else {
      return tell(.mustRun, "the partition is still attached; it is detached now")
    }
    try connection.execute(
      "alter table \(table.quoted) detach partition \(partition.quoted) finalize")
    return tell(.isDone, "the pending detach was finalised")
  }

  /// REINDEX CONCURRENTLY that died leaves invalid indexes with the suffixes `_ccnew` and `_ccold`,
  /// on the tables and on their TOAST tables.
  ///
  /// Source: PostgreSQL manual, REINDEX, "Rebuilding Indexes Concurrently".
  private func dropReindexRemains(
    _ scope: ReindexScope, _ target: ObjectReference?, on connection: borrowing Connection
  ) throws {
    let remains = try connection.query(
      """
      select format('%I.%I', n.nspname, c.relname)
      from pg_catalog.pg_index i
        join pg_catalog.pg_class c on c.oid = i.indexrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$' and n.nspname <> 'pg_catalog'
        and not exists (select from pg_catalog.pg_stat_progress_create_index p where p.relid = i.indrelid)
        and \(Self.isReindexed(scope))
      order by 1
      """, [target?.quoted])
    for row in 0..<remains.rowCount { try drop(remains.text(row, 0), on: connection) }
  }

  /// SQL that says whether the index `i` stands on a table that REINDEX of `$1` works on.
  private static func isReindexed(_ scope: ReindexScope) -> String {
    let relations = "select relid from pg_partition_tree(to_regclass($1)) union select to_regclass($1)"
    let tables =
      switch scope {
      case .table: relations
      case .index: "select indrelid from pg_catalog.pg_index where indexrelid in (\(relations))"
      case .schema: "select oid from pg_catalog.pg_class where relnamespace = to_regnamespace($1)"
      case .database, .system: "select i.indrelid where coalesce($1, '') is not null"
      }
    return """
      (i.indrelid in (\(tables)) or i.indrelid in (
        select reltoastrelid from pg_catalog.pg_class where oid in (\(tables))))
      """
  }

  private func drop(_ index: String, on connection: borrowing Connection) throws {
    // It may wait for the transactions of others as long as the build itself; so who they are is told.
    try runner.watch.watching(run.prepared.file.name, processID: runner.processID) {
      () throws(PostgresError) in
      _ = try connection.execute("drop index concurrently if exists \(index)")
    }
    runner.report(
      .recovered(
        name: run.prepared.file.name, statement: statement.commandTag,
        outcome: "dropped the invalid index \(index)"))
  }

  private func exists(_ sql: String, _ parameter: String, on connection: borrowing Connection) throws -> Bool
  {
    try connection.query(sql, [parameter]).rowCount > 0
  }

  private func tell(_ outcome: Outcome, _ text: String) -> Outcome {
    runner.report(
      .recovered(
        name: run.prepared.file.name, statement: "\(statement.commandTag) (line \(statement.start.line))",
        outcome: text))
    return outcome
  }
}

extension QueryResult {
  fileprivate var firstInteger: Int? { rowCount > 0 ? integer(0, 0) : nil }
}
