import Backups
import Foundation
import SystemPackage
import TestSupport
import Testing
import Timekeeping

/// A repository in a temporary directory.
struct TestRepository {
  let root: TemporaryDirectory
  let repository: BackupRepository

  init() throws {
    root = try TemporaryDirectory()
    repository = try BackupRepository(creating: FilePath(root.path("backups")))
  }

  func path(_ name: String) -> String { root.path("backups/" + name) }

  var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: root.path("backups")).filter { $0 != ".lock" }
        .sorted()
    }
  }

  /// A finished backup whose manifest and table of contents are no more than their names.
  @discardableResult
  func makeBackup(_ database: String = "app", _ time: String = "2026-11-24T08:36:57Z") throws -> String {
    let partial = try repository.beginBackup(database: database, time: try #require(UTCTime(time)))
    try fill(partial)
    try partial.complete()
    return partial.id
  }

  func fill(_ partial: PartialBackup) throws {
    for name in ["manifest.json", "toc.dat"] {
      let file = try partial.directory.createFile(name)
      try file.closeAfter { _ = try file.writeAll("{}".utf8) }
    }
  }
}

func permissions(_ path: String) throws -> Int? {
  try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
}

struct RepositoryTests {
  @Test func `a repository is made with the directories above it, for its owner alone`() throws {
    let root = try TemporaryDirectory()
    let repository = try BackupRepository(creating: FilePath(root.path("a/b/backups")))
    #expect(try permissions(root.path("a/b/backups")) == 0o700)
    #expect(try repository.isOpenToOthers() == false)
    #expect(try repository.freeSpace() > 0)
    chmod(root.path("a/b/backups"), 0o755)
    #expect(try repository.isOpenToOthers())
  }

  @Test func `a repository that is not there is none, and a file is refused`() throws {
    let root = try TemporaryDirectory()
    #expect(try BackupRepository.existing(at: FilePath(root.path("none"))) == nil)
    let file = FilePath(try root.write("file", "x"))
    let error = #expect(throws: BackupError.self) { _ = try BackupRepository.existing(at: file) }
    #expect(error?.message == "cannot open directory \"\(file)\": not a directory")
    #expect(throws: BackupError.self) { _ = try BackupRepository(creating: file) }
    #expect(throws: BackupError.self) { _ = try BackupRepository(creating: file.appending("below")) }
  }

