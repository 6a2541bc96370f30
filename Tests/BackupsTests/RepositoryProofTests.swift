import Archive
import Backups
import Foundation
import SystemPackage
import TestSupport
import Testing
import Timekeeping

struct RepositoryProofTests {
  private func proof(_ kind: Proof.Kind, _ digest: String, _ second: Int64, detail: String? = nil) -> Proof {
    Proof(
      kind: kind, time: UTCTime(secondsSince1970: 1_790_000_000 + second), durationMilliseconds: 5,
      manifestSHA256: digest, tool: "tsdb test", detail: detail)
  }

  @Test func `proofs are read back, those of another manifest and torn lines left out`() throws {
    let root = try TemporaryDirectory()
    let directory = try HeldDirectory(opening: FilePath(root.path))
    #expect(try ProofLog.read(in: directory, manifestSHA256: "a") == [])
    let proofs = [
      proof(.verified, "a", 1), proof(.failed, "b", 2, detail: "line\nbreak"), proof(.proven, "a", 3),
    ]
    for proof in proofs { try ProofLog.append(proof, in: directory) }
    #expect(try ProofLog.read(in: directory, manifestSHA256: "a") == [proofs[0], proofs[2]])
    let text = try root.read("proofs.jsonl")
    #expect(text.split(separator: "\n").count == 3)
    // A run that was killed while it wrote, and one after it.
    for cut in 2..<40 {
      try root.write("proofs.jsonl", String(text.dropLast(cut)))
      #expect(try ProofLog.read(in: directory, manifestSHA256: "a") == [proofs[0]])
      try ProofLog.append(proof(.proven, "a", 4), in: directory)
      #expect(try ProofLog.read(in: directory, manifestSHA256: "a") == [proofs[0], proof(.proven, "a", 4)])
    }
    // Only the line end was missing: nothing of the proof is lost.
    try root.write("proofs.jsonl", String(text.dropLast(1)))
    try ProofLog.append(proof(.proven, "a", 4), in: directory)
    #expect(try ProofLog.read(in: directory, manifestSHA256: "a").count == 3)
    try root.write("proofs.jsonl", "nonsense\n{}\n" + text + "null\n")
    #expect(try ProofLog.read(in: directory, manifestSHA256: "a") == [proofs[0], proofs[2]])
  }

