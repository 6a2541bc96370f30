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

  @Test func `a planted difference of each kind is found`() async throws {
    let cluster = try await FixtureInstallation.cluster
    try await withBackupFixture { source in
      let before = try await DatabaseFacts(
        of: source.settings, binaries: cluster.binaries, options: [.order, .database])
      for (change, fact) in Self.changes {
        // A change is undone with its transaction, so it is read in a copy made from the source.
        let copy = "copy_of_\(source.name)"
        try await source.reconnected().drop(copy)
        try await cluster.connect().run { connection in
          _ = try connection.execute("create database \(copy) template \(source.name)")
        }
        let settings = cluster.settings(database: copy)
        try await cluster.connect(database: copy).run { _ = try $0.execute(change) }
        let after = try await DatabaseFacts(of: settings, binaries: cluster.binaries, options: [.order])
        let differences = RoundTripComparison.differences(before, after)
        #expect(differences.contains { $0.fact.hasPrefix(fact) }, "\(change): \(differences)")
      }
    }
  }
}
