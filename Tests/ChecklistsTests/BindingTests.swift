import Checklists
import Foundation
import Testing

@Suite struct BindingTests {
  private func document(_ text: String) throws -> ChecklistDocument {
    try ChecklistDocument(parsing: Array(text.utf8), path: "list.md")
  }

  private func read(_ path: String) throws -> ChecklistDocument {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try ChecklistDocument(
      parsing: Array(try Data(contentsOf: root.appendingPathComponent(path))), path: path)
  }

  @Test(arguments: [
    ("- [ ] a <!-- tsdb: matview.fresh max=1h -->", ProbeCall("matview.fresh", arguments: ["max": "1h"])),
    ("- [ ] a\n<!--tsdb:matview.fresh max=\"1 h\"-->", ProbeCall("matview.fresh", arguments: ["max": "1 h"])),
    ("- [ ] a\n  more <!-- tsdb: x.y -->", ProbeCall("x.y")),
    ("- [ ] a\n  <!-- tsdb:\n    x.y\n    z=1 -->", ProbeCall("x.y", arguments: ["z": "1"])),
    (
      "- [ ] a <!-- tsdb: command timeout=5s psql -c \"select \\\"a\\\"\" x=y -->",
      ProbeCall("command", arguments: ["timeout": "5s"], operands: ["psql", "-c", "select \"a\"", "x=y"])
    ),
    (
      "- [ ] a <!-- tsdb: url http://h/?a=b expect=200 -->",
      ProbeCall("url", arguments: ["expect": "200"], operands: ["http://h/?a=b"])
    ),
    ("- [ ] Índices creados <!-- tsdb: attest QA -->", ProbeCall("attest", operands: ["QA"])),
    ("- [ ] Índices creados <!-- a note -->", ProbeCall("indexes.valid")),
  ])
  func `a comment binds the item it belongs to`(text: String, call: ProbeCall) throws {
    #expect(try document(text).items.map(\.call) == [call])
  }

  @Test(arguments: [
    ("- [ ] é <!-- tsdb: Nope -->", "1:20", "\"Nope\" is not the name of a probe"),
    ("x\n- [ ] a <!-- tsdb: x.y \"z\" -->", "2:24", "a probe takes key=value, not \"z\""),
    ("- [ ] a <!-- tsdb: x.y z=\"1 -->", "1:26", "the quote is not closed"),
    ("- [ ] a <!-- tsdb: x.y z=1 z=2 -->", "1:28", "\"z\" is given twice"),
    ("- [ ] a\n\n<!-- tsdb: x.y -->", "3:1", "the binding belongs to no item"),
    ("- [ ] a <!-- tsdb: x.y -->\n<!-- tsdb: x.z -->", "2:1", "the item on line 1 has a second binding"),
    ("- [ ] a\n<!-- tsdb: x.y", "2:1", "the comment is not closed"),
    ("- [ ] a <!-- tsdb: -->", "1:19", "the binding names no probe"),
    ("- [ ] a <!-- tsdb: command timeout=1s -->", "1:20", "the program is missing"),
    ("- [ ] a <!-- tsdb: url a b -->", "1:20", "url takes one address"),
  ])
  func `a wrong comment is shown with its place`(text: String, place: String, message: String) throws {
    let error = try #require(throws: ChecklistError.self) { try document(text) }
    #expect(error.message == message)
    #expect(error.location == "list.md:\(place)")
    let lines = try #require(error.excerpt).split(separator: "\n", omittingEmptySubsequences: false)
    let column = try #require(Int(place.split(separator: ":")[1]))
    #expect(lines.count == 2 && lines[1] == String(repeating: " ", count: column - 1) + "^")
  }

  @Test(arguments: [
    "Índices creados", "ndices creados", "INDICES CREADOS", "I\u{301}ndices creados", "脥ndices creados.",
    "Ãndices creados", "**Índices** creados", "Indexes created",
  ])
  func `a phrase binds however it was read`(text: String) throws {
    #expect(try document("- [ ] \(text)").items.first?.call == ProbeCall("indexes.valid"))
  }

  @Test(arguments: ["Índices creados ayer", "ndics creados", "创建索引", "é", "ü ö"])
  func `a phrase that no rule has stays unbound`(text: String) throws {
    #expect(try document("- [ ] \(text)").items.first.map { $0.call == nil } == true)
  }

  @Test func `the original, read in the wrong encoding, binds as the clean files do`() throws {
    let original = try read("Fixtures/deployment-checklist.es.md")
    let spanish = try read("../../docs/checklists/deployment.es.md")
    let english = try read("../../docs/checklists/deployment.en.md")
    #expect(original.items.count { $0.hasBox } == 62)
    #expect(original.items.count { !$0.hasBox } == 5)
    #expect(original.items.allSatisfy { $0.binding == nil && $0.call != nil })
    for clean in [spanish, english] {
      #expect(clean.items.allSatisfy { $0.binding != nil })
      #expect(clean.items.map(\.call) == original.items.map(\.call))
      #expect(clean.items.map(\.phase) == original.items.map(\.phase))
      #expect(clean.items.map(\.hasBox) == original.items.map(\.hasBox))
      // Their words alone say the same.
      #expect(clean.items.map { PhraseRules.call(for: $0.text) } == original.items.map(\.call))
    }
    #expect(Set(original.items.map(\.phase)) == Set(ChecklistPhase.allCases))
    #expect(original.items.filter(\.hasBox).count { $0.call?.name == "attest" } == 13)
    #expect(spanish.items.map { AttestationKey($0) } == original.items.map { AttestationKey($0) })
  }

  @Test(arguments: ["deployment.es.md", "deployment.en.md", "README.md"])
  func `the links of the checklists lead somewhere`(name: String) throws {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/checklists")
    let text = try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
    let links = text.matches(of: /\]\((\.[^)#]*)/).map { String($0.1) }
    #expect(name == "README.md" || !links.isEmpty)
    for link in links {
      let path = directory.appendingPathComponent(link).path
      #expect(FileManager.default.fileExists(atPath: path), "\(name): \(link)")
    }
  }

  /// The original's items in their order; those that only a person knows are `attest`.
  @Test func `each item of the original is bound to the probe that answers it`() throws {
    let calls = try read("Fixtures/deployment-checklist.es.md").items.map { $0.call?.name ?? "" }
    let expected = """
      database.reachable environment.connection network.reachable connection.tls backup.configured
      attest attest attest attest attest
      attest security.rate-limit attest security.input-validation security.sensitive-logs
      migrations.applied matview.exists indexes.valid configuration.initial maintenance.configured
      backup.proven backup.configuration rollback.plan
      migrations.applied migrations.applied migrations.applied migrations.applied migrations.applied
      environment.connection webhooks.configured notifications.configured attest
      smoke.statements smoke.api database.reachable matview.fresh logs.critical
      metrics.realtime attest logs.collected metrics.dashboard
      smoke.session smoke.step smoke.feedback webhooks.fired notifications.sent
      attest attest attest attest
      rollback.stopped rollback.restored attest rollback.services attest
      logs.watch metrics.errors sessions.created webhooks.working
      performance.metrics resolution.rate feedback.received maintenance.working
      metrics.weekly problems.common optimise.data configuration.adjusted
      """
    #expect(calls == expected.split(whereSeparator: \.isWhitespace).map(String.init))
  }

  @Test func `the file of a migration asks for that file`() {
    #expect(
      PhraseRules.call(for: "support_webhooks_schema.sql")
        == ProbeCall("migrations.applied", arguments: ["file": "support_webhooks_schema"]))
    #expect(PhraseRules.call(for: "run x.sql") == nil)
  }
}
