import Postgres
import SQLSyntax

/// What became of one seed file.
public struct SeedResult: Sendable {
  public enum Outcome: String, Sendable {
    case seeded
    /// The same file was seeded before, and nothing it needs was undone since.
    case unchanged
  }

  public let name: String
  public let outcome: Outcome
  /// Rows inserted in this run.
  public let rowCount: Int
}

extension MigrationRunner {
  /// Inserts initial rows, one transaction per file.
  ///
  /// A file that was seeded before is not run again until it changes, so a row that an operator
  /// deleted stays deleted. Call inside ``exclusively(on:_:)``.
  /// - Parameter isForced: whether files that were seeded before are run again.
  public func seed(
    _ files: [MigrationFile], plan: MigrationPlan, isForced: Bool, on connection: borrowing Connection
  ) throws -> [SeedResult] {
    let seeds = try files.map(PreparedSeed.init)
    let requirements = try seeds.map {
      try Self.requirements(
        of: $0, plan: plan, created: settled(on: connection) { try history.createdObjects(on: $0) })
    }
    try ensureHistory(on: connection)
    let recorded = try settled(on: connection) { try seededChecksums(on: $0) }
    var results: [SeedResult] = []
    for (index, seed) in seeds.enumerated() {
      let name = seed.file.name
      if !isForced, recorded[name] == seed.file.checksum.description {
        results.append(SeedResult(name: name, outcome: .unchanged, rowCount: 0))
        continue
      }
      report(.started(name: name, index: index, total: seeds.count))
      let start = ContinuousClock.now
      let inserted = try retryingLocks(
        seed.prepared, kept: "\"\(name)\" was rolled back.", on: connection
      ) { connection in
        try self.attempt(
          seed, requirements: requirements[index], since: recorded[name], on: connection)
      }
      guard let rows = inserted else {
        report(.appliedElsewhere(name: name))
        results.append(SeedResult(name: name, outcome: .unchanged, rowCount: 0))
        continue
      }
      report(
        .finished(
          name: name, milliseconds: (ContinuousClock.now - start).milliseconds,
          statements: seed.prepared.statements.count))
      results.append(SeedResult(name: name, outcome: .seeded, rowCount: rows))
    }
    return results
  }

  /// How many rows were inserted; nil when another run has seeded the same file meanwhile.
  private func attempt(
    _ seed: PreparedSeed, requirements: [String], since recorded: String?, on connection: borrowing Connection
  ) throws -> Int? {
    try beginFenced(seed.file, on: connection)
    let checksum = seed.file.checksum.description
    if recorded != checksum, try seededChecksums(on: connection)[seed.file.name] == checksum {
      try connection.execute("rollback")
      return nil
    }
    var rows = 0
    for (index, statement) in seed.prepared.statements.enumerated() {
      try run(statement, index: index, of: seed.prepared, on: connection)
      if lastCommandTag.hasPrefix("INSERT") {
        rows += Int(lastCommandTag.split(separator: " ").last ?? "") ?? 0
      }
    }
    let table = history.schema.table("seeds")
    let sql = """
      \(session(of: seed.file).afterFile)
      insert into \(table) (name, checksum, requires, row_count) values (\(Quoting.literal(seed.file.name)),
        \(Quoting.literal(seed.file.checksum.description)),
        \(Quoting.literal(Quoting.textArray(requirements)))::text[], \(rows))
      on conflict (name) do update set checksum = excluded.checksum, requires = excluded.requires,
        row_count = excluded.row_count, seeded_at = clock_timestamp(), seeded_by = session_user;
      \(history.logging(.seeded, name: seed.file.name, checksum: seed.file.checksum.description, reason: "\(rows) rows"))
      """
    do {
      try connection.execute(sql)
    } catch {
      throw StatementRefusal(error: error, statement: nil)
    }
    try commit(seed.file, on: connection, either: "Its rows are there and recorded, or neither.")
    return rows
  }

  private func seededChecksums(on connection: borrowing Connection) throws -> [String: String] {
    let result = try connection.query("select name, checksum from \(history.schema.table("seeds"))")
    return Dictionary(
      uniqueKeysWithValues: (0..<result.rowCount).map { (result.text($0, 0), result.text($0, 1)) })
  }

  /// The migrations whose undoing takes the seed's rows away: those it declares and those whose tables it fills.
  private static func requirements(
    of seed: PreparedSeed, plan: MigrationPlan, created: [(migration: String, object: String)]
  ) throws(MigrationError) -> [String] {
    let applied = Set(plan.entries.filter { $0.history?.state == .applied }.map(\.name))
    var names: Set<String> = []
    for requirement in seed.file.directives.requirements {
      guard applied.contains(requirement.name) else {
        throw MigrationError(
          .failed, "seed \"\(seed.file.name)\" requires \"\(requirement.name)\", which is not applied",
          detail: "Nothing of it was run.", hint: "run \"tsdb migrate up\" first",
          location: SourceLocation(path: seed.file.path, line: requirement.line, column: requirement.column))
      }
      names.insert(requirement.name)
    }
    let uses = seed.prepared.script.statements.flatMap(\.uses)
    for (migration, object) in created {
      guard let reference = ObjectReference(historyText: object), reference.kind == .relation else {
        continue
      }
      if uses.contains(where: { $0.mayDenote(reference) }) { names.insert(migration) }
    }
    return names.sorted()
  }
}
