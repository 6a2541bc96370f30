import Foundation
import LocalServer
import SystemPackage
import Testing

extension ServerInstallation: CustomTestStringConvertible {
  public var testDescription: String { "PostgreSQL \(version)" }
}

@Suite(.serialized) struct `The private local server` {
  @Test(arguments: TestServers.installations)
  func `starts, is found again, stops, keeps its data and is destroyed`(installation: ServerInstallation)
    throws
  {
    let project = try TestProject(fresh: true, installation: installation)
    let server = try project.server
    #expect(try server.status().state == .absent)
    let first = try server.start()
    #expect(first.outcome == .created)
    #expect(first.notices == [])
    #expect(try server.start().outcome == .alreadyRunning)
    #expect(try server.start().connection == first.connection)
    #expect(try server.connectionSettings() == first.connection)
    let status = try server.status()
    #expect(status.state == .running)
    #expect(status.majorVersion == installation.version.major)
    #expect(try project.query("create table kept as select 42 as n; select n from kept") == "42")

    #expect(try server.stop() == .stopped)
    #expect(try server.stop() == .wasNotRunning)
    #expect(try server.status().state == .stopped)
    #expect(try project.processes() == [])
    #expect(try server.start().outcome == .started)
    #expect(try project.query("select n from kept") == "42")

    #expect(try server.destroy())
    #expect(try project.processes() == [])
    #expect(!FileManager.default.fileExists(atPath: project.directory.string))
    #expect(try !server.destroy())
    #expect(try server.status().state == .absent)
  }

  @Test(arguments: TestServers.installations)
  func `has checksums, C.UTF-8, durable writes, UTC and no TCP`(installation: ServerInstallation) throws {
    let project = try TestProject(fresh: true, installation: installation)
    _ = try project.server.start()
    let expected = [
      ("data_checksums", "on"), ("server_encoding", "UTF8"), ("fsync", "on"), ("full_page_writes", "on"),
      ("TimeZone", "UTC"), ("lc_messages", "C"), ("listen_addresses", ""),
      ("unix_socket_permissions", "0700"),
      ("max_connections", "100"), ("cluster_name", "tsdb"), ("logging_collector", "on"),
    ]
    for (name, value) in expected {
      #expect(try project.query("show \(name)") == value, "\(name)")
    }
    #expect(try project.query("select datcollate from pg_database where datname = 'postgres'") == "C.UTF-8")
    #expect(try project.names().contains("data.partial") == false)
    let inet = try Command.run(["/bin/cat", "/proc/net/tcp", "/proc/net/tcp6"]).output
    let postmaster = try #require(try project.server.status().processID)
    let sockets = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(postmaster)/fd").compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(postmaster)/fd/\($0)")
    }.filter { $0.hasPrefix("socket:[") }.map { $0.dropFirst(8).dropLast() }
    #expect(!sockets.isEmpty)
    for socket in sockets { #expect(!inet.contains(" \(socket) "), "socket \(socket) is a TCP socket") }
  }

  @Test func `the server is detached from the command`() throws {
    let project = try TestProject()
    _ = try project.server.start()
    let pid = try #require(try project.server.status().processID)
    #expect(getsid(pid) == pid)
    #expect(getpgid(pid) == pid)
    let descriptors = "/proc/\(pid)/fd/"
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: descriptors + "0") == "/dev/null")
    let open = try FileManager.default.contentsOfDirectory(atPath: descriptors).compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: descriptors + $0)
    }
    #expect(open.contains(project.directory.appending("postmaster.lock").string))
    // Nothing of this process, and not the lock that commands take turns by.
    let files = open.filter { $0.hasPrefix("/") && !$0.hasPrefix("/dev/") && !$0.hasPrefix("/proc/") }
    #expect(files.allSatisfy { FilePath($0).starts(with: project.directory) }, "\(files)")
    #expect(!files.contains(project.directory.appending("lock").string))
    let environment = try String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
    let names = environment.split(separator: "\0").map { $0.prefix { $0 != "=" } }
    #expect(Set(names).isSubset(of: ["PATH", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PG_GRANDPARENT_PID"]))
  }

  @Test func `six simultaneous starts end with one server`() throws {
    let project = try TestProject(fresh: true)
    let environment = ["TSDB_PG_BINDIR": project.installation.binaryDirectory.string]
    let started = try (0..<6).map { _ in
      try Command.start([try Command.driver, "start", project.directory.string], environment: environment)
    }
    let outputs = started.map { process, output in
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return text.split(separator: " ").map(String.init)
    }
    #expect(outputs.filter { $0.first == "created" }.count == 1, "\(outputs)")
    #expect(outputs.filter { $0.first == "alreadyRunning" }.count == 5, "\(outputs)")
    #expect(Set(outputs.map { $0.dropFirst().first }).count == 1)
    #expect(try project.query("select 1") == "1")
  }

  @Test func `a changed setting of the user is kept and outlives a restart`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try project.query("alter system set max_connections = 33")
    _ = try server.stop()
    _ = try server.start()
    #expect(try project.query("show max_connections") == "33")
  }

  @Test func `a smart stop waits for the clients and gives up after its time`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    let psql = try #require(try server.clientProgram("psql")).string
    let (client, _) = try Command.start([
      psql, "-d", try server.connectionSettings().url, "-c", "select pg_sleep(60)",
    ])
    defer { client.terminate() }
    while try project.query("select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'")
      != "1"
    {
      usleep(10000)
    }
    let error = #expect(throws: LocalServerError.self) {
      try server.stop(.smart, timeout: .milliseconds(300))
    }
    #expect(error?.code == .timeout)
    #expect(try server.stop(.fast) == .stopped)
  }
}

