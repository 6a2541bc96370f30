import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: access("/usr/bin/systemd-analyze", X_OK) == 0, "systemd-analyze is needed"))
struct ScheduleSystemdTests {
  @Test(arguments: [["--user", "postgres"], [], ["--user", "daemon", "--credential", "URL"]])
  func `systemd takes the units, and finds little to complain of`(options: [String]) async throws {
    let (project, units) = try Self.project()
    let credential = project.directory.path("my url")
    try project.directory.write("my url", "postgresql://db/app\n")
    chmod(credential, 0o600)
    let given = options.map { $0 == "URL" ? credential : $0 }
    let result = try await project.tsdb(
      ["schedule", "install", "--systemd", "--name", "app", "--into", units.path] + given)
    result.expect(0)
    let paths = ["tsdb-app.service", "tsdb-app.timer"].map(units.path)
    // Messages of the machine's own units are none of ours.
    let verify = try await Self.analyze(["verify", "--man=no", "--recursive-errors=no"] + paths)
    #expect(verify.exitStatus == 0, "\(verify)")
    #expect(!verify.standardError.contains("tsdb-app"), "\(verify)")
    let security = try await Self.analyze(["security", "--offline=true", "--no-pager", paths[0]])
    let score = try #require(
      security.standardOutput.firstMatch(of: /exposure level for tsdb-app.service: ([0-9.]+)/).flatMap {
        Double($0.1)
      }, "\(security)")
    #expect(score < 3)
    let service = try units.read("tsdb-app.service")
    #expect(service.contains("ReadWritePaths=-\"\(project.directory.path)/b %% \\\"x\\\"\"\n"))
    #expect(service.contains("RestrictAddressFamilies=AF_UNIX"))
    #expect(service.contains("TimeoutStartSec="))
    #expect(service.contains("LoadCredential=database-url:") == options.contains("--credential"))
    let timer = try units.read("tsdb-app.timer")
    for line in ["Persistent=true", "FixedRandomDelay=true", "WantedBy=timers.target"] {
      #expect(timer.contains(line + "\n"))
    }
  }

  @Test(arguments: [(1, 0), (5, 3), (15, 14), (30, 7), (60, 59)])
  func `systemd calls at the minutes that are shown`(every: Int, at: Int) async throws {
    let (project, units) = try Self.project()
    let result = try await project.tsdb([
      "schedule", "install", "--systemd", "--name", "app", "--into", units.path, "--every", "\(every)",
      "--at",
      "\(at)", "--json",
    ])
    let calls = try #require(try result.json()["calls"] as? [String])
    let timer = try units.read("tsdb-app.timer")
    let calendar = try #require(timer.firstMatch(of: /OnCalendar=(.*)/).map { String($0.1) })
    let shown = try await Self.analyze(["calendar", "--iterations=61", calendar])
    #expect(shown.exitStatus == 0, "\(shown)")
    let theirs = shown.standardOutput.matches(of: /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/).map {
      "\($0.1)T\($0.2)Z"
    }
    // Asked a moment later, so the first may be gone.
    #expect(Set(calls.dropFirst()).isSubset(of: theirs), "\(calls) \(shown)")
    for (call, next) in zip(calls, calls.dropFirst()) where every == 60 {
      #expect(call.suffix(6) == next.suffix(6))
    }
  }

  @Test func `units that are not ours are left, ours are compared and removed`() async throws {
    let (project, units) = try Self.project()
    let options = "--systemd --name app --into \(units.path)"
    try units.write("tsdb-app.timer", "[Timer]\n")
    try await project.tsdb("schedule install \(options)").expect(1, "not made by tsdb")
    #expect(access(units.path("tsdb-app.service"), F_OK) != 0)
    try await project.tsdb("schedule remove \(options) --yes").expect(1)
    #expect(try units.read("tsdb-app.timer") == "[Timer]\n")
    try FileManager.default.removeItem(atPath: units.path("tsdb-app.timer"))

    try await project.tsdb("schedule install \(options)").expect(0)
    #expect(try await project.tsdb("schedule diff \(options)").exitStatus == 0)
    let service = try units.read("tsdb-app.service")
    try units.write("tsdb-app.service", service.replacing("Nice=10", with: "Nice=-20"))
    let diff = try await project.tsdb("schedule diff \(options)")
    #expect(diff.exitStatus == 2)
    #expect(diff.standardOutput.contains("\n-Nice=-20\n+Nice=10\n"))
    try await project.tsdb("schedule install \(options)").expect(0)
    #expect(try units.read("tsdb-app.service") == service)
    try await project.tsdb("schedule remove \(options) --yes").expect(0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: units.path).isEmpty)
  }

  @Test func `where the account's systemd does not run, it is said what to type`() async throws {
    let (project, home) = try Self.project()
    let environment = ["HOME": home.path]
    let made = try await project.tsdb(
      "schedule install --systemd --user-units --name app", environment: environment)
    made.expect(0)
    #expect(
      made.standardOutput.contains(
        "systemctl --user daemon-reload\n  systemctl --user enable --now tsdb-app.timer"))
    let service = try home.read(".config/systemd/user/tsdb-app.service")
    // What a user's own manager cannot build would keep the service from starting.
    #expect(!service.contains("ProtectSystem") && !service.contains("User="))
    #expect(service.contains("NoNewPrivileges=true") && !service.contains("ReadWritePaths"))
    let shown = try await project.tsdb("schedule show", environment: environment)
    #expect(
      shown.standardOutput.contains("app: systemd --user, \(home.path)/.config/systemd/user/tsdb-app.timer"))
    #expect(shown.standardOutput.contains("next calls "))
    #expect(!shown.standardOutput.contains("nothing that is installed here calls"))
    let removed = try await project.tsdb(
      "schedule remove --systemd --user-units --name app --yes", environment: environment)
    removed.expect(0)
    #expect(removed.standardOutput.contains("systemctl --user disable --now tsdb-app.timer"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: home.path(".config/systemd/user")).isEmpty)
  }

  @Test func `what does not go together is refused`() async throws {
    let (project, _) = try Self.project()
    for line in [
      "", "--cron --systemd", "--system --systemd", "--cron --user-units", "--pg-cron --user x",
      "--cron --into /tmp",
      "--cron --every 7", "--cron --at 5", "--cron --name A.B", "--systemd --user-units --user x",
    ] {
      let result = try await project.tsdb("schedule install \(line)")
      #expect(result.exitStatus == 64, "\(line): \(result)")
    }
  }

  @Test func `the next runs are shown in UTC and local time, with the traps of a change of the clocks`()
    async throws
  {
    let (project, _) = try Self.project(
      """
      maintain:
        time_zone: Europe/Madrid
        jobs:
          vacuum: { schedule: "30 2 * * 0" }

      """)
    let result = try await project.tsdb("schedule show --json", environment: ["TZ": "America/New_York"])
    let document = try result.json()
    let jobs = try #require(document["jobs"] as? [[String: Any]])
    let vacuum = try #require(jobs.first { $0["name"] as? String == "vacuum" })
    let next = try #require(vacuum["next"] as? [[String: String]])
    #expect(next.count == 5)
    #expect(
      next.allSatisfy { $0["local"]?.hasSuffix("EST") == true || $0["local"]?.hasSuffix("EDT") == true })
    #expect(
      next.allSatisfy { $0["utc"]?.contains("T01:30") == true || $0["utc"]?.contains("T00:30") == true })
    let warnings = try #require(document["warnings"] as? [String])
    #expect(warnings.contains { $0.hasPrefix("vacuum runs at 02:30 of Europe/Madrid") })
    #expect(warnings.contains { $0.contains("nothing that is installed here calls tsdb maintain") })
  }

  private static func project(_ more: String = "") throws -> (TestProject, TemporaryDirectory) {
    let project = try TestProject(nil)
    try project.write(
      "tsdb.yaml", "database:\n  url_file: url\nbackup:\n  repository: 'b % \"x\"'\n" + more)
    try project.directory.write("url", "postgresql://127.0.0.1:9/app\n")
    return (project, try TemporaryDirectory())
  }

  private static func analyze(_ arguments: [String]) async throws -> ToolRun.Result {
    try await ToolRun(
      executable: "systemd-analyze", arguments, environment: ToolRun.searchPaths.merging(["TZ": "UTC"]) { $1 }
    ).finish()
  }
}
