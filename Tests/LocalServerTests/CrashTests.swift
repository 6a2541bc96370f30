import Foundation
import LocalServer
import SystemPackage
import Testing

@Suite(.serialized) struct `After a crash` {
  @Test(arguments: TestServers.installations)
  func `of everything at once the same start recovers`(installation: ServerInstallation) throws {
    let project = try TestProject(fresh: true, installation: installation)
    let server = try project.server
    _ = try server.start()
    for round in 1...3 {
      _ = try project.query("create table kept_\(round) as select generate_series(1, 1000) as n")
      try project.killEverything()
      #expect(try server.start().outcome == .started)
      #expect(try project.query("select count(*) from kept_\(round)") == "1000")
    }
  }

  @Test func `of the postmaster alone, a backend in a long computation does not block the start`() throws {
    let project = try TestProject()
    let server = try project.server
    let url = try server.start().connection.url
    let psql = try #require(try server.clientProgram("psql")).string
    let busy = "select count(*) from generate_series(1, 100000000000::bigint) n where n % 7 = 8"
    let (client, _) = try Command.start([psql, "-d", url, "-c", busy])
    defer { client.terminate() }
    while try project.query(
      "select count(*) from pg_stat_activity where query = '\(busy.filter { $0 != "'" })'") != "1"
    {
      usleep(10000)
    }
    usleep(100_000)
    let postmaster = try #require(try server.status().processID)
    kill(postmaster, SIGKILL)
    while try project.processes().contains(postmaster) { usleep(1000) }
    #expect(try server.start().outcome == .started)
    #expect(try project.query("select 1") == "1")
  }

  @Test func `a recycled process number is not taken for the server`() throws {
    let project = try TestProject()
    let server = try project.server
    let socket = try server.start().connection.socketDirectory
    _ = try project.query("create table kept as select 7 as n")
    let old = try #require(try server.status().processID)
    try project.killEverything()
    // The worst case: the number now belongs to a process of the server's own account.
    let (other, _) = try Command.start(["/bin/sleep", "60"], account: try server.status().account)
    defer { other.terminate() }
    for file in [project.directory.appending("data/postmaster.pid"), socket.appending(".s.PGSQL.5432.lock")] {
      let text = try String(contentsOfFile: file.string, encoding: .utf8)
      try text.replacing("\(old)\n", with: "\(other.processIdentifier)\n")
        .write(toFile: file.string, atomically: false, encoding: .utf8)
    }
    #expect(try server.status().state == .stopped)
    #expect(try server.stop() == .wasNotRunning)
    #expect(other.isRunning)
    #expect(try server.start().outcome == .started)
    #expect(try project.query("select n from kept") == "7")
    #expect(other.isRunning)
  }

  @Test(arguments: ["", "\n", "garbage"])
  func `a torn postmaster file does not block the start`(text: String) throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    try project.killEverything()
    let file = project.directory.appending("data/postmaster.pid").string
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    #expect(try server.start().outcome == .started)
  }

  @Test func `a half-made cluster is removed by the next start`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try server.stop()
    let data = project.directory.appending("data").string
    try FileManager.default.moveItem(atPath: data, toPath: data + ".partial")
    #expect(try server.start().outcome == .created)
    #expect(try project.names().contains("data.partial") == false)
  }

  @Test(arguments: [2, 20, 100, 400, 800, 950, 1000, 1050].map { $0 * 1000 as UInt32 })
  func `of the command while it starts, the same command finishes`(microseconds: UInt32) throws {
    let project = try TestProject(fresh: true)
    let environment = ["TSDB_PG_BINDIR": project.installation.binaryDirectory.string]
    let (driver, _) = try Command.start(
      [try Command.driver, "start", project.directory.string], environment: environment)
    usleep(microseconds)
    kill(driver.processIdentifier, SIGKILL)
    let result = try project.server.start()
    driver.waitUntilExit()
    #expect(try project.query("select 1") == "1")
    #expect(try project.names().filter { $0.hasSuffix(".partial") } == [], "\(result.outcome)")
    let processes = try project.processes()
    let postmasters = processes.filter { pid in Self.parent(pid).map { !processes.contains($0) } ?? false }
    #expect(postmasters.count == 1)
  }

  @Test func `of destroy half-way, destroy finishes`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try server.stop()
    let data = project.directory.appending("data")
    try FileManager.default.moveItem(atPath: data.string, toPath: data.string + ".removed")
    #expect(try server.status().state == .absent)
    #expect(try server.destroy())
    #expect(!FileManager.default.fileExists(atPath: project.directory.string))
  }

  /// Nil when the process has ended.
  static func parent(_ pid: pid_t) -> pid_t? {
    let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    return status?.split(separator: "\n").first { $0.hasPrefix("PPid:") }?.split(separator: "\t").last
      .flatMap { pid_t($0) }
  }
}
