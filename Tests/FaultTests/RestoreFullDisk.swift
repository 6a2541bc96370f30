import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Restores on a server whose disk is full at some moment.
  @Suite(.serialized, .enabled(if: SmallDisk.isPossible)) struct `Full disks of servers` {
    @Test func `a restore that runs out of space drops what it made and says what to do`() async throws {
      try await PostgresCluster.with { cluster in
        let disk = try SmallDisk(size: 256 << 20)
        let place = disk.path + "/space"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        try giveToServerAccount(place)
        try await cluster.connect().run { _ = try $0.execute("create tablespace small location '\(place)'") }
        // Backup and restore go to the same tablespace.
        let source = try await BackupSource.on(cluster, options: "tablespace small")
        let restore = try await RestoredInto.prepare(on: cluster)
        let before = disk.usage.bytes
        try await expectDone(RestoredInto.command, in: restore.project, url: source.database.url)
        try await cluster.connect().run { _ = try $0.execute("checkpoint") }
        let needed = disk.usage.bytes - before
        try await restore.surroundings.dropAll()
        try await cluster.connect().run { _ = try $0.execute("checkpoint") }
        var generator = SeededGenerator()
        for round in 0..<(2 + FaultCount.rounds(share: 0.3)) {
          let room =
            round == 0
            ? 64 << 10 : round == 1 ? needed * 9 / 10 : Int.random(in: 0..<needed, using: &generator)
          try disk.resize(to: disk.usage.bytes + room)
          try await fill(restore, source, disk, what: "room for \(room) of \(needed) bytes")
        }
        try? await cluster.connect().run {
          _ = try $0.execute("drop database \(source.database.name) (force)")
        }
      }
    }

    private func fill(_ restore: RestoredInto, _ source: BackupSource, _ disk: SmallDisk, what: String)
      async throws
    {
      let url = source.database.url
      let result = try await run(RestoredInto.command, in: restore.project, url: url)
      if result.exitStatus != 0 {
        #expect(result.exitStatus == 1, "\(what): \(result)")
        #expect(result.standardError.contains("sqlstate: 53100"), "\(what): \(result)")
        #expect(result.standardError.contains("make room"), "\(what): \(result)")
      }
      do {
        try await restore.checkInterrupted(result)
        try disk.resize(to: 256 << 20)
        let again = try await run(RestoredInto.command, in: restore.project, url: url)
        #expect(again.exitStatus == 0, "\(what): \(result)\nthen \(again)")
        try await restore.checkFinished([again])
      } catch {
        Issue.record("\(what): \(error)\n\(result)")
        try disk.resize(to: 256 << 20)
      }
      try await restore.surroundings.dropAll()
      try await source.database.cluster.connect().run { _ = try $0.execute("checkpoint") }
    }
  }
}
