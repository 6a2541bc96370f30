import Foundation
import Postgres
import TestSupport
import Testing

/// What `tsdb maintain` tells others: metrics, a log, a monitor on the web; and jobs of the project's own.
@Suite struct `tsdb maintain tells` {
  private var niceness: Int { Int(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)) }

  private static let job = "good: { kind: sql, \(yearly), file: good.sql }"

  private func withJob<Result: Sendable>(
    _ job: String = Self.job, more: [String] = [],
    _ body: (TestProject, TestDatabase) async throws -> Result
  ) async throws -> Result {
    try await withProject(["tsdb.yaml": maintainConfiguration(job, more: more)]) { project, database in
      try project.directory.write(
        "good.sql", "create table if not exists n (i int); insert into n values (1), (2);\n")
      try project.directory.write("bad.sql", "select 1/0;\n")
      return try await body(project, database)
    }
  }

  @Test func `a file of metrics, also when nothing was due`() async throws {
    try await withJob(more: ["metrics: tsdb.prom"]) { project, database in
      try await project.tsdb("maintain").expectQuiet()
      let first = try project.directory.read("tsdb.prom")
      #expect(first.contains("tsdb_task_last_success_timestamp_seconds{"))
      #expect(first.contains("task=\"good\"") && first.contains("\"\(database.name)\""), "\(first)")
      try FileManager.default.removeItem(atPath: project.directory.path("tsdb.prom"))
      try await project.tsdb("maintain").expectQuiet()
      #expect(try project.directory.read("tsdb.prom").contains("task=\"good\""))
    }
  }

  @Test(arguments: ["metrics: /nonexistent/tsdb.prom", "log: /nonexistent/log.jsonl"])
  func `a file that cannot be written is a warning`(_ key: String) async throws {
    try await withJob(more: [key]) { project, database in
      let result = try await project.tsdb("maintain")
      result.expect(0, "warning: ", "/nonexistent/")
      #expect(result.standardOutput.isEmpty)
      #expect(result.standardError.split(separator: "\n").count <= 3, "\(result)")
      #expect(try await database.jobRuns() == ["good ok hand"])
    }
  }

  @Test func `a log of JSON lines with one number for all of a run`() async throws {
    let jobs = Self.job + "\nbad: { kind: sql, \(yearly), file: bad.sql }"
    try await withJob(jobs, more: ["log: run.jsonl"]) { project, _ in
      try await project.tsdb("maintain").expect(1, "bad failed")
      try await project.tsdb("maintain").expectQuiet()
      let lines = try project.directory.read("run.jsonl").split(separator: "\n").map {
        try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
      }
      #expect(Set(lines.map { $0["run_id"] as? String }).count == 1)
      #expect(lines.allSatisfy { ($0["ts"] as? String)?.hasSuffix("Z") == true })
      let ends = lines.filter { $0["phase"] as? String == "end" }
      #expect(ends.map { $0["task"] as? String } == ["good", "bad"])
      #expect(ends.map { $0["level"] as? String } == ["info", "error"])
      #expect(ends.last?["sqlstate"] as? String == "22012")
      #expect(ends.first?["rows"] as? Int == 2)
    }
  }

  @Test func `a monitor of the beginning and the end, in this order`() async throws {
    let monitor = try await WebMonitor()
    try await withJob { project, _ in
      let there = ["TSDB_PING_URL": monitor.url("secret-path")]
      try await project.tsdb("maintain", environment: there).expectQuiet()
      #expect(monitor.requests().map(\.[0]) == ["GET /secret-path/start", "POST /secret-path/0"])
      #expect(monitor.requests().last?[1] == "good: ok")
      try project.directory.write("good.sql", "select 1/0;\n")
      let failed = try await project.tsdb("maintain good", environment: there)
      failed.expect(1)
      #expect(
        monitor.requests().dropFirst(2).map(\.[0]) == ["GET /secret-path/start", "POST /secret-path/1"])
      #expect(monitor.requests().last?[1].hasPrefix("good: failed: good.sql:1: division by zero") == true)
      #expect(!failed.description.contains("secret-path"))
    }
    await monitor.stop()
  }

  @Test func `the monitor that a file names`() async throws {
    let monitor = try await WebMonitor()
    try await withJob(more: ["ping_url_file: ping-url"]) { project, _ in
      try project.directory.write("ping-url", monitor.url("from-file") + "\n")
      try await project.tsdb("maintain").expectQuiet()
      #expect(monitor.requests().count == 2)
      try FileManager.default.removeItem(atPath: project.directory.path("ping-url"))
      try await project.tsdb("maintain").expect(
        0, "warning: the file \"ping-url\" named by maintain.ping_url_file")
      #expect(monitor.requests().count == 2)
    }
    await monitor.stop()
  }

  @Test func `a monitor that is away is a warning that keeps the URL secret`() async throws {
    let port = try PostgresCluster.freePort()
    try await withJob(more: ["log: run.jsonl"]) { project, database in
      for arguments in ["maintain", "maintain good --verbose", "maintain good --json"] {
        let result = try await project.tsdb(
          arguments, environment: ["TSDB_PING_URL": "http://127.0.0.1:\(port)/secret-path"])
        result.expect(0, "warning: the monitor was not told")
        #expect(!result.description.contains("secret-path"), "\(result)")
      }
      #expect(!(try project.directory.read("run.jsonl")).contains("secret-path"))
      #expect(try await database.jobRuns().count == 3)
      let wrong = try await project.tsdb("maintain", environment: ["TSDB_PING_URL": "secret-path"])
      wrong.expect(0, "warning: ", "cannot be used")
      #expect(!wrong.description.contains("secret-path"))
    }
  }

  @Test(arguments: [
    ("systemd", "systemd"), ("pg-cron", "pg-cron"), ("", "hand"), ("x'; drop table t", "hand"),
  ])
  func `who called`(_ given: String, _ recorded: String) async throws {
    try await withJob { project, database in
      try await project.tsdb("maintain", environment: ["TSDB_TRIGGER": given]).expectQuiet()
      #expect(try await database.jobRuns() == ["good ok \(recorded)"])
    }
  }

  @Test func `commands get the environment and their job's name, and no password comes back`() async throws {
    let jobs = """
      says: { kind: command, \(yearly), run: [/bin/sh, -c, 'echo "$TSDB_JOB in $(pwd) of $DATABASE_URL" > said'] }
      later: { kind: command, \(yearly), run: [/bin/sh, -c, 'echo not today; exit 75'] }
      fails: { kind: command, \(yearly), run: [/bin/sh, -c, 'echo "cannot: $DATABASE_URL" >&2; exit 3'] }
      none: { kind: command, \(yearly), run: [no-such-program-here] }
      """
    try await withJob(jobs) { project, database in
      let url = try #require(project.url).replacingOccurrences(of: "postgres@", with: "postgres:hunter2@")
      let result = try await project.tsdb("maintain", environment: ["DATABASE_URL": url])
      result.expect(
        1, "fails failed: \"/bin/sh\" ended with status 3: cannot: ***", "none failed: there is no program")
      #expect(result.standardError.split(separator: "\n").count <= 5)
      #expect(!result.description.contains("hunter2"))
      let said = try project.directory.read("said")
      #expect(said.hasPrefix("says in ") && said.contains("hunter2"))
      #expect(
        try await database.jobRuns() == [
          "says ok hand", "later skipped hand", "fails failed hand", "none failed hand",
        ])
      #expect(
        try await database.value("select count(*) from tsdb.job_runs where job_runs::text ~ 'hunter2'") == "0"
      )
    }
  }

  @Test(arguments: [(nil, 10), ("0", 0), ("17", 17)])
  func `it and what it starts let others go first`(_ configured: String?, _ least: Int) async throws {
    let job = "says: { kind: command, \(yearly), run: [/bin/sh, -c, 'nice > said'] }"
    try await withJob(job, more: configured.map { ["nice: \($0)"] } ?? []) { project, _ in
      try await project.tsdb("maintain says").expect(0)
      // Tests may run with a niceness of their own.
      let expected = max(least, niceness)
      #expect(try project.directory.read("said") == "\(expected)\n")
    }
  }
}

/// A web server on the loopback address that writes down what it is told.
final class WebMonitor: Sendable {
  private let process: ToolRun
  private let port: String

  private static let program = """
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def tell(self):
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode()
            print(self.command, self.path.split('?')[0], '|', body.replace('\\n', ' / '), flush=True)
            self.send_response(200)
            self.send_header('Content-Length', '0')
            self.end_headers()
        do_GET = do_POST = tell
        def log_message(self, *args): pass
    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    print('port', server.server_port, flush=True)
    server.serve_forever()
    """

  init() async throws {
    process = try ToolRun(
      executable: "python3", ["-c", Self.program], environment: ["PATH": "/usr/bin:/bin"])
    guard try await process.waitForOutput("\n") else {
      throw TestSupportError("no monitor: \(process.standardError)")
    }
    port = String(process.standardOutput.split(whereSeparator: \.isWhitespace)[1])
  }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)/\(path)" }

  /// Method and path, and the body, of each.
  func requests() -> [[String]] {
    process.standardOutput.split(separator: "\n").dropFirst().map { line in
      line.split(separator: "|", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  func stop() async {
    process.send(signal: SIGTERM)
    _ = try? await process.finish()
  }

  deinit { process.send(signal: SIGKILL) }
}
