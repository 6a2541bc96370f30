import Foundation
import LocalServer
import SystemPackage
import Testing

/// The installed servers that the tests run on.
enum TestServers {
  /// Those of `TSDB_TEST_PG_BINDIRS` (directories separated by colons), else the newest of each
  /// major that is found.
  static let installations: [ServerInstallation] = {
    let listed = ProcessInfo.processInfo.environment["TSDB_TEST_PG_BINDIRS"] ?? ""
    if listed.isEmpty { return (try? InstallationSearch().installations()) ?? [] }
    return listed.split(separator: ":").flatMap { directory in
      let environment = ServerEnvironment(binaryDirectory: String(directory))
      return (try? InstallationSearch(environment: environment).installations()) ?? []
    }
  }()

  /// A stopped cluster of the first installation, made once: copying it takes a tenth of `initdb`.
  static let template: Result<FilePath, any Error> = Result {
    let project = try TestProject(fresh: true)
    _ = try project.server.start()
    _ = try project.server.stop()
    let template = FilePath("/tmp/tsdb-ls-template-\(getpid())")
    try FileManager.default.moveItem(atPath: project.project.string, toPath: template.string)
    atexit { try? FileManager.default.removeItem(atPath: "/tmp/tsdb-ls-template-\(getpid())") }
    return template
  }

  static var isRoot: Bool { geteuid() == 0 }
}

/// A project directory for one test, removed with its server at the end.
struct TestProject: ~Copyable {
  let root: FilePath
  let project: FilePath
  let installation: ServerInstallation

  /// - Parameters:
  ///   - name: the project's path below a fresh directory.
  ///   - mode: the mode of the project directory.
  ///   - fresh: whether the project starts without a cluster, instead of with a stopped one.
  init(
    _ name: String = "project", mode: Int = 0o755, fresh: Bool = false,
    installation: ServerInstallation? = nil
  ) throws {
    let installation = try #require(installation ?? TestServers.installations.first)
    let root = FilePath("/tmp/tsdb-ls-\(UInt32.random(in: 0 ... .max))")
    let project = root.appending(FilePath(name).components)
    try FileManager.default.createDirectory(atPath: project.string, withIntermediateDirectories: true)
    // Whatever the umask of the test run: only the project itself may be closed.
    var current = project.removingLastComponent()
    while current.starts(with: root) {
      chmod(current.string, 0o755)
      current.removeLastComponent()
    }
    chmod(project.string, mode_t(mode))
    if !fresh { try Self.copyTemplate(to: project) }
    self.init(root: root, project: project, installation: installation)
  }

  private static func copyTemplate(to project: FilePath) throws {
    let template = try TestServers.template.get()
    let copy = try Command.run(["/bin/cp", "-a", template.appending(".tsdb").string, project.string])
    guard copy.status == 0 else { throw Command.Failed(text: copy.output) }
  }

  private init(root: FilePath, project: FilePath, installation: ServerInstallation) {
    self.root = root
    self.project = project
    self.installation = installation
  }

  deinit {
    _ = try? server.destroy()
    try? FileManager.default.removeItem(atPath: root.string)
  }

  var directory: FilePath { project.appending(".tsdb/server") }

  var options: ServerOptions {
    ServerOptions(
      environment: ServerEnvironment(
        binaryDirectory: installation.binaryDirectory.string, path: "/usr/bin:/bin"),
      startTimeout: .seconds(30), lockTimeout: .seconds(60))
  }

  var server: LocalServer {
    get throws { try LocalServer(directory: directory, options: options) }
  }

  /// The result of a query, in psql's unaligned form.
  func query(_ sql: String, account: String? = nil) throws -> String {
    let psql = try #require(try server.clientProgram("psql"))
    let url = try server.connectionSettings().url
    let result = try Command.run([psql.string, "-XAtq", "-d", url, "-c", sql], account: account)
    guard result.status == 0 else { throw Command.Failed(text: result.output) }
    return result.output.trimmingCharacters(in: .newlines)
  }

  /// All server processes of this cluster.
  func processes(in data: FilePath? = nil) throws -> [pid_t] {
    let data = (data ?? directory.appending("data")).string
    return try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.filter {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\($0)/cwd")) == data
    }
  }

  /// Kills all server processes at once, and returns when the kernel has taken them down.
  func killEverything() throws {
    for pid in try processes() { kill(pid, SIGKILL) }
    while try !processes().isEmpty { usleep(1000) }
  }

  func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.string).sorted()
  }
}

/// A program run to its end by a test.
enum Command {
  struct Failed: Error { let text: String }

  static func run(
    _ words: [String], account: String? = nil, environment: [String: String] = ["PATH": "/usr/bin:/bin"]
  ) throws -> (status: Int32, output: String) {
    let (process, output) = try start(words, account: account, environment: environment)
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  static func start(
    _ words: [String], account: String? = nil, environment: [String: String] = ["PATH": "/usr/bin:/bin"]
  ) throws -> (Process, Pipe) {
    var words = words
    if let account {
      let ids = try #require(getpwnam(account)).pointee
      words =
        ["/usr/bin/setpriv", "--reuid=\(ids.pw_uid)", "--regid=\(ids.pw_gid)", "--clear-groups", "--"] + words
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    process.environment = environment
    process.currentDirectoryURL = URL(fileURLWithPath: "/")
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    return (process, output)
  }

  /// The driver program, which lies beside the test bundle.
  static var driver: String {
    get throws {
      let directory = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      let file = directory.appendingPathComponent("LocalServerDriver").path
      try #require(FileManager.default.isExecutableFile(atPath: file), "\(file) is not built")
      return file
    }
  }
}