  @Test func `a backup gets its name when it is complete`() throws {
    let test = try TestRepository()
    let partial = try test.repository.beginBackup(
      database: "app", time: try #require(UTCTime("2026-11-24T08:36:57Z")))
    #expect(partial.id == "20261124T083657Z-app")
    #expect(try test.names == ["20261124T083657Z-app.partial"])
    #expect(try permissions(partial.path.string) == 0o700)
    let early = #expect(throws: BackupError.self) { try partial.complete() }
    #expect(early?.message == "the backup cannot be completed: \"manifest.json\" is missing")
    try test.fill(partial)
    #expect(try permissions(partial.path.appending("toc.dat").string) == 0o600)
    try partial.complete()
    #expect(try test.names == ["20261124T083657Z-app"])
    // A discard that comes too late takes nothing away.
    try partial.discard()
    #expect(try test.names == ["20261124T083657Z-app"])
  }

  @Test func `backups of one second get different names`() throws {
    let test = try TestRepository()
    let ids = try (0..<3).map { _ in try test.makeBackup() }
    #expect(ids == ["20261124T083657Z-app", "20261124T083657Z-app-2", "20261124T083657Z-app-3"])
  }

  @Test(arguments: [
    ("app", "app"), ("../../etc", "______etc"), ("größe", "gr__e"), ("a b\n", "a_b_"), ("", "_"), (".", "_"),
    ("x.partial", "x_partial"),
  ])
  func `a database's name is made safe for a file name`(database: String, safe: String) throws {
    let test = try TestRepository()
    #expect(try test.makeBackup(database) == "20261124T083657Z-" + safe)
  }

  @Test func `two backups of one database at once are refused, of two databases not`() throws {
    let test = try TestRepository()
    let first = try test.repository.beginBackup(database: "app")
    let again = try BackupRepository(opening: test.repository.path)
    let error = #expect(throws: BackupError.self) { _ = try again.beginBackup(database: "app") }
    #expect(error?.kind == .tryAgain)
    #expect(error?.message == "another backup of \"app\" is being written")
    #expect(error?.detail?.contains("by process \(getpid())") == true)
    let other = try again.beginBackup(database: "other")
    #expect(other.removedLeftovers.isEmpty)
    try first.discard()
    _ = try again.beginBackup(database: "app")
  }

  @Test func `of many that begin at once, one goes on`() async throws {
    let test = try TestRepository()
    let begun = await withTaskGroup(of: PartialBackup?.self) { group in
      for _ in 0..<20 { group.addTask { try? test.repository.beginBackup(database: "app") } }
      return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
    }
    #expect(begun.count == 1)
    #expect(try test.names.count == 1)
  }

  @Test func `what a dropped backup left is listed, named and removed by the next`() throws {
    let test = try TestRepository()
    var partial: PartialBackup? = try test.repository.beginBackup(
      database: "app", time: try #require(UTCTime("2026-11-24T08:36:57Z")))
    let running = try #require(try test.repository.leftovers().first)
    #expect(running.isInUse && running.database == "app" && running.holder == "\(getpid())")
    #expect(running.time?.description == "2026-11-24T08:36:57Z")
    _ = partial
    partial = nil
    #expect(try test.repository.leftovers().map(\.isInUse) == [false])
    let next = try test.repository.beginBackup(database: "app")
    #expect(next.removedLeftovers == ["20261124T083657Z-app.partial"])
    #expect(try test.names == [next.partialName])
  }

  @Test func `a symbolic link in place of a leftover or a backup is not followed`() throws {
    let test = try TestRepository()
    try test.root.write("outside/manifest.json", "keep")
    for name in ["20261124T083657Z-app", "20261124T083658Z-app.partial", "20261124T083659Z-app.deleting"] {
      try FileManager.default.createSymbolicLink(
        atPath: test.path(name), withDestinationPath: test.root.path("outside"))
    }
    #expect(try test.repository.leftovers().isEmpty)
    #expect(try test.repository.remove("20261124T083657Z-app") == .absent)
    let error = #expect(throws: BackupError.self) { _ = try test.repository.open("20261124T083657Z-app") }
    #expect(error?.message.hasSuffix("is a symbolic link") == true)
    _ = try test.repository.beginBackup(database: "app")
    #expect(try test.root.read("outside/manifest.json") == "keep")
  }

  @Test func `a link inside a leftover is removed, not what it points to`() throws {
    let test = try TestRepository()
    try test.root.write("outside/file", "keep")
    try test.root.write("backups/20261124T083657Z-app.deleting/config/x", "x")
    try FileManager.default.createSymbolicLink(
      atPath: test.path("20261124T083657Z-app.deleting/config/out"),
      withDestinationPath: test.root.path("outside"))
    #expect(try test.repository.removeLeftovers(isDryRun: true) == ["20261124T083657Z-app.deleting"])
    #expect(try test.names.count == 1)
    #expect(try test.repository.removeLeftovers() == ["20261124T083657Z-app.deleting"])
    #expect(try test.names.isEmpty)
    #expect(try test.root.read("outside/file") == "keep")
  }

  @Test func `a backup with a link in it is not completed`() throws {
    let test = try TestRepository()
    let partial = try test.repository.beginBackup(database: "app")
    try test.fill(partial)
    try FileManager.default.createSymbolicLink(
      atPath: partial.path.appending("1.dat").string, withDestinationPath: "/etc/passwd")
    #expect(throws: BackupError.self) { try partial.complete() }
    #expect(try test.names == [partial.partialName])
  }

  @Test func `a backup that is read is not removed`() throws {
    let test = try TestRepository()
    let id = try test.makeBackup()
    do {
      let held = try test.repository.open(id)
      let alsoHeld = try HeldBackup.open(test.repository.path.appending(id))
      #expect(held.id == alsoHeld.id)
      #expect(try test.repository.remove(id) == .inUse)
      withExtendedLifetime((held, alsoHeld)) {}
    }
    #expect(try test.names == [id])
    #expect(try test.repository.remove(id) == .removed)
    #expect(try test.names.isEmpty)
    #expect(try test.repository.remove(id) == .absent)
    #expect(throws: BackupError.self) { _ = try test.repository.open(id) }
  }

  @Test(arguments: ["..", ".", "", "a/b", "/etc", ".lock", "20261124T083657Z-app.partial"])
  func `names that lead out of the repository or to unfinished backups are refused`(name: String) throws {
    let test = try TestRepository()
    #expect(throws: BackupError.self) { _ = try test.repository.open(name) }
    #expect(try test.repository.remove(name) == .absent)
  }

  @Test func `the time in a name is read back`() {
    #expect(UTCTime("2026-11-24T08:36:57Z")?.compact == "20261124T083657Z")
    #expect(UTCTime("2026-11-24T08:36:57.123456Z")?.description == "2026-11-24T08:36:57Z")
    for text in [
      "2026-02-30T00:00:00Z", "2026-11-24T08:36:57", "2026-11-24 08:36:57Z", "2026-13-01T00:00:00Z",
      "2026-11-24T24:00:00Z", "2026-11-24T08:36:57.Z", "", "Z",
    ] { #expect(UTCTime(text) == nil, "\(text)") }
  }

  @Test func `dates agree with Foundation's calendar`() throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
    for seconds in stride(from: Int64(-3_000_000_000), through: 5_000_000_000, by: 7_654_321) {
      let time = UTCTime(secondsSince1970: seconds)
      let parts = calendar.dateComponents(
        [.year, .month, .day, .hour, .minute, .second],
        from: Date(timeIntervalSince1970: TimeInterval(seconds)))
      #expect(time.date == (parts.year ?? 0, parts.month ?? 0, parts.day ?? 0))
      #expect(time.clock == (parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0))
      #expect(UTCTime(time.description) == time)
    }
  }
}
