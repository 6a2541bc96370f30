import Deployments
import Foundation
import Postgres
import TestSupport
import Testing

@testable import Operations

/// What is looked at before a deployment, and that each finding is one.
@Suite struct `The preflight` {
  private struct Scene {
    let project: Project
    let database: TestDatabase

    func write(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: URL(filePath: project.path(name)))
    }

    func access(_ settings: ConnectionSettings? = nil) -> DatabaseAccess {
      DatabaseAccess(
        project: project, settings: settings ?? database.settings, options: project.configuration.runOptions)
    }

    func look(
      as settings: ConnectionSettings? = nil, steps: Set<DeploymentStep> = [.migrate],
      _ change: (inout Deploy) -> Void = { _ in }
    ) async throws -> DeployPreflight.Findings {
      var deploy = Deploy(choice: .configured(database.settings, source: "test"), environment: [:])
      change(&deploy)
      return try await DeployPreflight(deploy: deploy, access: access(settings), steps: steps).run()
    }
  }

  private func with(_ body: (Scene) async throws -> Void) async throws {
    let root = NSTemporaryDirectory() + "tsdb-preflight-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root + "/migrations", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root) }
    try await withDatabase { database in
      let scene = Scene(
        project: Project(root: root, configuration: ProjectConfiguration()), database: database)
      try scene.write("migrations/b.sql", "create table b (i integer);")
      try scene.write("migrations/c.sql", "create table c (i integer);")
      _ = try await MigrateUp().run(scene.access())
      try await body(scene)
    }
  }

  private func texts(_ findings: DeployPreflight.Findings) -> [String] {
    findings.problems.map { "\($0.problem) | \($0.remedy ?? "")" }
  }

  @Test func `finds nothing where nothing is in the way`() async throws {
    try await with { scene in
      let findings = try await scene.look()
      #expect(findings.problems.isEmpty && findings.notes.isEmpty && findings.applied == 2, "\(findings)")
    }
  }

  @Test(
    arguments: [
      (["migrations/b.sql": "create table b (i bigint);"], "\"b\" was edited after it was applied"),
      (["migrations/b.sql": nil], "\"b\" was applied, but its file is missing"),
      (["migrations/d.sql": "select 'open;"], "d.sql:1"),
      (["migrations/d.sql": "-- tsdb: requires nosuch\nselect 1;"], "nosuch"),
      (["migrations/zz.verify.sql": "select 1;"], "zz"),
      (["seeds": nil], ""),
    ] as [([String: String?], String)])
  func `says which file is in the way`(files: [String: String?], told: String) async throws {
    try await with { scene in
      for (name, text) in files {
        if let text {
          try scene.write(name, text)
        } else {
          try? FileManager.default.removeItem(atPath: scene.project.path(name))
        }
      }
      let texts = texts(try await scene.look())
      #expect(told.isEmpty ? texts.isEmpty : texts.count == 1 && texts[0].contains(told), "\(texts)")
    }
  }

  @Test func `reads the seeds while they are still to be inserted`() async throws {
    try await with { scene in
      try FileManager.default.createDirectory(
        atPath: scene.project.path("seeds/more"), withIntermediateDirectories: true)
      try scene.write("seeds/a.sql", "select 1;")
      try scene.write("seeds/more/a.sql", "select 1;")
      #expect(texts(try await scene.look(steps: [.seed])).count == 1)
      #expect(texts(try await scene.look(steps: [.migrate])).isEmpty)
    }
  }

  @Test func `refuses a database that is only to be read`() async throws {
    try await with { scene in
      try await scene.database.execute(
        "alter database \(scene.database.name) set default_transaction_read_only = on")
      let texts = texts(try await scene.look())
      #expect(texts.contains { $0.contains("read-only") }, "\(texts)")
    }
  }

  @Test func `tells of every object that drifted, and counts those beyond twenty`() async throws {
    try await with { scene in
      try await scene.database.execute("alter table b add column x integer")
      let one = texts(try await scene.look())
      #expect(one.count == 1 && one[0].contains("public.b.x is added"), "\(one)")
      try await scene.database.execute(
        "do $$ begin for i in 1..25 loop execute format('create table x%s (i integer)', i); end loop; end $$")
      let many = texts(try await scene.look())
      #expect(many.count == 21 && many[20].hasPrefix("and "), "\(many)")
    }
  }

  @Test func `notes what is odd and in nobody's way`() async throws {
    try await with { scene in
      try scene.write("migrations/b.sql", "-- a comment\ncreate table b (i integer);")
      try scene.write(
        "list.md", "## Deployment\n- [ ] nothing at all\n- [ ] other <!-- tsdb: no.such -->\n")
      let findings = try await scene.look(steps: [.migrate, .report]) {
        $0.checklist = scene.project.path("list.md")
      }
      let notes = findings.notes.joined(separator: "\n")
      #expect(findings.problems.isEmpty, "\(findings.problems)")
      #expect(notes.contains("\"b\" was edited in comments or layout only"), "\(notes)")
      #expect(notes.contains("a probe \"no.such\" that this tsdb does not have"), "\(notes)")
      #expect(notes.contains("1 of 2 items of the checklist is bound to nothing"), "\(notes)")
      let missing = try await scene.look(steps: [.report]) { $0.checklist = scene.project.path("none.md") }
      #expect(missing.problems.count == 1, "\(missing.problems)")
    }
  }

  @Test func `asks for the rights of the way back where it is to go back by itself`() async throws {
    try await with { scene in
      let role = "preflight_\(getpid())"
      try await scene.database.execute(
        """
        create role \(role) login;
        grant usage on schema tsdb to \(role); grant select on all tables in schema tsdb to \(role)
        """)
      let settings = scene.database.settings(user: role)
      func look(_ goesBack: Bool) async throws -> DeployPreflight.Findings {
        try await scene.look(as: settings, steps: []) { deploy in
          if goesBack { deploy.rollback = { $0 } }
        }
      }
      let byHand = try await look(false)
      let byItself = try await look(true)
      try await scene.database.execute("alter role \(role) createdb")
      let owner = try await look(true)
      try await scene.database.execute(
        "alter role \(role) nocreatedb; alter database \(scene.database.name) owner to \(role)")
      let creator = try await look(true)
      try await scene.database.execute(
        "alter database \(scene.database.name) owner to current_user; drop owned by \(role); drop role \(role)"
      )
      #expect(byHand.problems.isEmpty && byHand.notes.contains { $0.contains("createdb") }, "\(byHand)")
      #expect(
        texts(byItself).contains {
          $0.contains("may not create databases and does not own the database")
            && $0.contains("owner to \(role)")
        }, "\(byItself)")
      #expect(texts(owner).contains { $0.contains("does not own") && !$0.contains("createdb") }, "\(owner)")
      #expect(texts(creator).contains { $0.contains("createdb") && !$0.contains("owner to") }, "\(creator)")
    }
  }

  @Test func `asks for the right to make the history's schema`() async throws {
    try await withDatabase { database in
      let root = NSTemporaryDirectory() + "tsdb-preflight-\(UUID().uuidString)"
      try FileManager.default.createDirectory(
        atPath: root + "/migrations", withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: root) }
      let scene = Scene(
        project: Project(root: root, configuration: ProjectConfiguration()), database: database)
      let role = "preflight_schema_\(getpid())"
      try await database.execute("create role \(role) login")
      let poor = try await scene.look(as: database.settings(user: role), steps: [])
      try await database.execute("drop role \(role)")
      #expect(
        texts(poor).contains {
          $0.contains("may not create schemas") && $0.contains("grant create on database")
        },
        "\(poor)")
    }
  }
}
