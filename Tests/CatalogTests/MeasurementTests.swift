import Catalog
import Foundation
import Postgres
import TestSupport
import Testing

/// Prints how long reads take; `TSDB_TEST_MEASURE=1` runs it.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["TSDB_TEST_MEASURE"] != nil))
struct `Measurements of the catalogue` {
  @Test func `a thousand tables of five columns and an index`() async throws {
    try await withDatabase { database in
      try await database.execute(
        """
        do $$ begin
          for n in 1..1000 loop
            execute format('create table t%s (id bigint primary key, a text not null, b integer default 7,'
              || ' c timestamptz, d numeric(10,2)); create index on t%s (a)', n, n);
          end loop;
        end $$;
        vacuum analyze
        """.replacing("end $$;\nvacuum analyze", with: "end $$"))
      try await database.execute("vacuum analyze")
      try await database.connect().run { connection in
        let full = try Self.median(9) { _ = try CatalogSnapshot.read(on: connection) }
        print("full read: \(full) of \(try CatalogSnapshot.read(on: connection).objects.count) objects")
        var tracker = try CatalogTracker(reading: connection)
        var number = 0
        var times: [Duration] = []
        let whole = try Self.median(40) {
          number += 1
          try connection.execute("begin; select pg_current_xact_id()")
          try connection.execute(
            "create table new\(number) (id bigint primary key, a text not null, b integer default 7); "
              + "create index on new\(number) (a); comment on table new\(number) is 'x'")
          let start = ContinuousClock.now
          let change = try tracker.change(on: connection)
          times.append(ContinuousClock.now - start)
          #expect(change.fullReadReason == nil && !change.isEmpty)
          try connection.execute("commit")
          tracker.apply(change)
        }
        print("one more table: \(times.sorted()[times.count / 2]), the whole transaction \(whole)")
        try connection.execute("begin; select pg_current_xact_id()")
        let nothing = try Self.median(99) { _ = try tracker.change(on: connection) }
        print("nothing changed: \(nothing)")
        try connection.execute("rollback")
      }
    }
  }

  private static func median(_ count: Int, _ body: () throws -> Void) rethrows -> Duration {
    var times: [Duration] = []
    for _ in 0..<count { times.append(try ContinuousClock().measure { try body() }) }
    return times.sorted()[count / 2]
  }
}
