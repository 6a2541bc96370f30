import Foundation
import TestSupport
import Testing

/// Five small files with an order, each verified, and a seed.
let deployedFiles: KeyValuePairs<String, String> = [
  "one.sql": "create table one (i int primary key, name text);",
  "one.verify.sql": "select i, name from one;",
  "two.sql": "-- tsdb: requires one\ncreate table two (i int primary key references one);",
  "three.sql":
    "-- tsdb: requires two\ncreate materialized view three as select count(*) as n from one;\ncreate unique index on three (n);",
  "four.sql":
    "-- tsdb: requires three\ncreate table four (i int primary key);\ninsert into four values (1), (2);",
  "five.sql": "-- tsdb: requires four\ncreate table five (i int primary key);",
  "seeds/first.sql": "insert into one values (1, 'first') on conflict do nothing;",
]

let deployChecklist = """
  ## Deployment
  - [ ] backup <!-- tsdb: backup.proven -->
  - [ ] plan <!-- tsdb: rollback.plan -->
  - [ ] migrations <!-- tsdb: migrations.applied -->
  - [ ] a person's <!-- tsdb: attest -->

  """

extension TestProject {
  /// The recorded deployments, oldest first.
  func deployments() throws -> [[String: Any]] {
    let root = directory.path(".tsdb/deployments")
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).filter { $0 != "lock" }
    return try names.sorted().map { name in
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)/record.json"))
      return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
  }

  func deployment() throws -> [String: Any] {
    let all = try deployments()
    #expect(all.count == 1)
    return try #require(all.last)
  }

  /// Every file below the project's directory, with its size and time, but what the server of a proof left.
  func listing() throws -> [String] {
    let root = directory.path("")
    let names = (FileManager.default.enumerator(atPath: root)?.allObjects as? [String]) ?? []
    return try names.sorted().map { name in
      let facts = try FileManager.default.attributesOfItem(atPath: root + "/" + name)
      return "\(name) \(facts[.size] ?? 0) \(facts[.modificationDate] ?? "")"
    }
  }

  /// All that is written into `.tsdb/deployments` and what the table holds.
  func allWritten(_ database: TestDatabase) async throws -> String {
    let root = directory.path(".tsdb")
    let names = (FileManager.default.enumerator(atPath: root)?.allObjects as? [String]) ?? []
    var text = names.map { (try? String(contentsOfFile: root + "/" + $0, encoding: .utf8)) ?? "" }.joined()
    text += try await database.value("select string_agg(detail::text, '') from tsdb.deployments") ?? ""
    text += try await database.value("select string_agg(r::text, '') from tsdb.job_runs as r") ?? ""
    return text
  }
}

extension [String: Any] {
  func step(_ name: String) -> [String: Any]? {
    (self["steps"] as? [[String: Any]])?.first { $0["step"] as? String == name }
  }

  func outcome(_ step: String) -> String? { self.step(step)?["outcome"] as? String }
  var state: String? { self["state"] as? String }

  /// `step outcome`, in the order in which they run.
  var outcomes: [String] {
    ["preflight", "backup", "prove", "migrate", "seed", "refresh", "verify", "smoke", "schedule", "report"]
      .compactMap { step in outcome(step).map { "\(step) \($0)" } }
  }
}

extension TestDatabase {
  /// What users have, without what tsdb keeps of itself.
  func contents() async throws -> String {
    try await dump().split(separator: "\n").filter { !$0.contains(" tsdb") }.joined(separator: "\n")
  }
}
