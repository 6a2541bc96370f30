import Postgres
import Timekeeping

extension PartitionsRun {
  /// Takes a partition off and drops it, in two steps that a later run can tell apart.
  mutating func retire(_ retirement: PartitionPlan.Retirement, _ facts: PartitionFacts) async throws {
    let partition = retirement.partition
    let name = partition.relation.display
    guard let end = partition.end else { return }
    let original = PartitionMark(partition.comment).map(\.original) ?? partition.comment
    let mark = PartitionMark(parent: facts.table, end: end, original: original)
    context.report(.began(object: name, phase: "detach"))
    let outcome: PoliteConnection.Outcome<Void>
    do {
      outcome = try await detach(
        partition.relation, mark, facts, concurrently: retirement.method == .concurrently)
    } catch {
      if Task.isCancelled { throw error }
      // The foreign key of another table, most likely; the partition stays, and so does its comment.
      if let error = error as? PostgresError, error.origin == .server {
        try? await restoreComment(of: partition)
      }
      throw error
    }
    if case .gaveUp(let reason) = outcome { return tally.leave(name, because: reason) }
    _ = try await drop(partition.relation, bytes: partition.bytes, facts)
  }

  private func detach(
    _ partition: CataloguedRelation, _ mark: PartitionMark, _ facts: PartitionFacts, concurrently: Bool
  ) async throws -> PoliteConnection.Outcome<Void> {
    let comment = "comment on table \(partition.quoted) is \(Quoting.literal(mark.comment))"
    let detach = "alter table \(facts.table.quoted) detach partition \(partition.quoted)"
    guard concurrently else {
      return try await perform(partition.display) { connection in
        try connection.inTransaction { connection in
          // First the lock that may be long in coming: nobody waits behind the others meanwhile.
          try connection.execute("lock table only \(facts.table.quoted) in access exclusive mode")
          try connection.execute(detach)
          try connection.execute(comment)
        }
      }
    }
    return try await perform(partition.display) { connection in
      switch try Self.attachment(of: partition, on: connection) {
      case .detached: return
      case .pending: break
      case .attached: try connection.execute(comment)
      }
      try Self.waitLonger(on: connection)
      if try Self.attachment(of: partition, on: connection) == .pending {
        try connection.execute(detach + " finalize")
      } else {
        try connection.execute(detach + " concurrently")
      }
    }
  }

  /// For statements whose waits for the transactions of others count as waits for a lock; those may never end.
  private static func waitLonger(on connection: borrowing Connection) throws {
    try connection.execute("set lock_timeout = 0")
    try connection.execute("set statement_timeout = \(PartitionsJob.patience.wholeMilliseconds)")
  }

  private enum Attachment { case attached, pending, detached }

  private static func attachment(
    of partition: CataloguedRelation, on connection: borrowing Connection
  ) throws -> Attachment {
    let result = try connection.query(
      "select i.inhdetachpending from pg_catalog.pg_inherits as i where i.inhrelid = $1::oid",
      ["\(partition.oid)"])
    guard result.rowCount > 0 else { return .detached }
    return result.isTrue(0, 0) ? .pending : .attached
  }

  /// Ends a detach that was interrupted between its two transactions.
  mutating func finalize(_ retirement: PartitionPlan.Retirement, _ facts: PartitionFacts) async throws {
    let partition = retirement.partition.relation
    let outcome = try await perform(partition.display) { connection in
      guard try Self.attachment(of: partition, on: connection) == .pending else { return }
      try Self.waitLonger(on: connection)
      try connection.execute(
        "alter table \(facts.table.quoted) detach partition \(partition.quoted) finalize")
    }
    if case .gaveUp(let reason) = outcome { return tally.leave(partition.display, because: reason) }
    context.report(.healed("the interrupted detach of \(partition.display) is finished"))
    if retirement.isDropped {
      _ = try await drop(partition, bytes: retirement.partition.bytes, facts)
    } else {
      tally.note(
        JobObject(partition.display, "detached", detail: "finished what was begun; the table is not dropped"))
    }
  }

  /// Drops a table that is taken off, looking once more that it is.
  mutating func drop(
    _ table: CataloguedRelation, bytes size: Int64, _ facts: PartitionFacts
  ) async throws -> Bool {
    let start = ContinuousClock.now
    context.report(.began(object: table.display, phase: "drop"))
    let parent = facts.table.quoted
    let outcome = try await perform(table.display) { connection in
      try connection.inTransaction { connection in
        try connection.execute("lock table \(table.quoted) in access exclusive mode")
        let found = try connection.query(
          """
          select pg_catalog.obj_description(c.oid, 'pg_class') from pg_catalog.pg_class as c
          where c.oid = $1::oid and c.oid = pg_catalog.to_regclass($2) and not c.relispartition
          """, ["\(table.oid)", table.quoted])
        guard PartitionMark(found[0, 0])?.parent == parent else {
          throw MaintenanceError(.failed, "the table was changed by somebody else and is not dropped")
        }
        try connection.execute("drop table \(table.quoted)")
      }
    }
    switch outcome {
    case .done:
      bytes += size
      tally.note(
        JobObject(
          table.display, "dropped", bytes: size,
          milliseconds: (ContinuousClock.now - start).wholeMilliseconds))
      return true
    case .gaveUp(let reason):
      tally.leave(table.display, because: "detached, not yet dropped: \(reason)")
      return false
    }
  }

  func restoreComment(of partition: PartitionFacts.Partition) async throws {
    let original = PartitionMark(partition.comment).map(\.original) ?? partition.comment
    let relation = partition.relation
    _ = try await perform(relation.display) { connection in
      try connection.execute("comment on table \(relation.quoted) is \(Quoting.literal(original))")
    }
  }
}
