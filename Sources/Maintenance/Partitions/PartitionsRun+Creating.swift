import Postgres
import Timekeeping

extension PartitionsRun {
  /// Makes a partition: its table, the rows that the default partition holds for it, and ATTACH, in one transaction.
  mutating func create(
    _ creation: PartitionPlan.Creation, _ name: String, _ facts: PartitionFacts
  ) async throws {
    let start = ContinuousClock.now
    context.report(.began(object: name, phase: "create"))
    let waiting = try await rowsInDefault(creation, name, facts)
    if waiting > 0, facts.isReferenced {
      return tally.fail(
        name, "\(waiting) rows of the default partition belong into it, and foreign keys refer to the table",
        hint: "moving a row fires the foreign key's action; move the rows by hand")
    }
    if waiting > PartitionsJob.manyRows {
      context.report(
        .warning(
          "\(name): \(waiting) rows are moved out of the default partition in one transaction",
          detail: "Whoever writes to the default partition in the meantime makes it give way and begin anew.",
          hint: "create partitions before their time begins; see ahead"))
    }
    let steps = PartitionCreationSteps(creation: creation, facts: facts, movesFirst: waiting > 0)
    let work = context.work
    let outcome = try await perform(name) { connection in
      if facts.rights.owner != nil { work.renewSettings() }
      try facts.rights.prepare(on: connection)
      return try connection.inTransaction { try steps.run(on: $0) }
    }
    switch outcome {
    case .done(let moved):
      rows += moved
      let detail =
        "\(facts.keyType.literal(creation.period.start)) to \(facts.keyType.literal(creation.period.end))"
      tally.note(
        JobObject(
          name, "created",
          detail: creation.isPiece ? detail + ", the rest of its period is held by others" : detail,
          rows: moved, milliseconds: (ContinuousClock.now - start).wholeMilliseconds))
    case .gaveUp(let reason): tally.leave(name, because: reason)
    }
  }

  private func rowsInDefault(
    _ creation: PartitionPlan.Creation, _ name: String, _ facts: PartitionFacts
  ) async throws -> Int64 {
    guard let fallback = facts.defaultPartition else { return 0 }
    let condition = PartitionCreationSteps.condition(creation, facts)
    let outcome = try await perform(name) { connection in
      try facts.rights.read(
        "select count(*) from only \(fallback.quoted) where \(condition)", columns: "count bigint",
        on: connection
      ).integer(0, 0)
    }
    // Read or not, the rows are moved; the count only decides which lock is taken first.
    guard case .done(let count) = outcome else { return 1 }
    return Int64(count ?? 0)
  }
}

/// What happens in the transaction that makes a partition.
struct PartitionCreationSteps: Sendable {
  let creation: PartitionPlan.Creation
  let facts: PartitionFacts
  /// Rows are moved while others still read the default partition, under the lock that only keeps writers out.
  let movesFirst: Bool

  static func condition(_ creation: PartitionPlan.Creation, _ facts: PartitionFacts) -> String {
    let column = Quoting.identifier(facts.column)
    let (from, to) = (
      facts.keyType.literal(creation.period.start), facts.keyType.literal(creation.period.end)
    )
    return "\(column) >= \(from) and \(column) < \(to)"
  }

  /// - Returns: how many rows were moved.
  func run(on connection: borrowing Connection) throws -> Int64 {
    if facts.rights.owner != nil { try connection.execute("set local track_counts = on") }
    let template = try PartitionTemplate(facts, on: connection)
    for statement in template.statements(creation, facts) { try connection.execute(statement) }
    var moved: Int64 = 0
    if let fallback = facts.defaultPartition {
      if movesFirst {
        try connection.execute("lock table only \(fallback.quoted) in exclusive mode")
        moved = try move(from: fallback, template, on: connection)
      }
      // An INSERT that had already chosen the default partition would fail after ATTACH, for the row is no longer its.
      // Writers take the table's lock before they choose, and so choose after the ATTACH.
      try connection.execute("lock table only \(facts.table.quoted) in share row exclusive mode")
      try connection.execute("lock table only \(fallback.quoted) in access exclusive mode")
      if !movesFirst { moved = try move(from: fallback, template, on: connection) }
    }
    try connection.execute(attachment)
    try facts.rights.settle(on: connection)
    return moved
  }

  var attachment: String {
    let (from, to) = (
      facts.keyType.literal(creation.period.start), facts.keyType.literal(creation.period.end)
    )
    return "alter table \(facts.table.quoted) attach partition "
      + "\(Quoting.identifier(facts.table.schema, creation.name)) for values from (\(from)) to (\(to))"
  }

  private func move(
    from fallback: CataloguedRelation, _ template: PartitionTemplate, on connection: borrowing Connection
  ) throws -> Int64 {
    let condition = Self.condition(creation, facts)
    // Where nothing has to be prepared for the move, the move itself is the quickest look: it reads only once.
    if facts.isReferenced || !template.deleteTriggers.isEmpty {
      let search = "select exists (select from only \(fallback.quoted) where \(condition))"
      guard try facts.rights.query(search, columns: "found boolean", on: connection).isTrue(0, 0) else {
        return 0
      }
    }
    guard !facts.isReferenced else {
      throw MaintenanceError(.failed, "rows of the default partition are referenced by foreign keys")
    }
    let columns = template.columns.map { Quoting.identifier($0) }.joined(separator: ", ")
    for trigger in template.deleteTriggers {
      try connection.execute(
        "alter table only \(fallback.quoted) disable trigger \(Quoting.identifier(trigger.name))")
    }
    let result = try facts.rights.query(
      """
      with moved as (delete from only \(fallback.quoted) where \(condition) returning \(columns)), placed as (
        insert into \(Quoting.identifier(facts.table.schema, creation.name)) (\(columns)) select \(columns) from moved
        returning 1)
      select count(*) from placed
      """, columns: "count bigint", on: connection)
    let count = Int64(result.integer(0, 0) ?? 0)
    for trigger in template.deleteTriggers {
      let state = trigger.state == "A" ? "enable always" : "enable"
      try connection.execute(
        "alter table only \(fallback.quoted) \(state) trigger \(Quoting.identifier(trigger.name))")
    }
    return count
  }
}