  @Test func `a log that is a link is not written through`() throws {
    let root = try TemporaryDirectory()
    try root.write("outside", "keep")
    try FileManager.default.createDirectory(atPath: root.path("b"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: root.path("b/proofs.jsonl"), withDestinationPath: root.path("outside"))
    let directory = try HeldDirectory(opening: FilePath(root.path("b")))
    #expect(throws: BackupError.self) { try ProofLog.append(proof(.verified, "a", 1), in: directory) }
    #expect(throws: BackupError.self) { _ = try ProofLog.read(in: directory, manifestSHA256: "a") }
    #expect(try root.read("outside") == "keep")
  }

  @Test func `the state follows the proofs`() throws {
    let test = try TestRepository()
    let id = try SampleBackup.write(to: test.repository)
    func entry() throws -> BackupEntry { try test.repository.resolve(id) }
    let digest = try #require(try entry().manifestSHA256)
    #expect(try entry().state == .complete)
    let steps: [(Proof, String)] = [
      (proof(.proven, "other", 0), "complete"), (proof(.verified, digest, 1), "verified"),
      (proof(.proven, digest, 2), "proven"), (proof(.verified, digest, 3), "proven"),
      (proof(.failed, digest, 4, detail: "x"), "damaged"), (proof(.verified, digest, 5), "verified"),
    ]
    for (proof, state) in steps {
      try ProofLog.append(proof, in: try test.repository.open(id).directory)
      #expect(try entry().state.name == state)
    }
    #expect(try entry().state.time == UTCTime(secondsSince1970: 1_790_000_005))
  }
}

struct RepositoryListingTests {
  @Test func `everything in a repository is listed for what it is`() throws {
    let test = try TestRepository()
    let whole = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z", label: "first")
    let damaged = try SampleBackup.write(to: test.repository, time: "2026-11-02T00:00:00Z")
    try test.root.write("backups/\(damaged)/manifest.json", "{}")
    let empty = "20261103T000000Z-app"
    try test.root.write("backups/\(empty)/toc.dat", "")
    try test.root.write("backups/20261104T000000Z-app.partial/toc.dat", "")
    try test.root.write("backups/20261105T000000Z-app.deleting/toc.dat", "")
    try test.root.write("backups/notes/readme", "")
    try test.root.write("backups/file", "")
    let running = try test.repository.beginBackup(
      database: "other", time: try #require(UTCTime("2026-11-06T00:00:00Z")))
    // Beginning one removed the others' leftovers.
    #expect(running.removedLeftovers.count == 2)
    try test.root.write("backups/20261104T000000Z-app.partial/toc.dat", "")
    try test.root.write("backups/20261105T000000Z-app.deleting/toc.dat", "")
    let entries = try test.repository.entries()
    #expect(
      entries.map { "\($0.id) \($0.state.name)" } == [
        "\(whole) complete", "\(damaged) damaged", "\(empty) damaged",
        "20261104T000000Z-app.partial abandoned", "20261105T000000Z-app.deleting deleting",
        "20261106T000000Z-other.partial running",
      ])
    #expect(entries[0].manifest?.label == "first" && entries[0].size ?? 0 > 0)
    #expect(entries[5].database == "other")
    #expect(entries.filter(\.isUsable).map(\.id) == [whole])
  }

  @Test func `a backup is found by id, beginning, label and as the latest`() throws {
    let test = try TestRepository()
    let old = try SampleBackup.write(to: test.repository, time: "2026-11-01T00:00:00Z", label: "before")
    let new = try SampleBackup.write(to: test.repository, time: "2026-11-02T00:00:00Z")
    let other = try SampleBackup.write(to: test.repository, database: "other", time: "2026-11-03T00:00:00Z")
    // A part of a database, and a damaged one, are not the latest.
    try SampleBackup.write(to: test.repository, time: "2026-11-04T00:00:00Z", tables: ["public.orders"])
    let damaged = try SampleBackup.write(to: test.repository, time: "2026-11-05T00:00:00Z")
    try test.root.write("backups/\(damaged)/manifest.json", "")
    func id(_ name: String, _ database: String? = nil) throws -> String {
      try test.repository.resolve(name, database: database).id
    }
    #expect(try id(old) == old && id("20261101") == old && id("before") == old && id("before", "app") == old)
    #expect(try id("latest") == other && id("latest", "app") == new && id(damaged) == damaged)
    for (name, database, text) in [
      ("latest", "nobody", "there is no complete backup of \"nobody\""),
      ("2026", nil, "is the beginning of 5 backups"),
      ("nonsense", nil, "there is no backup \"nonsense\""), ("before", "other", "there is no backup"),
      ("", nil, "there is no backup"), ("../x", nil, "there is no backup"),
    ] as [(String, String?, String)] {
      let error = #expect(throws: BackupError.self) { try id(name, database) }
      #expect(error?.kind == .invalidInput && error?.message.contains(text) == true, "\(name)")
    }
  }

  @Test func `a repository of another user cannot be read`() async throws {
    let test = try TestRepository()
    try SampleBackup.write(to: test.repository)
    guard geteuid() == 0 else { return }
    let nobody = try ToolRun(
      executable: "setpriv",
      ["--reuid", "65534", "--regid", "65534", "--clear-groups", "ls", test.root.path("backups")],
      environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C"])
    let result = try await nobody.finish()
    #expect(result.exitStatus != 0 && result.standardError.contains("Permission denied"), "\(result)")
  }
}
