import Foundation
import TestSupport
import Testing

/// The crontab of the account `nobody`, and files in /etc/cron.d: both are put back as they were.
@Suite(.serialized, .enabled(if: isRoot && hasCron, "Debian's cron and root are needed"))
struct ScheduleCronTests {
  @Test func `a user's crontab is changed between the markers and nowhere else`() async throws {
    let project = try Self.project()
    try await Self.withCrontab("15 3 * * * echo \u{F1}\nMAILTO=x\n") { crontab in
      let first = try await project.tsdb("schedule install --cron --user nobody --name app")
      first.expect(0)
      #expect(first.standardOutput.hasPrefix("updated: crontab of nobody"))
      let text = try await crontab()
      #expect(text.hasSuffix("# tsdb end app\n15 3 * * * echo \u{F1}\nMAILTO=x\n"))
      #expect(text.contains(" TSDB_TRIGGER=cron /"))
      #expect(text.contains("/tsdb -C \(project.directory.path) maintain --quiet\n"))
      #expect(text.hasPrefix("# tsdb begin app\n"))

      let second = try await project.tsdb("schedule install --cron --user nobody --name app")
      #expect(second.standardOutput.hasPrefix("unchanged"))
      #expect(try await crontab() == text)

      let same = try await project.tsdb("schedule diff --cron --user nobody --name app")
      #expect(same.exitStatus == 0 && same.standardOutput == "no difference\n")
      let other = try await project.tsdb("schedule diff --cron --user nobody --name app --every 15 --at 4")
      #expect(other.exitStatus == 2)
      #expect(other.standardOutput.contains("\n+4-59/15 * * * * "))
      let dry = try await project.tsdb(
        "schedule install --cron --user nobody --name app --every 15 --dry-run --json")
      let changes = try #require(try dry.json()["changes"] as? [[String: Any]])
      #expect(changes.first?["action"] as? String == "updated")
      #expect(try await crontab() == text)

      try await project.tsdb("schedule remove --cron --user nobody --name app").expect(64, "--yes")
      let removed = try await project.tsdb("schedule remove --cron --user nobody --name app --yes")
      removed.expect(0)
      #expect(try await crontab() == "15 3 * * * echo \u{F1}\nMAILTO=x\n")
      let again = try await project.tsdb("schedule remove --cron --user nobody --name app --yes")
      #expect(again.exitStatus == 0 && again.standardOutput.hasPrefix("absent"))
    }
  }

  @Test func `damaged markers and another project's entry are left alone`() async throws {
    let project = try Self.project()
    try await Self.withCrontab("# tsdb begin app\n0 0 1 1 * true\n") { crontab in
      for line in ["install --cron", "remove --cron --yes", "diff --cron"] {
        try await project.tsdb("schedule \(line) --user nobody --name app").expect(1, "markers", "crontab -e")
      }
      #expect(try await crontab() == "# tsdb begin app\n0 0 1 1 * true\n")
    }
    try await Self.withCrontab("") { crontab in
      try await project.tsdb("schedule install --cron --user nobody --name app").expect(0)
      let text = try await crontab()
      let second = try Self.project()
      try await second.tsdb("schedule install --cron --user nobody --name app").expect(
        1, "another project", "--name")
      #expect(try await crontab() == text)
      try await second.tsdb("schedule install --cron --user nobody --name second").expect(0)
      try await project.tsdb("schedule remove --cron --user nobody --name app --yes").expect(0)
      #expect(try await crontab().hasPrefix("# tsdb begin second\n"))
    }
  }

  @Test func `a database that only this command knows is refused, and no password is ever written`()
    async throws
  {
    let project = try Self.project(withFile: false)
    let before = try await Self.crontab()
    let secret = "postgresql://u:sEcReT@127.0.0.1/app"
    for (environment, words) in [
      (["DATABASE_URL": secret], "DATABASE_URL"), (["PGHOST": "db"], "PGHOST"),
      ([:], "no database is configured"),
    ] {
      let result = try await project.tsdb(
        "schedule install --cron --user nobody --name app", environment: environment)
      result.expect(64, words, "database.url_file", "--environment-file")
      #expect(!"\(result)".contains("sEcReT"))
    }
    try await project.tsdb(["schedule", "install", "--cron", "--name", "app", "--database-url", secret])
      .expect(64)
    let missing = try await project.tsdb(
      "schedule install --cron --user nobody --name app --environment-file /nonexistent/x",
      environment: ["DATABASE_URL": secret])
    missing.expect(64, "does not exist")
    #expect(try await Self.crontab() == before)
  }

