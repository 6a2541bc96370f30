import Foundation
import Postgres
import SystemPackage
import TestSupport
import Testing

@testable import Backups

/// Archives that pg_dump wrote, restored by us.
@Suite struct `a restored archive of pg_dump` {
  @Test(arguments: BackupFixture.Kind.allCases, ["-Fd", "-Fc"])
  func `is the database that was dumped`(kind: BackupFixture.Kind, format: String) async throws {
    try await withBackupFixture(kind) { database in
      let directory = try TemporaryDirectory()
      let archive = try await database.dump(directory, [format])
      let name = database.name("copy")
      let report = try await database.restore(archive, into: name)
      #expect(report.checked == "content")
      let differences = try await RoundTripComparison.differences(
        database.settings, database.cluster.settings(database: name), binaries: database.cluster.binaries,
        options: .database)
      #expect(differences.map(\.description) == [])
      try await database.dropDatabase(name)
    }
  }

  @Test func `is what pg_restore makes of it`() async throws {
    try await withBackupFixture { database in
      let directory = try TemporaryDirectory()
      let archive = try await database.dump(directory, ["--compress", "0"])
      let (ours, theirs) = (database.name("ours"), database.name("theirs"))
      _ = try await database.restore(archive, into: ours)
      try await database.cluster.connect().run { connection in
        _ = try connection.execute(
          "create database \(Quoting.identifier(theirs)) template template0 encoding 'UTF8'")
      }
      let settings = database.cluster.settings(database: theirs)
      let run = try ToolRun(
        executable: database.cluster.executable("pg_restore"), ["-d", theirs, "-j2", archive.string],
        environment: settings.toolEnvironment)
      let result = try await run.finish(within: .seconds(300))
      #expect(result.exitStatus == 0, "\(result)")
      let differences = try await RoundTripComparison.differences(
        settings, database.cluster.settings(database: ours), binaries: database.cluster.binaries)
      #expect(differences.map(\.description) == [])
      for name in [ours, theirs] { try await database.dropDatabase(name) }
    }
  }
}
