import Foundation
import TestSupport
import Testing

/// `tsdb checklist` from a document to its evidence.
@Suite struct `tsdb checklist` {
  private static let operations = """
    ## Deployment
    - [ ] one <!-- tsdb: backup.configured -->
    - [x] two <!-- tsdb: backup.proven -->
    - [ ] three <!-- tsdb: backup.configuration -->
    - [ ] four <!-- tsdb: rollback.plan -->
    - [ ] five <!-- tsdb: migrations.applied -->
    - [ ] six <!-- tsdb: migrations.applied file=support_webhooks_schema -->
    - [ ] seven <!-- tsdb: maintenance.configured -->
    - [ ] eight <!-- tsdb: maintenance.working -->
    - [ ] nine <!-- tsdb: rollback.restored -->

    """

  private func states(_ project: TestProject, _ file: String = "list.md") async throws -> [String: String] {
    let result = try await project.tsdb("checklist run \(file) --json")
    let items = try #require(try result.json()["items"] as? [[String: Any]])
    return Dictionary(
      items.map { ("\($0["item"] ?? "")", "\($0["state"] ?? "")") }, uniquingKeysWith: { first, _ in first })
  }

  @Test func `proves what was done, and turns red on what breaks it`() async throws {
    try await withProject { project, database in
      try project.copyApplication()
      try project.write("./list.md", Self.operations)
      // Nothing was done yet, and nothing is proved by an empty database.
      let before = try await states(project)
      #expect(!before.values.contains("proved"), "\(before)")

      for command in ["migrate up", "seed", "backup", "backup verify latest --restore"] {
        try await project.done(command)
      }
      try await project.done("maintain", environment: ["TSDB_TRIGGER": "cron"])
      let result = try await project.tsdb("checklist run list.md --output list.md --evidence evidence.jsonl")
      #expect(result.exitStatus == 0, "\(result)")
      let filled = try String(contentsOfFile: project.directory.path("list.md"), encoding: .utf8)
      #expect(
        filled
          == Self.operations.replacing("[ ]", with: "[x]").replacing("[x] nine", with: "[ ] nine"),
        "\(result)")
      #expect(try await states(project)["nine"] == "not-applicable")

      let defects: [(sql: String, red: Set<String>)] = [
        (
          """
          insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
          values ('x', '{}', now() - interval '3 days')
          """, ["eight"]
        ),
        ("update tsdb.job_runs set triggered_by = 'hand'", ["seven", "eight"]),
        ("update public.support_troubleshooting_config set description = 'x'", ["three"]),
        (
          """
          alter table public.support_webhooks
            add constraint support_webhooks_x_check check (webhook_id <> '') not valid
          """, ["five", "six", "nine"]
        ),
        ("update tsdb.backups set state = 'damaged'", ["one", "two", "four"]),
        ("alter table public.support_webhooks alter column url drop not null", ["five", "six"]),
      ]
      var red: Set<String> = []
      for defect in defects {
        try await database.execute(defect.sql)
        red.formUnion(defect.red)
        let states = try await states(project)
        for item in red.sorted() {
          #expect(states[item] == "failed", "\(item) after \(defect.sql): \(states)")
        }
        for (item, state) in states where !red.contains(item) {
          #expect(state != "failed", "\(item): \(defect.sql)")
        }
      }
      #expect(try await project.tsdb("checklist run list.md").exitStatus == 2)
      try await project.done("checklist run list.md --phase pre --output x.md", expecting: 64)
    }
  }

  @Test func `keeps a chain of evidence that shows a change, and no secret`() async throws {
    try await withProject { project, database in
      try project.write(
        "./list.md", "- [ ] a <!-- tsdb: command echo ${HIDDEN} -->\n- [ ] b <!-- tsdb: command env -->\n")
      let environment = ["MY_SECRET": "planted-word", "PATH": "/usr/bin:/bin"]
      let result = try await project.tsdb(
        "checklist run list.md --evidence e.jsonl", environment: environment)
      #expect(result.exitStatus == 0, "\(result)")
      let path = project.directory.path("e.jsonl")
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(!(text + result.standardOutput).contains("planted-word"))
      let verified = try await project.done("checklist verify e.jsonl")
      let digest = try #require(verified.split(separator: "\n").last?.split(separator: " ").last)
      #expect(result.standardOutput.contains(digest))
      try await project.done("checklist run list.md --evidence e.jsonl", expecting: 64)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      try text.replacing("\"state\":\"proved\"", with: "\"state\":\"failed\"", maxReplacements: 1)
        .write(toFile: path, atomically: true, encoding: .utf8)
      let broken = try await project.tsdb("checklist verify e.jsonl")
      broken.expect(1, "the evidence is broken at line 3", "e.jsonl:3:1")
      _ = database
    }
  }

  @Test func `takes a person's word with a name and an end, for what no probe answers`() async throws {
    try await withProject { project, _ in
      let text = "## Código\n- [ ] Runbook creado\n- [ ] never heard of\n- [x] Índices creados\n"
      try project.write("./list.md", text)
      var result = try await project.tsdb("checklist run list.md --strict --output list.md")
      #expect(result.exitStatus == 2)
      #expect(result.standardOutput.contains("? unknown") && result.standardOutput.contains("· unbound"))
      // A tick by hand is none.
      #expect(
        try String(contentsOfFile: project.directory.path("list.md"), encoding: .utf8)
          == text.replacing("[x]", with: "[ ]"))
      for item in ["runbook CREADO", "3"] {
        let done = try await project.tsdb([
          "checklist", "attest", "list.md", item, "--by", "Ana Ruiz", "--until", "2999-12-31",
        ])
        #expect(
          done.exitStatus == 0 && done.standardOutput.hasSuffix("by Ana Ruiz, until 2999-12-31\n"), "\(done)")
      }
      result = try await project.tsdb("checklist run list.md")
      #expect(result.standardOutput.contains("2 attested"), "\(result)")
      #expect(result.standardOutput.contains("Ana Ruiz on "))
      #expect(result.standardOutput.contains("until 2999-12-31"), "\(result)")
      let probed = try await project.tsdb(
        ["checklist", "attest", "list.md", "Indices creados", "--by", "Ana", "--until", "2999-12-31"])
      probed.expect(64, "is bound to indexes.valid; nobody's word replaces that")
      let past = try await project.tsdb(
        ["checklist", "attest", "list.md", "2", "--by", "Ana", "--until", "2020-01-01"])
      past.expect(64, "has passed already")
    }
  }

  @Test func `proves nothing where no server answers`() async throws {
    let project = try TestProject(nil)
    try project.write("./list.md", Self.operations)
    let result = try await project.tsdb(
      "checklist run list.md --json",
      environment: ["DATABASE_URL": "postgresql://u:planted-word@127.0.0.1:1/x"])
    #expect(!result.standardOutput.contains("planted-word") && !result.standardError.contains("planted-word"))
    let counts = try #require(try result.json()["counts"] as? [String: Int])
    #expect(counts["proved"] == nil && counts["unknown"] == 9, "\(counts)")
    let strict = try await project.tsdb(
      "checklist run list.md --strict", environment: ["DATABASE_URL": "postgresql://127.0.0.1:1/x"])
    #expect(strict.exitStatus == 2 && strict.standardOutput.contains("the server cannot be reached"))
  }

  @Test func `shows a wrong comment with its place`() async throws {
    let project = try TestProject(nil)
    try project.write("./list.md", "# x\n- [ ] a <!-- tsdb: matview.fresh 1h -->\n")
    let result = try await project.tsdb("checklist list list.md")
    result.expect(64, "a probe takes key=value, not \"1h\"", "--> list.md:2:34", "^")
    let missing = try await project.tsdb("checklist list none.md")
    missing.expect(64, "\"none.md\" cannot be read")
  }
}

extension TestProject {
  fileprivate func done(_ line: String, expecting status: Int32) async throws {
    let result = try await tsdb(line)
    #expect(result.exitStatus == status, "\(result)")
  }
}