  @Test func `a file of cron d that is not ours is refused`() async throws {
    let project = try Self.project()
    let directory = try TemporaryDirectory()
    try directory.write("tsdb-app", "MAILTO=\"\"\n")
    let line = "schedule install --cron --system --name app --user root --into \(directory.path)"
    try await project.tsdb(line).expect(1, "not made by tsdb", "--name")
    #expect(try directory.read("tsdb-app") == "MAILTO=\"\"\n")
    try FileManager.default.removeItem(atPath: directory.path("tsdb-app"))
    try await project.tsdb(line).expect(0)
    let attributes = try FileManager.default.attributesOfItem(atPath: directory.path("tsdb-app"))
    #expect(attributes[.posixPermissions] as? Int == 0o644)
    #expect(attributes[.ownerAccountID] as? Int == 0)
    #expect(try directory.read("tsdb-app").hasSuffix("\n# tsdb end app\n"))
    try FileManager.default.removeItem(atPath: directory.path("tsdb-app"))
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("tsdb-app"), withDestinationPath: "/etc/passwd")
    try await project.tsdb(line).expect(1, "regular file")
  }

  @Test(.timeLimit(.minutes(5)))
  func `cron runs what was installed, and the run is recorded as cron's`() async throws {
    try await withDatabase { database in
      let project = try Self.project(withFile: false)
      try project.write(
        "tsdb.yaml", "maintain:\n  jobs:\n    backup: { enabled: false }\n    check: { enabled: false }\n")
      try project.directory.write("a b%c.env", "DATABASE_URL='\(database.url)'\n")
      chmod(project.directory.path("a b%c.env"), 0o600)
      let name = "test-\(getpid())"
      let options = [
        "schedule", "install", "--cron", "--system", "--user", "root", "--name", name, "--every", "1",
        "--environment-file", project.directory.path("a b%c.env"),
      ]
      try await project.tsdb(options).expect(0)
      defer { unlink("/etc/cron.d/tsdb-\(name)") }
      let cron = try Self.startCron()
      defer { cron?.send(signal: SIGTERM) }
      let shown = try await project.tsdb("schedule show")
      #expect(shown.standardOutput.contains("/etc/cron.d/tsdb-\(name)"))

      var callers: [[String?]] = []
      for _ in 0..<150 {
        try await Task.sleep(for: .seconds(1))
        let isThere = try await database.value("select to_regclass('tsdb.job_runs') is not null") == "t"
        guard isThere else { continue }
        callers = try await database.rows("select distinct triggered_by from tsdb.job_runs")
        if !callers.isEmpty { break }
      }
      #expect(callers == [["cron"]], "\(cron.map { $0.standardError } ?? "")")
      try await project.tsdb("schedule remove --cron --system --name \(name) --yes").expect(0)
      #expect(access("/etc/cron.d/tsdb-\(name)", F_OK) != 0)
    }
  }

  @Test(
    .timeLimit(.minutes(8)),
    .enabled(
      if: ProcessInfo.processInfo.environment["TSDB_TEST_PG_BINDIR"] == nil,
      "a server in an unusual place: what cron starts does not find its pg_dump"))
  func `a deployment alone proves every box that the database can, once cron has called`() async throws {
    let crontab = try await ToolRun(executable: "crontab", ["-l"], environment: ToolRun.searchPaths).finish()
    try await withProject { project, database in
      try project.copyApplication()
      let root = `The deployment checklist`.root
      let configuration = try String(contentsOfFile: "\(root)/tsdb.yaml", encoding: .utf8)
        .replacingOccurrences(of: "schedule_every: 5min", with: "schedule: cron\n  schedule_every: 1min")
        .replacingOccurrences(of: "checklist: docs", with: "checklist: \(root)/docs")
      #expect(configuration.contains("schedule: cron") && configuration.contains("checklist: \(root)"))
      try project.write("./url", database.url + "\n")
      try project.write("tsdb.yaml", "database: { url_file: url }\n" + configuration)
      let cron = try Self.startCron()
      defer { cron?.send(signal: SIGTERM) }
      let environment = ["DATABASE_URL": ""]
      let result = try await project.tsdb("deploy", environment: environment, within: .seconds(420))
      try await project.tsdb("schedule remove --cron --yes", environment: environment).expect(0)
      result.expect(0)
      #expect(result.standardOutput.contains("cron has called it"), "\(result)")
      let callers = try await database.value(
        "select count(*) from tsdb.job_runs where triggered_by = 'cron' and outcome = 'ok'")
      #expect(Int(callers ?? "") ?? 0 > 3)
      let boxes = try await `The deployment checklist`.items(
        project, `The deployment checklist`.documents[0]
      ).filter(\.isBox)
      for number in `The deployment checklist`.provable {
        #expect(boxes[number - 1].state == "proved", "\(number): \(boxes[number - 1])")
      }
    }
    let after = try await ToolRun(executable: "crontab", ["-l"], environment: ToolRun.searchPaths).finish()
    #expect(after.standardOutput == crontab.standardOutput)
  }

  // MARK: -

  private static func project(withFile: Bool = true) throws -> TestProject {
    let project = try TestProject(nil)
    if withFile {
      try project.write("tsdb.yaml", "database:\n  url_file: url\n")
      try project.directory.write("url", "postgresql://127.0.0.1:9/app\n")
    }
    return project
  }

  /// A cron of our own; nil where one runs already.
  private static func startCron() throws -> ToolRun? {
    let running = (try? String(contentsOfFile: "/var/run/crond.pid", encoding: .utf8))
      .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    if let running, let command = try? String(contentsOfFile: "/proc/\(running)/comm", encoding: .utf8),
      command.hasPrefix("cron")
    {
      return nil
    }
    return try ToolRun(
      executable: "/usr/sbin/cron", ["-f", "-L", "15"], environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
    )
  }

  private static func crontab() async throws -> String {
    let result = try await ToolRun(
      executable: "crontab", ["-u", "nobody", "-l"], environment: ToolRun.searchPaths
    ).finish()
    return result.exitStatus == 0 ? result.standardOutput : ""
  }

  private static func withCrontab(
    _ text: String, _ body: (() async throws -> String) async throws -> Void
  ) async throws {
    let before = try await crontab()
    try await put(text)
    do {
      try await body(crontab)
      try await put(before)
    } catch {
      try await put(before)
      throw error
    }
  }

  private static func put(_ text: String) async throws {
    let arguments = text.isEmpty ? ["-u", "nobody", "-r"] : ["-u", "nobody", "-"]
    let result = try await ToolRun(
      executable: "crontab", arguments, environment: ToolRun.searchPaths, input: text
    ).finish()
    if !text.isEmpty { #expect(result.exitStatus == 0, "\(result)") }
  }
}

private let isRoot = geteuid() == 0
private let hasCron = access("/usr/sbin/cron", X_OK) == 0 && access("/usr/bin/crontab", X_OK) == 0
