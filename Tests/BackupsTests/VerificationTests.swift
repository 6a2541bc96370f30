import Backups
import Compression
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

struct VerificationTests {
  private func verify(
    _ test: TestRepository, _ id: String, jobs: Int = 2, depth: BackupVerification.Depth = .rows
  ) async throws -> VerificationResult {
    try await BackupVerification(try test.repository.open(id), jobs: jobs, depth: depth).run()
  }

  private func findings(
    _ test: TestRepository, _ id: String, depth: BackupVerification.Depth = .rows
  ) async throws -> [String] {
    try await verify(test, id, depth: depth).findings.map { "\($0.path): \($0.problem)" }
  }

  private func bytes(_ test: TestRepository, _ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: test.path(name))))
  }

  private func write(_ bytes: [UInt8], _ test: TestRepository, _ name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: test.path(name)))
  }

  @Test(arguments: ["none", "isal:0", "isal:2", "gzip:1", "gzip:9"], [1, 4])
  func `a backup that is whole has no findings`(compression: String, jobs: Int) async throws {
    let test = try TestRepository()
    let compression = try #require(DataCompression(argument: compression))
    let id = try SampleBackup.write(to: test.repository, compression: compression)
    let seen = Mutex<[VerificationProgress]>([])
    let result = try await BackupVerification(try test.repository.open(id), jobs: jobs) { progress in
      seen.withLock { $0.append(progress) }
    }.run()
    #expect(result.findings == [])
    #expect(result.isWhole && result.tables == 3 && result.rows == 602 && result.files == 5)
    #expect(result.manifestSHA256?.count == 64)
    let last = try #require(seen.withLock { $0.max { $0.done < $1.done } })
    #expect(last.done <= last.total && last.done > result.bytes)
  }

  @Test(arguments: [BackupVerification.Depth.rows, .digests])
  func `every file that is flipped, cut, extended, emptied, swapped or missing is found`(
    depth: BackupVerification.Depth
  ) async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    let names = ["toc.dat", "11.dat.gz", "12.dat.gz", "13.dat.gz", "config/roles.sql", "manifest.json"]
    var count = 0
    for (index, name) in names.enumerated() {
      let path = id + "/" + name
      let sound = try bytes(test, path)
      var damages: [(String, [UInt8])] = [
        ("emptied", []), ("cut", sound.dropLast()), ("extended", sound + [0]),
        ("swapped", try bytes(test, id + "/" + names[(index + 1) % names.count])),
      ]
      for place in stride(from: 0, to: sound.count, by: max(1, sound.count / 40)) {
        var flipped = sound
        flipped[place] ^= 1 << UInt8(place % 8)
        damages.append(("flipped at \(place)", flipped))
      }
      for (damage, bytes) in damages {
        try write(bytes, test, path)
        let result = try await verify(test, id, depth: depth)
        #expect(result.findings.contains { $0.path == name }, "\(name) \(damage)")
        count += 1
      }
      try FileManager.default.removeItem(atPath: test.path(path))
      #expect(
        try await verify(test, id, depth: depth).findings.contains { $0.path == name }, "\(name) missing")
      try write(sound, test, path)
    }
    #expect(count > 150)
    #expect(try await verify(test, id, depth: depth).isWhole)
  }

  @Test func `all findings are listed, not only the first`() async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    try write(Array("x".utf8), test, id + "/11.dat")
    try FileManager.default.removeItem(atPath: test.path(id + "/12.dat.gz"))
    try FileManager.default.removeItem(atPath: test.path(id + "/config/roles.sql"))
    try FileManager.default.createSymbolicLink(
      atPath: test.path(id + "/config/roles.sql"), withDestinationPath: "/etc/passwd")
    let size = try bytes(test, id + "/13.dat.gz").count
    try write([], test, id + "/13.dat.gz")
    #expect(
      try await findings(test, id) == [
        "11.dat: it is not in the manifest; pg_restore might read it in place of another file",
        "12.dat.gz: the file is missing", "13.dat.gz: it has 0 bytes instead of \(size)",
        "config/roles.sql: it is a symbolic link, not a regular file",
      ])
  }

  @Test func `a damaged piece is named by its place`() async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository, compression: .none)
    var data = try bytes(test, id + "/11.dat")
    data[data.count / 2] ^= 1
    try write(data, test, id + "/11.dat")
    let findings = try await findings(test, id)
    #expect(findings.count == 2)
    #expect(findings.contains("11.dat: its SHA-256 differs"))
    #expect(findings.contains { $0.hasPrefix("11.dat: file \"11.dat\" is damaged in the piece at byte ") })
  }

  @Test func `a backup under the name of another is found`() async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    try FileManager.default.moveItem(
      atPath: test.path(id), toPath: test.path("20270101T000000Z-app"))
    #expect(try await findings(test, "20270101T000000Z-app").count == 1)
    // A name that says nothing of a time is a person's choice.
    try FileManager.default.moveItem(
      atPath: test.path("20270101T000000Z-app"), toPath: test.path("before-upgrade"))
    #expect(try await findings(test, "before-upgrade").isEmpty)
  }

  @Test func `a verification that is cancelled ends`() async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    let backup = try test.repository.open(id)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await BackupVerification(backup, jobs: 2).run()
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func `a backup is not removed while it is verified, and is afterwards`() async throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    let removals = Mutex<[BackupRepository.Removal]>([])
    let repository = test.repository
    let result = try await BackupVerification(try repository.open(id), jobs: 2) { _ in
      removals.withLock { list in list += (try? repository.remove(id)).map { [$0] } ?? [] }
    }.run()
    #expect(result.isWhole)
    #expect(removals.withLock { !$0.isEmpty && $0.allSatisfy { $0 == .inUse } })
    #expect(try repository.remove(id) == .removed)
  }
}
