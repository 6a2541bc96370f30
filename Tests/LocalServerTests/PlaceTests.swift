import Foundation
import LocalServer
import SystemPackage
import Testing

@Suite(.serialized) struct `Places and accounts` {
  @Test(arguments: [
    "it's a \"project\", año $HOME; `id` %41 \\ *", "a/" + String(repeating: "long-", count: 30),
    String(repeating: "deep/", count: 40),
  ])
  func `any project path works and is found again by another process`(name: String) throws {
    let project = try TestProject(name)
    let url = try project.server.start().connection.url
    #expect(try project.query("show data_directory") == project.directory.appending("data").string)
    let again = try Command.run([try Command.driver, "start", project.directory.string])
    #expect(again.output.hasPrefix("alreadyRunning \(url) "))
    let socketDirectory = try #require(try project.server.status().socketDirectory)
    #expect(!socketDirectory.starts(with: project.root))
    #expect(try project.server.destroy())
    #expect(!FileManager.default.fileExists(atPath: socketDirectory.string))
  }

  @Test func `a project may be moved while the server is stopped`() throws {
    let project = try TestProject()
    _ = try project.server.start()
    _ = try project.query("create table kept as select 3 as n")
    _ = try project.server.stop()
    let moved = project.root.appending("moved")
    try FileManager.default.moveItem(atPath: project.project.string, toPath: moved.string)
    let server = try LocalServer(directory: moved.appending(".tsdb/server"), options: project.options)
    #expect(try server.start().outcome == .started)
    #expect(try server.destroy())
  }

  @Test(.enabled(if: TestServers.isRoot))
  func `under root the server has an account, which nobody else can connect to`() throws {
    let project = try TestProject()
    let connection = try project.server.start().connection
    let status = try project.server.status()
    let account = try #require(status.account)
    let pid = try #require(status.processID)
    let attributes = try FileManager.default.attributesOfItem(atPath: "/proc/\(pid)")
    #expect(attributes[.ownerAccountName] as? String == account)
    for directory in [connection.socketDirectory, status.dataDirectory, status.logDirectory] {
      let path = try #require(directory).string
      let found = try FileManager.default.attributesOfItem(atPath: path)
      #expect(found[.posixPermissions] as? Int == 0o700, "\(path)")
      #expect(found[.ownerAccountName] as? String == account, "\(path)")
    }
    #expect(try project.query("select 1") == "1")
    let error = #expect(throws: Command.Failed.self) { try project.query("select 1", account: "nobody") }
    #expect(error?.text.contains("Permission denied") == true)
  }

  @Test(.enabled(if: TestServers.isRoot))
  func `under root a project that the account cannot reach keeps its cluster elsewhere`() throws {
    let project = try TestProject(mode: 0o700, fresh: true)
    let server = try project.server
    #expect(try server.start().outcome == .created)
    let data = try #require(try server.status().dataDirectory)
    #expect(!data.starts(with: project.root))
    #expect(try project.query("create table kept as select 5 as n; select n from kept") == "5")
    #expect(try server.start().outcome == .alreadyRunning)

    // Moved along with its project, but not shared with a copy of it.
    let moved = project.root.appending("moved")
    _ = try server.stop()
    try FileManager.default.moveItem(atPath: project.project.string, toPath: moved.string)
    let inNewPlace = try LocalServer(directory: moved.appending(".tsdb/server"), options: project.options)
    #expect(try inNewPlace.start().outcome == .started)
    #expect(try inNewPlace.status().dataDirectory == data)
    _ = try Command.run(["/bin/cp", "-r", moved.string, project.project.string])
    #expect(#expect(throws: LocalServerError.self) { try server.start() }?.code == .notOurs)
    #expect(#expect(throws: LocalServerError.self) { try server.destroy() }?.code == .notOurs)

    #expect(try inNewPlace.destroy())
    #expect(!FileManager.default.fileExists(atPath: data.removingLastComponent().string))
  }

