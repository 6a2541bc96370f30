import Foundation
import TestSupport
import Testing

/// `tsdb checklist selftest`, each with a throwaway server of its own.
@Suite(.serialized) struct `tsdb checklist selftest` {
  static let parts = 4

  private func project() throws -> TestProject {
    let project = try TestProject(nil)
    try project.copyApplication()
    return project
  }

  private func registry(_ project: TestProject) async throws -> [String] {
    let result = try await project.tsdb("checklist list --probes --json")
    let probes = try #require(
      try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [[String: String]])
    return probes.compactMap { $0["name"] }
  }

  /// What stays of the throwaway servers.
  private func leftovers(_ project: TestProject) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: project.directory.path(".tsdb/selftest"))) ?? []
  }

  /// Together they are all probes there are.
  @Test(arguments: 0..<parts)
  func `turns every probe red on every defect, and proves none by emptiness`(part: Int) async throws {
    let project = try project()
    let names = try await registry(project)
    #expect(names.count >= 45)
    let own = names.enumerated().filter { $0.offset % Self.parts == part }.map(\.element)
    let result = try await project.tsdb(
      ["checklist", "selftest", "--json"] + own.flatMap { ["--probe", $0] }, within: .seconds(300))
    #expect(result.exitStatus == 0, "\(result)")
    let report = try result.json()
    let controls = try #require(report["results"] as? [[String: Any]])
    #expect(report["passed"] as? Bool == true && report["controls"] as? Int == controls.count)
    #expect(Set(controls.compactMap { $0["probe"] as? String }) == Set(own))
    #expect(leftovers(project) == [])
    for control in controls where control["control"] as? String == "defect" {
      let name = try #require(control["probe"] as? String)
      #expect(control["after"] as? String == "failed", "\(control)")
      // What is not proved on a finished deployment could be red by chance.
      let before = control["before"] as? String
      #expect(before == Self.unproved[name] ?? "proved", "\(control)")
    }
    for name in own {
      #expect(controls.contains { $0["probe"] as? String == name && $0["defect"] != nil }, "\(name)")
    }
  }

  /// How those stand that a finished deployment on a unix socket, without webhooks and without a past, does not prove.
  private static let unproved = [
    "network.reachable": "not-applicable", "connection.tls": "not-applicable",
    "webhooks.fired": "not-applicable", "webhooks.working": "not-applicable",
    "rollback.restored": "not-applicable", "optimise.data": "unknown",
  ]

  @Test func `reports a probe that does not turn red, with status 2`() async throws {
    let project = try project()
    // What the defects delete and change stays as it is.
    try project.write(
      "zz_guard.sql",
      """
      -- tsdb: requires support_troubleshooting_advanced_schema
      create function public.guard() returns trigger language plpgsql as $$ begin return null; end $$;
      create trigger guard before delete on public.support_troubleshooting_config
        for each row execute function public.guard();
      """)
    let result = try await project.tsdb(
      "checklist selftest --probe configuration.initial --probe matview.exists", within: .seconds(240))
    #expect(result.exitStatus == 2, "\(result)")
    let output = result.standardOutput
    #expect(output.contains("✘ not red configuration.initial\n"), "\(result)")
    #expect(output.contains("a key that is gone: it is proved, not failed, when broken"), "\(result)")
    #expect(output.contains("✔ red matview.exists"), "\(result)")
    #expect(leftovers(project) == [])
  }

  @Test func `reports what cannot be broken, or is red before, with status 2`() async throws {
    let project = try TestProject(nil, ["a.sql": "create table a (i integer primary key);"])
    let result = try await project.tsdb(
      "checklist selftest --json --probe matview.exists --probe webhooks.fired", within: .seconds(240))
    #expect(result.exitStatus == 2, "\(result)")
    let controls = try #require(try result.json()["results"] as? [[String: Any]])
    let problems = Set(controls.compactMap { $0["problem"] as? String })
    #expect(problems.contains("it is red before anything is broken"), "\(problems)")
    #expect(
      controls.contains { $0["control"] as? String == "empty-database" && $0["passed"] as? Bool == true })
  }

  @Test func `touches neither the configured database nor the project's backups`() async throws {
    try await withProject { project, database in
      try project.copyApplication()
      try project.write("backups/mine", "kept")
      let result = try await database.expectUnchanged {
        try await project.tsdb("checklist selftest --quiet --probe backup.proven", within: .seconds(240))
      }
      #expect(result.exitStatus == 0, "\(result)")
      #expect(result.standardOutput.hasPrefix("every probe turns red: 1 probe, 7 controls"), "\(result)")
      #expect(result.standardError.isEmpty, "\(result)")
      #expect(project.leftovers() == [] && project.backups() == ["mine"])
      try await project.tsdb(["checklist", "selftest", "--database-url", database.url])
        .expect(64, "works on a server of its own")
    }
  }

  @Test func `breaks copies of the files, also where the project has links`() async throws {
    let project = try project()
    let files = FileManager.default
    try files.moveItem(
      atPath: project.directory.path("migrations"), toPath: project.directory.path("elsewhere"))
    try files.createSymbolicLink(
      atPath: project.directory.path("migrations"), withDestinationPath: "elsewhere")
    let file = project.directory.path("elsewhere/support_webhooks_schema.sql")
    try files.moveItem(atPath: file, toPath: project.directory.path("webhooks"))
    try files.createSymbolicLink(atPath: file, withDestinationPath: "../webhooks")
    func contents() throws -> [String] {
      try files.subpathsOfDirectory(atPath: project.directory.path("elsewhere")).sorted().map {
        try "\($0): \(String(contentsOfFile: project.directory.path("elsewhere/\($0)"), encoding: .utf8))"
      }
    }
    let before = try contents()
    let result = try await project.tsdb(
      "checklist selftest --probe migrations.applied", within: .seconds(240))
    #expect(result.exitStatus == 0, "\(result)")
    #expect(try contents() == before && before.count >= 15)
  }

  @Test func `refuses a name that no probe has, and files that cannot be applied`() async throws {
    let project = try project()
    try await project.tsdb("checklist selftest --probe matview.fresch")
      .expect(64, "there is no probe \"matview.fresch\"", "did you mean \"matview.fresh\"?")
    try project.write("zz.sql", "select nosuch;")
    try await project.tsdb("checklist selftest --probe matview.fresh").expect(1, "zz.sql:1:8", "nosuch")
    #expect(leftovers(project) == [])
    let none = try TestProject(nil)
    try FileManager.default.removeItem(atPath: none.directory.path("migrations"))
    try await none.tsdb("checklist selftest").expect(64, "migrations")
  }

  @Test(arguments: [SIGINT, SIGKILL])
  func `leaves no server behind when it is ended`(signal: Int32) async throws {
    let project = try project()
    let running = try ToolRun.start(
      ["checklist", "selftest", "--verbose"], environment: project.environment(),
      directory: project.directory.path)
    try await waitUntil(within: .seconds(60)) { leftovers(project).contains { !$0.hasSuffix(".lock") } }
    try await Task.sleep(for: .seconds(4))
    running.send(signal: signal)
    let result = try await running.finish()
    if signal == SIGINT {
      #expect(result.exitStatus == 130, "\(result)")
    } else {
      #expect(leftovers(project) != [])
      let next = try await project.tsdb(
        "checklist selftest --probe database.reachable", within: .seconds(240))
      next.expect(0, "removed what an interrupted selftest had left")
    }
    #expect(leftovers(project) == [])
  }
}
