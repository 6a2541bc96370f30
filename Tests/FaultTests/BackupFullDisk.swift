import Foundation
import TestSupport
import Testing

extension Faults {
  /// Backups that find no room at some moment.
  @Suite(.serialized, .enabled(if: SmallDisk.isPossible)) struct `Full disks` {
    /// What a whole backup needs while it is made, bytes and files.
    private static let needed = Task { () async throws -> (bytes: Int, files: Int) in
      let source = try await BackupSource.on(try await PostgresCluster.shared)
      let disk = try SmallDisk(size: 64 << 20)
      let project = try TemporaryDirectory()
      try await expectDone(
        BackupTaken.command + ["--to", disk.path + "/backups"], in: project, url: source.database.url)
      return disk.usage
    }

    @Test func `a backup that runs out of space leaves nothing and says what to do`() async throws {
      let needed = try await Self.needed.value
      var generator = SeededGenerator()
      // The first bytes and the last ones by all means.
      var sizes = [4096, needed.bytes - 4096]
      for _ in 0..<FaultCount.rounds(share: 0.5) {
        // In turn anywhere, and near the end, where the small files are.
        let isAnywhere = sizes.count.isMultiple(of: 2)
        sizes.append(
          Int.random(
            in: isAnywhere ? 4096...needed.bytes : (needed.bytes - 80_000)...needed.bytes, using: &generator))
      }
      for size in sizes { try await fill(size: size, files: nil) }
    }

    @Test func `a backup that runs out of files leaves nothing and says what to do`() async throws {
      let needed = try await Self.needed.value
      var generator = SeededGenerator()
      var counts = [2, needed.files - 1]
      for _ in 0..<FaultCount.rounds(share: 0.3) {
        counts.append(Int.random(in: 2..<needed.files, using: &generator))
      }
      for count in counts { try await fill(size: 64 << 20, files: count) }
    }

    /// Has a backup made where it may not fit, then makes room and has it made again.
    private func fill(size: Int, files: Int?) async throws {
      let source = try await BackupSource.on(try await PostgresCluster.shared)
      let disk = try SmallDisk(size: size, files: files)
      let project = try TemporaryDirectory()
      let repository = FaultRepository(
        at: disk.path + "/backups", in: project, cluster: source.database.cluster)
      let command = BackupTaken.command + ["--to", repository.path]
      let url = source.database.url
      let first = try await run(command, in: project, url: url)
      let left = repository.leftovers
      let what = "size \(size), files \(files.map(String.init) ?? "any"): \(first)"
      if first.exitStatus == 0 {
        #expect(repository.backups.count == 1, "\(what)")
      } else {
        #expect(first.exitStatus == 1, "\(what)")
        #expect(first.standardError.contains("free some space"), "\(what)")
        #expect(first.standardError.localizedCaseInsensitiveContains("no space left on device"), "\(what)")
        #expect(repository.backups.isEmpty, "\(what)")
        #expect(left.allSatisfy(first.standardError.contains), "\(left), \(what)")
      }
      try await repository.expectWholeBackups(of: source, url: url)
      try disk.resize(to: 64 << 20)
      let second = try await run(command, in: project, url: url)
      #expect(second.exitStatus == 0, "\(what)\nthen \(second)")
      #expect(left.allSatisfy { second.standardError.contains($0) }, "\(left), \(second)")
      #expect(repository.leftovers.isEmpty, "\(what)\nthen \(second)")
      try await repository.expectWholeBackups(of: source, url: url)
    }
  }
}