@Suite(.serialized) struct `Errors of the private local server` {
  @Test func `a cluster of a major that is not installed names both`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try server.stop()
    let file = project.directory.appending("data/PG_VERSION").string
    let real = try String(contentsOfFile: file, encoding: .utf8)
    try "99\n".write(toFile: file, atomically: false, encoding: .utf8)
    let error = #expect(throws: LocalServerError.self) { try server.start() }
    #expect(error?.code == .clusterVersion)
    #expect(error?.message.contains("PostgreSQL 99") == true)
    #expect(error?.detail?.contains("PostgreSQL \(project.installation.version.major)") == true)
    try real.write(toFile: file, atomically: false, encoding: .utf8)
    #expect(try server.start().outcome == .started)
  }

  @Test func `a directory with something else in it is neither started in nor destroyed`() throws {
    let project = try TestProject(fresh: true)
    let file = project.directory.appending("thesis.txt").string
    try FileManager.default.createDirectory(
      atPath: project.directory.string, withIntermediateDirectories: true)
    try "years of work".write(toFile: file, atomically: true, encoding: .utf8)
    let server = try project.server
    #expect(#expect(throws: LocalServerError.self) { try server.start() }?.code == .notOurs)
    #expect(#expect(throws: LocalServerError.self) { try server.destroy() }?.code == .notOurs)
    #expect(try project.names() == ["thesis.txt"])
  }

  @Test func `destroy refuses a cluster whose record is gone, and takes it when it is back`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try server.stop()
    let record = project.directory.appending("server.state").string
    try FileManager.default.moveItem(atPath: record, toPath: record + ".away")
    #expect(#expect(throws: LocalServerError.self) { try server.destroy() }?.code == .notOurs)
    #expect(try project.names().contains("data"))
    try FileManager.default.moveItem(atPath: record + ".away", toPath: record)
    #expect(try server.destroy())
  }

  @Test func `a server that cannot start shows what it said`() throws {
    let project = try TestProject()
    let server = try project.server
    _ = try server.start()
    _ = try project.query("alter system set shared_preload_libraries = 'no_such_library'")
    _ = try server.stop()
    let error = #expect(throws: LocalServerError.self) { try server.start() }
    #expect(error?.code == .startFailed)
    #expect(error?.detail?.contains("no_such_library") == true)
    #expect(error?.hint?.contains(project.directory.string) == true)
  }

  @Test func `a running server without its socket is reported, not restarted`() throws {
    let project = try TestProject()
    let server = try project.server
    let socket = try server.start().connection.socketDirectory.appending(".s.PGSQL.5432").string
    try FileManager.default.removeItem(atPath: socket)
    #expect(#expect(throws: LocalServerError.self) { try server.start() }?.code == .socketMissing)
    #expect(try server.stop() == .stopped)
    #expect(try server.start().outcome == .started)
  }

  @Test func `the settings of a stopped server are an error that says what to type`() throws {
    let project = try TestProject(fresh: true)
    let error = #expect(throws: LocalServerError.self) { try project.server.connectionSettings() }
    #expect(error?.code == .notRunning)
    #expect(error?.hint == "run \"tsdb server start\"")
  }
}
