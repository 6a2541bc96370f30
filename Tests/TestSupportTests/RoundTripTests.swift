import Foundation
import Postgres
import TestSupport
import Testing

/// The comparison itself: an equal database passes, and one planted difference of each kind is found.
@Suite struct `Comparing two databases` {
  /// Dumps one database with PostgreSQL's own tools and restores it into another.
  private func copy(_ source: TestDatabase, to target: TestDatabase) async throws {
    let directory = try TemporaryDirectory()
    let dump = try ToolRun(
      executable: source.cluster.executable("pg_dump"), ["-Fd", "-Z1", "-j2", "-f", directory.path("dump")],
      environment: source.settings.toolEnvironment)
    let dumped = try await dump.finish(within: .seconds(300))
    try #require(dumped.exitStatus == 0, "\(dumped)")
    let restore = try ToolRun(
      executable: target.cluster.executable("pg_restore"),
      ["-d", target.name, "-e", "-j2", directory.path("dump")], environment: target.settings.toolEnvironment)
    let restored = try await restore.finish(within: .seconds(300))
    try #require(restored.exitStatus == 0, "\(restored)")
  }

  @Test(arguments: BackupFixture.Kind.allCases)
  func `a copy by PostgreSQL's own tools is equal`(kind: BackupFixture.Kind) async throws {
    let cluster = try await FixtureInstallation.cluster
    try await withBackupFixture(kind) { source in
      try await withDatabase(on: cluster, options: kind.databaseOptions) { target in
        try await copy(source, to: target)
        let binaries = cluster.binaries
        let differences = try await RoundTripComparison.differences(
          source.settings, target.settings, binaries: binaries)
        #expect(differences.isEmpty)
        let facts = try await DatabaseFacts(of: source.settings, binaries: binaries)
        #expect(facts.values.count > (kind == .everything ? 1000 : 20))
      }
    }
  }

  /// Changes to a copy, and the fact that must tell of each.
  private static let changes: [(change: String, fact: String)] = [
    ("update app.value_list set body = '\\N ' where id = 24", "rows of app.value_list"),
    ("update app.value_list set double_one = 0 where id = 3", "rows of app.value_list"),
    ("update app.toasted set bytes = set_byte(bytes, 1000001, 1) where id = 3", "rows of app.toasted"),
    ("delete from only app.animals where id = 1", "rows of app.animals"),
    ("insert into app.no_columns default values", "rows of app.no_columns"),
    ("delete from app.moods where body = 'mood 7'", "rows of partitioned table app.moods"),
    ("update app.events set body = 'x' where id = 1", "rows of app.events_2024"),
    ("update ext_tsdb_fixture.settings set value = 'x' where is_own", "rows of ext_tsdb_fixture.settings"),
    (
      "update \"Odd Schema; --\".\"; drop table app.customers; --\" set \"; drop table app.customers; --\" = 7",
      "rows of \"Odd Schema; --\".\"; drop table app.customers; --\""
    ),
    (
      "with gone as (delete from app.unlogged where id = 1 returning *) insert into app.unlogged select * from gone",
      "order of app.unlogged"
    ),
    ("select nextval('app.downward')", "sequence app.downward"),
    ("select setval('app.not_called', 42, true)", "sequence app.not_called"),
    ("refresh materialized view app.not_populated", "rows of materialized view app.not_populated"),
    ("refresh materialized view app.summary with no data", "rows of materialized view app.summary"),
    ("select lo_put(700003, 1500000, 'x')", "large object 700003"),
    ("select lo_unlink(700002)", "large object 700002"),
    ("select lo_from_bytea(700099, '')", "large object 700099"),
    ("alter large object 700006 owner to fixture_owner", "large object 700006"),
    ("revoke select on large object 700005 from public", "large object 700005"),
    ("comment on large object 700001 is 'another'", "large object 700001"),
    ("grant insert on app.empty to fixture_reader", "privileges of table app.empty"),
    (
      "revoke update (mood) on app.customers from fixture_reader",
      "privileges of table column app.customers.mood"
    ),
    ("revoke grant option for usage on schema app from fixture_reader", "privileges of schema app"),
    ("alter function app.names() owner to fixture_owner", "privileges of function app.names()"),
    (
      "alter default privileges in schema other revoke usage on sequences from \"fixture_größe\"",
      "default privileges of postgres in other for S"
    ),
    ("comment on column app.customers.name is null", "comment on table column app.customers.name"),
    ("comment on policy own_rows on app.secrets is 'one line'", "comment on policy own_rows on app.secrets"),
    ("alter table app.customers disable trigger usual", "trigger usual on app.customers"),
    ("alter event trigger never_fires enable", "event trigger never_fires"),
    ("alter table app.secrets no force row level security", "table app.secrets"),
    ("alter table app.customers replica identity default", "table app.customers"),
    ("alter table app.hens drop constraint hens_egg", "constraint hens_egg on app.hens"),
    ("drop index app.customers_lower", "index app.customers_lower"),
    ("alter type app.mood rename value '' to 'empty'", "enum app.mood"),
    ("drop policy unused on app.half_secret", "schema line"),
    ("drop extension tsdb_fixture cascade", "extension tsdb_fixture"),
  ]

  @Test func `a planted difference of each kind is found`() async throws {
    let cluster = try await FixtureInstallation.cluster
    try await withBackupFixture { source in
      let cleanUp = cluster.connect()
      let copy = source.name + "_copy"
      try await cleanUp.run { _ = try $0.execute("create database \(copy) template \(source.name)") }
      let settings = cluster.settings(database: copy)
      do {
        let options: DatabaseFacts.Options = [.order]
        let before = try await DatabaseFacts(
          of: source.settings, binaries: cluster.binaries, options: options)
        let same = try await DatabaseFacts(of: settings, binaries: cluster.binaries, options: options)
        #expect(RoundTripComparison.differences(before, same).isEmpty)
        try await plantAndCompare(settings, before: before, binaries: cluster.binaries)
        // A copy does not take the database's own properties along.
        let properties = try await RoundTripComparison.differences(
          source.settings, settings, binaries: cluster.binaries, options: .database)
        for fact in ["database", "settings of all", "settings of fixture_reader"] {
          #expect(properties.contains { $0.fact == fact }, "\(fact)")
        }
      } catch {
        try? await cleanUp.run { _ = try $0.execute("drop database \(copy) with (force)") }
        throw error
      }
      try await cleanUp.run { _ = try $0.execute("drop database \(copy) with (force)") }
    }
  }

  private func plantAndCompare(
    _ settings: ConnectionSettings, before: DatabaseFacts, binaries: String
  ) async throws {
    let session = Session(settings, applicationName: "planting")
    for (change, _) in Self.changes { try await session.run { _ = try $0.execute(change) } }
    await session.close()
    let after = try await DatabaseFacts(of: settings, binaries: binaries, options: .order)
    let found = RoundTripComparison.differences(before, after)
    for (change, fact) in Self.changes {
      #expect(
        found.contains { fact.hasSuffix("line") ? $0.fact.hasPrefix(fact) : $0.fact == fact },
        "not found: \(change)")
    }
    // What was not touched does not differ.
    #expect(!found.contains { $0.fact == "rows of app.unlogged" || $0.fact == "rows of app.many_pages" })
  }
}
