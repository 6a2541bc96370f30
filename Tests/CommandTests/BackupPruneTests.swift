import Backups
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct `backup prune` {
  private func history(_ test: BackupProject, days: Int) throws -> [String] {
    try (1...days).map { day in
      try SampleBackup.write(
        to: test.repository, time: "2026-11-\(day < 10 ? "0" : "")\(day)T03:00:00Z")
    }
  }

  private let policy =
    "--keep-last 1 --keep-daily 2 --keep-weekly 0 --keep-monthly 0 --keep-hourly 0 --keep-yearly 0"

  @Test func `shows what it would remove and why the others stay, and removes it with --yes`() async throws {
    let test = try BackupProject()
    let ids = try history(test, days: 5)
    try await test.project.done("backup verify \(ids[0])")
    let before = try test.names
    let preview = try await test.project.done("backup prune --dry-run \(policy)")
    #expect(preview.contains("keep    \(ids[4])  newest, one of the last 1, daily 2026-11-05"))
    #expect(preview.contains("keep    \(ids[0])  newest verified"))
    #expect(preview.contains("remove  \(ids[1])"))
    #expect(preview.contains("would remove 2 backups"))
    #expect(try test.names == before)
    try await test.project.tsdb("backup prune \(policy)").expect(64, "needs to be confirmed", "--yes")
    #expect(try test.names == before)
    #expect(try await test.project.done("backup prune --yes \(policy)").contains("removed 2 backups"))
    #expect(try test.names == [ids[0], ids[3], ids[4]])
    #expect(try await test.project.done("backup prune --yes \(policy)").contains("nothing to remove"))
  }

  @Test func `takes its policy from the configuration`() async throws {
    let test = try BackupProject()
    let ids = try history(test, days: 4)
    try test.project.write(
      "tsdb.yaml", "backup:\n  keep: { last: 2, daily: 0, weekly: 0, monthly: 0 }\n")
    try await test.project.done("backup prune --yes")
    #expect(try test.names == [ids[2], ids[3]])
    try await test.project.done(
      "backup prune --yes", environment: ["TSDB_BACKUP_KEEP_LAST": "1"])
    #expect(try test.names == [ids[3]])
  }

  @Test func `leaves what is damaged or being read, and finishes what a killed run left`() async throws {
    let test = try BackupProject()
    let ids = try history(test, days: 4)
    try test.project.directory.write("backups/\(ids[0])/manifest.json", "")
    try test.project.directory.write("backups/20261020T000000Z-app.deleting/toc.dat", "")
    try test.project.directory.write("backups/20261021T000000Z-app.partial/toc.dat", "")
    let held = try test.repository.open(ids[1])
    let result = try await test.project.tsdb("backup prune --yes \(policy)")
    result.expect(0, "\(ids[1]) is being read and was not removed")
    #expect(result.standardOutput.contains("damaged \(ids[0])"))
    #expect(result.standardOutput.contains("removed 20261020T000000Z-app.deleting"))
    #expect(result.standardOutput.contains("removed 20261021T000000Z-app.partial"))
    #expect(try test.names == ids)
    withExtendedLifetime(held) {}
  }

  @Test func `keeps the newest that is good, whatever came after it damaged`() async throws {
    let test = try BackupProject()
    let ids = try history(test, days: 4)
    // Their manifests can be read: only the check of their files says that something is wrong.
    for id in ids[2...] {
      try test.project.directory.write("backups/\(id)/config/roles.sql", "drop table everything;")
      try await test.project.tsdb("backup verify \(id)").expect(2)
    }
    let result = try await test.project.tsdb(
      "backup prune --yes --keep-last 1 --keep-daily 0 --keep-weekly 0 --keep-monthly 0")
    result.expect(0)
    for id in ids[2...] { #expect(result.standardOutput.contains("damaged \(id)")) }
    #expect(try test.names == Array(ids[1...]))
  }

  @Test func `that is killed at any moment leaves whole backups and named leftovers, and the next finishes`()
    async throws
  {
    var leftovers = 0
    let rounds = FaultCount.isFull ? 60 : 4
    for round in 0..<rounds {
      let test = try BackupProject()
      let ids = try history(test, days: 5)
      for id in ids.prefix(3) {
        for number in 0..<300 { try test.project.directory.write("backups/\(id)/config/\(number)", "") }
      }
      let run = try ToolRun.start(
        ["backup", "prune", "--yes"] + policy.split(separator: " ").map(String.init),
        environment: test.project.environment(), directory: test.project.directory.path)
      // Once the first is gone, and a little later each round.
      while run.isRunning, FileManager.default.fileExists(atPath: test.path(ids[0])) { usleep(100) }
      usleep(UInt32(round * 400))
      run.send(signal: SIGKILL)
      _ = try await run.finish()
      for name in try test.names {
        if name.hasSuffix(".deleting") {
          leftovers += 1
        } else {
          let entry = try test.repository.resolve(name)
          #expect(entry.isUsable && entry.id == name)
          // Not one file of a backup that still has its name is gone.
          let files = try FileManager.default.contentsOfDirectory(atPath: test.path(name + "/config")).count
          #expect(files == (ids[3...].contains(name) ? 1 : 301))
        }
      }
      try await test.project.done("backup prune --yes \(policy)")
      #expect(try test.names == [ids[3], ids[4]])
    }
    #expect(leftovers > 0, "no run was met while it removed")
  }
}
