import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `The tracker against full reads` {
  /// How often a change was read in parts, and why it was not.
  struct Tally: Sendable {
    var partial = 0
    var empty = 0
    var full: [String: Int] = [:]
    var succeeded = 0
    var failed = 0
  }

  private static let countFromEnvironment =
    ProcessInfo.processInfo.environment["TSDB_TEST_TRANSACTIONS"].flatMap { Int($0) }
  static let transactionCount = countFromEnvironment ?? 150
  static let isMeasured = countFromEnvironment != nil

  @Test(.seeded) func `every change that it reads equals a full read`() async throws {
    // Roles belong to the server, so this test has one of its own.
    try await PostgresCluster.with { cluster in
      try await withDatabase(on: cluster) { database in
        try await database.execute(
          """
          create role tracker_role; create schema s1; create schema s2;
          create type s1.mood as enum ('a', 'b'); create type s2.pair as (x integer, y text);
          create function s1.notice() returns trigger language plpgsql as 'begin return new; end';
          create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;
          """)
        let seed = SeedTrait.seed
        let tally = try await database.connect().run { connection in
          try Self.run(RandomDDL(generator: SeededGenerator(seed: seed)), on: connection)
        }
        if Self.isMeasured { print("tracker:", tally) }
        #expect(tally.partial >= Self.transactionCount / 5)
        #expect(tally.succeeded > Self.transactionCount)
      }
    }
  }

  private static func run(_ start: RandomDDL, on connection: borrowing Connection) throws -> Tally {
    var ddl = start
    var tally = Tally()
    var tracker = try CatalogTracker(reading: connection, excludingSchemas: ["hidden"])
    for number in 0..<transactionCount {
      try connection.execute("begin")
      // As a migration does, whose row of history gives the transaction its id.
      try connection.execute("select pg_current_xact_id()")
      var statements: [String] = []
      for _ in 0...Int.random(in: 0...3, using: &ddl.generator) {
        // Many statements meet something that is not there; what they did is undone with a savepoint.
        for _ in 0..<4 where try attempt(&ddl, &statements, &tally, on: connection) { break }
      }
      let change = try tracker.change(on: connection)
      tally.count(change)
      var after = tracker
      after.apply(change)
      let isEqual = try compare(after, change, since: tracker, on: connection, statements)
      if ddl.generator.oneIn(6) {
        try connection.execute("rollback")
      } else {
        do {
          try connection.execute("commit")
          tracker = after
        } catch {}
      }
      guard isEqual else {
        Issue.record("transaction \(number) differs")
        break
      }
    }
    return tally
  }

  /// Runs one statement, and returns whether it succeeded.
  private static func attempt(
    _ ddl: inout RandomDDL, _ statements: inout [String], _ tally: inout Tally,
    on connection: borrowing Connection
  ) throws -> Bool {
    let statement = try next(&ddl, on: connection)
    statements.append(statement)
    try connection.execute("savepoint one")
    do {
      try connection.execute(statement)
      tally.succeeded += 1
      return true
    } catch {
      try connection.execute("rollback to savepoint one")
      statements.append("-- failed: \(error.message)")
      tally.failed += 1
      return false
    }
  }

  private static func next(_ ddl: inout RandomDDL, on connection: borrowing Connection) throws -> String {
    func names(_ sql: String) throws -> [String] {
      try connection.execute(sql).rows().compactMap { $0[0] }
    }
    let user = "n.nspname in ('public', 's1', 's2')"
    let relation =
      "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = relnamespace"
      + " where \(user) and relkind"
    return ddl.statement(
      tables: try names("\(relation) in ('r', 'p', 'f') order by 1"),
      views: try names("\(relation) in ('v', 'm') order by 1"),
      functions: try names(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = pronamespace"
          + " where \(user) and prokind = 'f' order by 1"),
      types: try names(
        "select format('%I.%I', n.nspname, t.typname) from pg_type t join pg_namespace n on n.oid = typnamespace"
          + " left join pg_class c on c.oid = typrelid where \(user)"
          + " and (typtype in ('e', 'd', 'r') or relkind = 'c') order by 1"))
  }

  private static func compare(
    _ after: CatalogTracker, _ change: CatalogChange, since before: CatalogTracker,
    on connection: borrowing Connection, _ statements: [String]
  ) throws -> Bool {
    let full = try CatalogSnapshot.read(on: connection, excludingSchemas: ["hidden"])
    let difference = full.difference(from: after.snapshot)
    let text = statements.joined(separator: "\n")
    var isEqual = full.objects == after.snapshot.objects
    #expect(isEqual, "\(difference)\n\(text)\n\(String(describing: change.fullReadReason))")
    #expect(change.fingerprint == full.fingerprint, "\(text)")

    // The reported change, made to the old objects, gives the new ones.
    var objects = Dictionary(uniqueKeysWithValues: before.snapshot.objects.map { ($0.name, $0) })
    for name in change.removed { objects[name] = nil }
    for object in change.written { objects[object.name] = object }
    let patched = objects.values.sorted { $0.name < $1.name }
    isEqual = isEqual && patched == full.objects
    #expect(patched == full.objects, "\(text)")
    return isEqual
  }
}

extension `The tracker against full reads`.Tally {
  mutating func count(_ change: CatalogChange) {
    if let reason = change.fullReadReason {
      full[
        reason.hasSuffix("is gone") ? "gone" : reason.hasSuffix("was renamed") ? "renamed" : reason,
        default: 0] += 1
    } else if change.isEmpty {
      empty += 1
    } else {
      partial += 1
    }
  }
}
