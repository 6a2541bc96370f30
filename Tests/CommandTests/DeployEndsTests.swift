import Foundation
import Postgres
import TestSupport
import Testing

/// How a deployment ends that was interrupted, or began anew.
@Suite struct `the end of a deployment` {
  private static let files: KeyValuePairs<String, String> = [
    "tsdb.yaml": "deploy:\n  checklist: list.md\n  prove: false\n",
    "./list.md":
      "## Deployment\n- [ ] slow <!-- tsdb: command sleep 2 -->\n- [ ] red <!-- tsdb: command false -->\n",
    "one.sql": "create table one (i int primary key);",
  ]

  /// Kills a deployment once its record is as `isThere` wants it.
  private func killed(
    _ project: TestProject, when isThere: @escaping ([String: Any]) throws -> Bool,
    first body: () async throws -> Void = {}
  ) async throws {
    let run = try ToolRun.start(
      ["deploy"], environment: project.environment(), directory: project.directory.path)
    try await waitUntil { (try? project.deployments())?.last?.outcome("report") == "running" }
    try await body()
    try await waitUntil { try (try? project.deployments())?.last.map(isThere) == true }
    run.send(signal: SIGKILL)
    #expect(try await run.finish().signal == SIGKILL)
    #expect(try project.deployment().state == "running")
  }

  private func expectFindings(_ project: TestProject) async throws {
    let again = try await project.tsdb("deploy")
    #expect(again.exitStatus == 2, "\(again)")
    for text in ["deployed, with findings", "1 failed", "evidence:", "red"] {
      #expect(again.standardOutput.contains(text), "no \"\(text)\" in \(again)")
    }
    #expect(try project.deployment().state == "deployed")
  }

  @Test func `after a kill in the middle of the report is the whole's`() async throws {
    try await withProject(Self.files) { project, _ in
      try await killed(project) { $0.outcome("report") == "running" }
      try await expectFindings(project)
    }
  }

  @Test func `after a kill at the end of the report is the whole's`() async throws {
    try await withProject(Self.files) { project, database in
      let holder = database.connect()
      try await killed(project) {
        $0.outcome("report") == "done"
      } first: {
        // Keeps the copy of the record from being written, right behind the file.
        try await holder.run {
          _ = try $0.execute("begin; lock table tsdb.deployments in access exclusive mode")
        }
      }
      await holder.close()
      #expect(try await project.tsdb("deploy --plan").standardOutput.contains("run   report"))
      try await expectFindings(project)
    }
  }

  @Test func `where the first file failed offers no way back, and --fresh begins anew`() async throws {
    try await withProject(["one.sql": "create table one (i int); select 1 / 0;"]) { project, database in
      let failed = try await project.tsdb("deploy --skip prove --because quick")
      failed.expect(1, "division by zero")
      #expect(!"\(failed)".contains("tsdb rollback"), "\(failed)")
      #expect(failed.standardOutput.contains("way back:  not needed"), "\(failed)")
      let id = try #require(try project.deployment()["id"] as? String)
      let plan = try await project.tsdb("deploy --fresh --plan")
      #expect(plan.standardOutput.contains("anew: \(id) would be given up"), "\(plan)")
      #expect(!plan.standardOutput.contains("would continue"), "\(plan)")
      try project.write("one.sql", "create table one (i int);")
      try await project.tsdb("deploy --fresh --skip prove --because quick").expect(0, "given up: \(id)")
      #expect(try project.deployments().map(\.state) == ["abandoned", "deployed"])
    }
  }

  @Test func `is continued, not begun anew, where a file is applied`() async throws {
    try await withProject([
      "one.sql": "create table one (i int);", "two.sql": "-- tsdb: requires one\nselect 1 / 0;",
    ]) { project, _ in
      try await project.tsdb("deploy --skip prove --because quick").expect(1, "to go back: tsdb rollback")
      #expect(try await project.tsdb("deploy --fresh --plan").standardOutput.contains("would continue"))
      try project.write("two.sql", "-- tsdb: requires one\nselect 1;")
      try await project.tsdb("deploy --fresh").expect(0, "is continued, for it has changed the database")
    }
  }

  @Test(arguments: [PostgresCluster.StopMode.fast, .immediate])
  func `comes by the same command after the server was started again in the middle`(
    _ mode: PostgresCluster.StopMode
  ) async throws {
    try await PostgresCluster.with { cluster in
      try await withProject(deployedFiles, on: cluster) { project, database in
        try project.write(
          "five.sql", "-- tsdb: requires four\ncreate table five (i int); select pg_sleep(50);")
        let run = try ToolRun.start(
          ["deploy", "--skip", "prove", "--because", "quick"], environment: project.environment(),
          directory: project.directory.path)
        try await waitUntil {
          try await cluster.value(
            "select count(*) from pg_stat_activity where query like '%pg_sleep(50)%' and state = 'active' and pid <> pg_backend_pid()"
          ) != "0"
        }
        try await cluster.restart(mode)
        let ended = try await run.finish()
        #expect([1, 75].contains(ended.exitStatus ?? -1), "\(ended)")
        #expect("\(ended)".contains("the same command"), "\(ended)")
        #expect(try await database.reconnected().value("select to_regclass('five') is null") == "t")
        try project.write("five.sql", "-- tsdb: requires four\ncreate table five (i int);")
        try await project.tsdb("deploy").expect(0, "continuing ")
        #expect(project.backups().count == 1)
      }
    }
  }

  @Test func `on the private server names what works there`() async throws {
    let project = try TestProject(nil)
    try project.copyApplication()
    try FileManager.default.createDirectory(
      atPath: project.directory.path("docs"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: "\(packageRoot)/docs/checklists", toPath: project.directory.path("docs/checklists"))
    let deployed = try await project.tsdb("deploy")
    let status = try await project.tsdb("status")
    let rolledBack = try await project.tsdb("rollback --yes")
    let after = try await project.tsdb("status")
    let check = try await project.tsdb("check")
    let look = rolledBack.standardOutput.split(separator: "\n").first { $0.hasPrefix("look into it with: ") }
    let shell = try ToolRun(
      executable: "/bin/sh",
      ["-c", "\(look?.dropFirst(19) ?? "false") -Atc 'select count(*) from tsdb.migrations'"],
      environment: ToolRun.searchPaths, directory: project.directory.path)
    let typed = try await shell.finish()
    try await project.done("server destroy --yes")
    #expect([0, 2].contains(deployed.exitStatus ?? -1), "\(deployed)")
    // Before the application's first deployment there is nothing of it that could work.
    #expect(rolledBack.exitStatus == 0, "\(rolledBack)")
    #expect(rolledBack.standardOutput.contains("1 not applicable"), "\(rolledBack)")
    #expect(!rolledBack.standardError.contains("tsdb deploy"), "\(rolledBack)")
    #expect(typed.exitStatus == 0 && typed.standardOutput == "5\n", "\(typed)")
    for result in [deployed, status, after, check] {
      #expect(!"\(result)".contains("schedule install"), "\(result)")
    }
    let text = after.standardOutput
    #expect(text.contains("was rolled back, so 5 migrations are pending again"), "\(text)")
    #expect(!text.contains("critical") && !text.contains("--skip") && !text.contains("drifted"), "\(text)")
    #expect(!text.contains("does not exist") && !text.contains("not managed"), "\(text)")
  }
}