  @Test(
    .enabled(if: TestServers.isRoot), arguments: ["/etc", "/var/lib/tsdb/../../../etc", "/var/tmp/other"])
  func `a forged record leads neither start nor destroy astray`(storage: String) throws {
    let project = try TestProject(fresh: true)
    try FileManager.default.createDirectory(
      atPath: project.directory.string, withIntermediateDirectories: true)
    try "tsdb private server 1\nstorage=\(storage)\naccount=postgres\n".write(
      toFile: project.directory.appending("server.state").string, atomically: true, encoding: .utf8)
    let server = try project.server
    #expect(#expect(throws: LocalServerError.self) { try server.start() }?.code == .notOurs)
    #expect(#expect(throws: LocalServerError.self) { try server.destroy() }?.code == .notOurs)
  }

  @Test(.enabled(if: TestServers.isRoot))
  func `a socket directory that somebody else put there is not used`() throws {
    let project = try TestProject(String(repeating: "deep/", count: 40))
    let connection = try project.server.start().connection
    _ = try project.server.stop()
    let taken = connection.socketDirectory.string
    try FileManager.default.removeItem(atPath: taken)
    try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: false)
    _ = try Command.run(["/bin/chown", "nobody", taken])
    defer { try? FileManager.default.removeItem(atPath: taken) }
    let other = try project.server.start().connection
    #expect(other.socketDirectory != connection.socketDirectory)
    #expect(try project.query("select 1") == "1")
  }

  @Test(.enabled(if: TestServers.isRoot))
  func `an ordinary user has the whole server to itself`() throws {
    let project = try TestProject(fresh: true)
    let driver = try copiedDriver(to: project.root)
    _ = try Command.run(["/bin/chown", "nobody", project.project.string])
    let environment = ["TSDB_PG_BINDIR": project.installation.binaryDirectory.string]
    func drive(_ command: String) throws -> String {
      try Command.run(
        [driver, command, project.directory.string], account: "nobody", environment: environment
      ).output
    }
    let started = try drive("start")
    #expect(started.hasPrefix("created "))
    #expect(try drive("start").hasPrefix("alreadyRunning "))
    let url = try #require(started.split(separator: " ").dropFirst().first).description
    let psql = project.installation.binaryDirectory.appending("psql").string
    let query = [psql, "-XAtq", "-d", url, "-c", "select 1"]
    #expect(try Command.run(query, account: "nobody").output == "1\n")
    #expect(try Command.run(query, account: "postgres").output.contains("Permission denied"))
    let found = try FileManager.default.attributesOfItem(atPath: project.directory.string)
    #expect(found[.posixPermissions] as? Int == 0o700)

    // Root is told whose it is instead of taking it over.
    let error = #expect(throws: LocalServerError.self) { try project.server.status() }
    #expect(error?.code == .notOurs)
    #expect(error?.detail?.contains("\"nobody\"") == true)

    try project.killEverything()
    #expect(try drive("start").hasPrefix("started "))
    #expect(try drive("stop") == "stopped\n")
    #expect(try drive("start").hasPrefix("started "))
    #expect(try drive("destroy") == "true\n")
    #expect(!FileManager.default.fileExists(atPath: project.directory.string))
  }

  @Test(.enabled(if: TestServers.isRoot))
  func `a project that the user may not write to is a clear error`() throws {
    let project = try TestProject(fresh: true)
    let driver = try copiedDriver(to: project.root)
    let result = try Command.run([driver, "start", project.directory.string], account: "nobody")
    #expect(result.status == 1)
    #expect(result.output.hasPrefix("server-permission: could not create directory"), "\(result.output)")
  }

  /// Where every account can run it.
  private func copiedDriver(to root: FilePath) throws -> String {
    let copy = root.appending("driver").string
    try FileManager.default.copyItem(atPath: try Command.driver, toPath: copy)
    chmod(copy, 0o755)
    return copy
  }
}
