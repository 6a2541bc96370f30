import Foundation
import TestSupport
import Testing

/// The team's checklists after a deployment of the application's files.
@Suite struct `The deployment checklist` {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
  static let documents = [
    "docs/checklists/deployment.es.md", "docs/checklists/deployment.en.md",
    "Tests/ChecklistsTests/Fixtures/deployment-checklist.es.md",
  ]
  /// The boxes, counted from 1, that the database itself can prove.
  static let provable: Set = [
    1, 5, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 30, 33, 35, 36, 38, 42, 43, 44, 52, 53, 56, 57, 58,
    59,
    60,
  ]
  /// Those that need a person's word.
  static let attested: Set = [6, 7, 8, 9, 10, 11, 13, 32, 39, 47, 48, 49, 50]

  struct Item: Sendable {
    let probe: String
    let state: String
    let observed: String
    let isBox: Bool
  }

  private func items(
    _ project: TestProject, _ document: String, expecting status: Int32 = 0
  ) async throws -> [Item] { try await Self.items(project, document, expecting: status) }

  static func items(
    _ project: TestProject, _ document: String, expecting status: Int32 = 0
  ) async throws -> [Item] {
    let result = try await project.tsdb("checklist run \(root)/\(document) --json")
    #expect(result.exitStatus == status, "\(result)")
    let items = try #require(try result.json()["items"] as? [[String: Any]])
    return items.map {
      Item(
        probe: "\($0["probe"] ?? "")", state: "\($0["state"] ?? "")", observed: "\($0["observed"] ?? "")",
        isBox: "\($0["phase"] ?? "")" != "rollback")
    }
  }

  private func deploy(_ project: TestProject) async throws {
    try project.copyApplication()
    try project.write("./url", "DATABASE_URL=\(project.url ?? "")\n")
    for command in [
      "migrate up", "seed", "backup", "backup verify latest --restore",
      "schedule install --cron --system --name app --into units --environment-file url",
    ] { try await project.done(command) }
    try await project.done("maintain", environment: ["TSDB_TRIGGER": "cron"])
  }

  @Test func `is proved by a finished deployment alone, in every item that the database can prove`()
    async throws
  {
    try await withProject { project, _ in
      try await deploy(project)
      for document in Self.documents {
        let items = try await items(project, document)
        let boxes = items.filter(\.isBox)
        #expect(boxes.count == 62 && items.count == 67)
        for (index, box) in boxes.enumerated() {
          let number = index + 1
          if Self.provable.contains(number) {
            #expect(box.state == "proved", "\(document), \(number): \(box)")
          } else if Self.attested.contains(number) {
            // Nothing outside the database is claimed.
            #expect(box.probe == "attest" && box.state == "unknown", "\(document), \(number): \(box)")
          } else {
            #expect(["proved", "not-applicable", "unknown"].contains(box.state), "\(number): \(box)")
          }
        }
      }
    }
  }

  @Test func `has its restore proved by a restore that was swapped in`() async throws {
    try await withProject { project, _ in
      try await deploy(project)
      var restored = try #require(
        try await items(project, Self.documents[0]).first { $0.probe == "rollback.restored" })
      #expect(restored.state == "not-applicable")
      try await project.done("restore latest --swap --yes")
      // The records of runs are those of the backup, from before the scheduler ran.
      restored = try #require(
        try await items(project, Self.documents[0], expecting: 2).first { $0.probe == "rollback.restored" })
      #expect(restored.state == "proved", "\(restored)")
    }
  }

  @Test(arguments: documents) func `is bound to probes that there are`(document: String) async throws {
    let list = try await TestProject(nil).tsdb("checklist list \(Self.root)/\(document) --json").json()
    let items = try #require(list["items"] as? [[String: Any]])
    #expect(items.count == 67)
    #expect(items.allSatisfy { $0["is_known"] as? Bool == true }, "\(items)")
  }

  @Test func `proves nothing of a database with nothing in it but that it is there`() async throws {
    try await withProject { project, _ in
      try project.copyApplication()
      let result = try await project.tsdb("checklist run \(Self.root)/\(Self.documents[0]) --json")
      #expect(result.exitStatus == 2)
      let items = try #require(try result.json()["items"] as? [[String: Any]])
      let proved = Set(
        items.filter { $0["state"] as? String == "proved" }.compactMap { $0["probe"] as? String })
      #expect(
        proved.isSubset(of: ["database.reachable", "environment.connection", "rollback.stopped"]), "\(proved)"
      )
    }
  }
}
