import Foundation
import Maintenance
import TestSupport
import Testing

@Suite struct SignalsPingTests {
  @Test func `a run tells its beginning and its end, paired`() async throws {
    let monitor = try await Monitor()
    let run = RunPing(try ping(monitor, "/uuid"))
    #expect(try await monitor.requests(1).count == 1)
    #expect(await run.end(.end(exitStatus: 3), body: "línea \"uno\"\n\\dos @tres") == [])
    let requests = try await monitor.requests(2)
    #expect(requests.map(\.method) == ["GET", "POST"])
    #expect(requests[0].path.hasPrefix("/uuid/start?rid="))
    #expect(requests[1].path.hasPrefix("/uuid/3?rid="))
    #expect(requests[0].path.suffix(36) == requests[1].path.suffix(36))
    #expect(UUID(uuidString: String(requests[0].path.suffix(36))) != nil)
    #expect(requests[1].body == "línea \"uno\"\n\\dos @tres")
  }

  @Test func `a body that begins with @ is sent and not taken for a file's name`() async throws {
    let monitor = try await Monitor()
    #expect(await (try ping(monitor)).send(.fail, body: "@/etc/hostname") == .sent)
    #expect(try await monitor.requests(1).first?.body == "@/etc/hostname")
    #expect(try await monitor.requests(1).first?.path.hasPrefix("/x/fail?") == true)
  }

  @Test func `a long body is cut between two characters`() async throws {
    let monitor = try await Monitor()
    let body = "x" + String(repeating: "é\"", count: 60_000)
    #expect(await (try ping(monitor)).send(.fail, body: body) == .sent)
    let received = try #require(try await monitor.requests(1).first?.body)
    #expect(received.utf8.count <= Ping.bodyLimit)
    #expect(received.utf8.count >= Ping.bodyLimit - 3)
    #expect(body.hasPrefix(received))
  }

  @Test func `a query of the URL stays a query`() async throws {
    let monitor = try await Monitor()
    #expect(await (try ping(monitor, "/push/abc/?status=up&x=[1-3]")).send(.fail) == .sent)
    #expect(
      try await monitor.requests(1).first?.path.hasPrefix("/push/abc/fail?status=up&x=[1-3]&rid=") == true)
  }

  @Test func `a monitor that fails twice is told the third time`() async throws {
    let monitor = try await Monitor(answers: [500, 503, 200])
    #expect(await (try ping(monitor)).send(.fail) == .sent)
    #expect(try await monitor.requests(3).count == 3)
  }

  @Test func `a monitor that says no is not asked again`() async throws {
    let monitor = try await Monitor(answers: [404, 200])
    #expect(await (try ping(monitor)).send(.fail) == .failed("the monitor answered with status 404"))
    #expect(try await monitor.requests(1).count == 1)
  }

  @Test func `nobody there, a name that is none, no curl: reasons without the URL`() async throws {
    let cases: [(url: String, path: String)] = [
      ("http://127.0.0.1:9/sEcReT", "/usr/bin:/bin"), ("https://sEcReT.invalid/sEcReT", "/usr/bin:/bin"),
      ("https://127.0.0.1/sEcReT", "/nonexistent"),
    ]
    for (url, path) in cases {
      let ping = try Ping(url: url, environment: ["PATH": path], timeout: .seconds(5))
      guard case .failed(let reason) = await ping.send(.fail, body: "b") else {
        Issue.record("it was sent")
        continue
      }
      #expect(!reason.contains("sEcReT") && !reason.isEmpty)
      #expect(!"\(ping)\(String(reflecting: ping))".contains("sEcReT"))
      var dumped = ""
      dump(ping, to: &dumped)
      #expect(!dumped.contains("sEcReT"))
    }
  }

  @Test(arguments: [
    "", "ftp://x/y", "https://", "file:///etc/passwd", "https://x/a b", "https://x/\nurl=y", "-o/x",
  ])
  func `what is no URL of the web is refused and not repeated`(url: String) {
    let error = #expect(throws: MaintenanceError.self) { try Ping(url: url, environment: [:]) }
    #expect(error?.kind == .invalidInput)
    if url.count > 8 { #expect(error.map { "\($0)".contains(url) } == false) }
  }

  @Test func `a monitor that never answers delays a run by the timeout at most`() async throws {
    let monitor = try await Monitor(answers: [0, 0, 0, 0])
    let run = RunPing(try ping(monitor, timeout: .seconds(2)))
    _ = try await monitor.requests(1)
    let start = ContinuousClock.now
    let problems = await run.end(.end(exitStatus: 0), body: "")
    // Twice the limit: what matters is that it ends.
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(problems.count == 2)
  }

  @Test func `the URL is in no argument of a process`() async throws {
    let monitor = try await Monitor(answers: [0])
    let ping = try ping(monitor, "/sEcReT-path", timeout: .seconds(3))
    let sending = Task { await ping.send(.fail) }
    _ = try await monitor.requests(1)
    let lines = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { name -> String? in
      guard Int(name) != nil, let data = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
        return nil
      }
      return String(decoding: data.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
    }
    #expect(lines.contains { $0.contains("curl -q --config -") })
    #expect(!lines.contains { $0.contains("sEcReT-path") })
    sending.cancel()
    _ = await sending.value
  }

  private func ping(_ monitor: Monitor, _ path: String = "/x", timeout: Duration = Ping.timeout) throws
    -> Ping
  {
    try Ping(
      url: "http://127.0.0.1:\(monitor.port)\(path)",
      environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"], timeout: timeout)
  }
}

/// A web server that keeps what it is told and answers as it should: a status for each request, 0 for never, and 200
/// once they are used up.
private final class Monitor: Sendable {
  struct Request: Decodable {
    let method: String
    let path: String
    let body: String
  }

  let port: Int
  private let run: ToolRun
  private let directory: TemporaryDirectory

  private static let program = """
    import http.server, json, sys, time
    answers = [int(a) for a in sys.argv[2:]]
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            answer = answers.pop(0) if answers else 200
            with open(sys.argv[1], "a") as log:
                log.write(json.dumps({"method": self.command, "path": self.path, "body": body}) + "\\n")
            if answer == 0:
                time.sleep(60)
                return
            self.send_response(answer)
            self.end_headers()
            self.wfile.write(b"secret answer")
        do_POST = do_GET
        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  init(answers: [Int] = []) async throws {
    directory = try TemporaryDirectory()
    run = try ToolRun(
      executable: "python3", ["-c", Self.program, directory.path("requests")] + answers.map(String.init),
      environment: ToolRun.searchPaths)
    #expect(try await run.waitForOutput("\n"))
    port = try #require(Int(run.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  deinit { run.send(signal: SIGKILL) }

  /// The requests, once there are so many.
  func requests(_ count: Int) async throws -> [Request] {
    for _ in 0..<1000 {
      let lines = ((try? directory.read("requests")) ?? "").split(separator: "\n")
      if lines.count >= count {
        return try lines.map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw TestSupportError("fewer than \(count) requests came")
  }
}
