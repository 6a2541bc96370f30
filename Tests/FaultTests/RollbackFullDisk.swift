import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Rollbacks on a server whose disk is full.
  @Suite(.serialized, .enabled(if: SmallDisk.isPossible)) struct `Full disks under rollbacks` {
    private static let id = "20260101T000000Z-full"

    @Test func `leave the live database as it was, and the same command continues`() async throws {
      try await PostgresCluster.with { cluster in
        let disk = try SmallDisk(size: 256 << 20)
        let place = disk.path + "/space"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        try giveToServerAccount(place)
        try await cluster.connect().run { _ = try $0.execute("create tablespace small location '\(place)'") }
        let source = try await BackupSource.on(cluster, options: "tablespace small")
        let project = try TemporaryDirectory()
        let backup = project.path("backups/before")
        try await PreparedBackup.of(source).copy(to: backup)
        let live = source.database
        try await live.reconnected().execute("delete from middle; checkpoint")
        let failed = try await BackupSource.content(of: live.reconnected())
        try FailedDeployment.record(id: Self.id, in: project, of: live.name, backup: backup)

        let command = ["rollback", "--yes", "--jobs", "2"]
        for room in [64 << 10, 8 << 20] {
          try disk.resize(to: disk.usage.bytes + room)
          let result = try await run(command, in: project, url: live.url)
          #expect(result.exitStatus == 1, "\(result)")
          for text in ["sqlstate: 53100", "make room", "is the one that the deployment left"] {
            #expect(result.standardError.contains(text), "no \"\(text)\" in \(result)")
          }
          #expect(try await BackupSource.content(of: live.reconnected()) == failed)
          let record = try FailedDeployment.read(Self.id, in: project)
          #expect(record.state == .rollingBack)
          #expect(record.rollback?.steps.map(\.outcome) == [.failed])
          #expect(try await others(live) == [], "\(result)")
          try await cluster.connect().run { _ = try $0.execute("checkpoint") }
        }
        try disk.resize(to: 256 << 20)
        let done = try await run(command, in: project, url: live.url)
        #expect(done.exitStatus == 0, "\(done)")
        #expect(try await BackupSource.content(of: live.reconnected()) == source.content)
        #expect(try await others(live).count == 1)
        #expect(try FailedDeployment.read(Self.id, in: project).rollback?.steps.first?.attempts == 3)
      }
    }

    private func others(_ live: TestDatabase) async throws -> [String] {
      try await live.cluster.connect().run { [name = live.name] connection in
        try connection.query(
          "select datname from pg_database where not datistemplate and datname not in ('postgres', '\(name)')"
        ).rows().compactMap { $0[0] }
      }
    }
  }
}
