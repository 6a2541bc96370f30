import Foundation
import Postgres
import Synchronization

extension PostgresCluster {
  func initialize(_ options: Options) async throws {
    if let password {
      let file = directory + "/password"
      try password.write(toFile: file, atomically: false, encoding: .utf8)
      try giveToServerAccount(file)
      try await Self.initialize(
        dataDirectory, binaries, ["--auth", "scram-sha-256", "--pwfile", file], in: directory)
    } else {
      let prepared = try await Self.preparedCluster(binaries)
      try await runAsServer("cp", ["-a", prepared, dataDirectory], directory: directory)
    }
    try append(serverConfiguration + options.configuration, to: "postgresql.conf")
  }

  private static func initialize(
    _ dataDirectory: String, _ binaries: String, _ arguments: [String], in directory: String
  ) async throws {
    let arguments =
      [
        "--pgdata", dataDirectory, "--username", "postgres", "--encoding", "UTF8", "--locale", "C.UTF-8",
        "--data-checksums", "--no-sync", "--no-instructions",
      ] + arguments
    try await runAsServer(binaries + "/initdb", arguments, directory: directory)
  }

  private static let preparedClusters = Mutex<[String: Task<String, any Error>]>([:])

  /// An initialised data directory to copy: a tenth of the time that `initdb` takes.
  private static func preparedCluster(_ binaries: String) async throws -> String {
    let task = preparedClusters.withLock { tasks in
      if let task = tasks[binaries] { return task }
      let task = Task {
        let directory = try TestRoot.shared.makeDirectory()
        try giveToServerAccount(directory)
        try await initialize(directory + "/prepared", binaries, ["--auth", "trust"], in: directory)
        return directory + "/prepared"
      }
      tasks[binaries] = task
      return task
    }
    return try await task.value
  }

  private var serverConfiguration: [String] {
    [
      "listen_addresses = '\(password == nil ? "" : "127.0.0.1")'",
      "port = \(port)",
      "unix_socket_directories = '\(directory)'",
      "max_connections = 200",
      "shared_buffers = 64MB",
      "max_locks_per_transaction = 256",
      "fsync = off",
      "full_page_writes = off",
      "autovacuum_naptime = 1h",
      "max_wal_size = 4GB",
      "checkpoint_timeout = 1h",
      "log_statement = 'all'",
      "log_line_prefix = '%m [%p] %d %a '",
      "timezone = 'UTC'",
    ]
  }

  /// Appends lines to a configuration file; effective after ``restart()``.
  public func append(_ lines: [String], to file: String = "postgresql.conf") throws {
    let url = URL(fileURLWithPath: dataDirectory + "/" + file)
    let handle = try FileHandle(forWritingTo: url)
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
  }

  /// Starts the server and waits until it accepts connections.
  public func start() async throws {
    do {
      try await runAsServer(
        executable("pg_ctl"),
        ["start", "--wait", "--timeout", "60", "--silent", "--pgdata", dataDirectory, "--log", logPath],
        directory: directory)
    } catch {
      throw TestSupportError("\(error)\nserver log: \(log().suffix(2000))")
    }
  }

  public func stop(_ mode: StopMode = .immediate) async throws {
    try await runAsServer(
      executable("pg_ctl"),
      ["stop", "--wait", "--timeout", "60", "--silent", "--mode", mode.rawValue, "--pgdata", dataDirectory],
      directory: directory)
  }

  public func restart(_ mode: StopMode = .fast) async throws {
    try await stop(mode)
    try await start()
  }

  /// Makes the server read its configuration again.
  public func reload() async throws {
    try await runAsServer(executable("pg_ctl"), ["reload", "--pgdata", dataDirectory], directory: directory)
  }

  /// The process id of the postmaster, or nil when no pid file is there.
  public var postmasterProcessID: pid_t? {
    let file = try? String(contentsOfFile: dataDirectory + "/postmaster.pid", encoding: .utf8)
    return file?.split(separator: "\n").first.flatMap { pid_t($0) }
  }

  /// Kills the postmaster and all its children, as a power failure would, and waits until all are gone.
  public func kill9() async throws {
    guard let postmaster = postmasterProcessID else { return }
    // A stopped postmaster starts no more children.
    kill(postmaster, SIGSTOP)
    let processes = [postmaster] + children(of: postmaster)
    for process in processes { kill(process, SIGKILL) }
    let deadline = ContinuousClock.now + .seconds(20)
    while processes.contains(where: isAlive) {
      guard ContinuousClock.now < deadline else { throw TestSupportError("the server survived SIGKILL") }
      try await Task.sleep(for: .milliseconds(2))
    }
    if processStatus(postmaster) != nil { try removeLockFiles() }
  }

  /// Does what init's fetching of the dead postmaster's status would: where that takes seconds, a
  /// new server takes the zombie for its rival. Left alone, it finds the files stale.
  private func removeLockFiles() throws {
    for file in ["\(dataDirectory)/postmaster.pid", "\(directory)/.s.PGSQL.\(port).lock"] {
      try FileManager.default.removeItem(atPath: file)
    }
  }

  /// Stops the server, if it runs, and removes its directory.
  public func destroy() async {
    try? await kill9()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// A hot standby that streams from this server.
  public func createStandby() async throws -> PostgresCluster {
    let standby = try PostgresCluster(Options(password: password, binaries: binaries))
    let environment = password.map { ["PGPASSWORD": $0] } ?? [:]
    try await runAsServer(
      executable("pg_basebackup"),
      [
        "--pgdata", standby.dataDirectory, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync",
        "--host", host, "--port", String(port), "--username", "postgres", "--wal-method", "stream",
      ], environment: environment, directory: standby.directory)
    try standby.append(standby.serverConfiguration)
    try await standby.start()
    return standby
  }

  /// Waits until `standby` has replayed what this server had written before the call.
  public func waitForReplay(on standby: PostgresCluster) async throws {
    let position = try await value("select pg_current_wal_insert_lsn()")
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
      let replayed = try await standby.value("select pg_last_wal_replay_lsn() >= '\(position)'")
      if replayed == "t" { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw TestSupportError("the standby does not follow")
  }

  /// The first value of a query's first row, empty where it is null.
  public func value(_ sql: String, database: String = "postgres") async throws -> String {
    try await connect(database: database).run { try $0.query(sql).text(0, 0) }
  }
}

/// The processes whose parent is `parent`.
func children(of parent: pid_t) -> [pid_t] {
  let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return entries.compactMap { pid_t($0) }.filter { processStatus($0)?.parent == parent }
}

/// A zombie counts as gone: nothing of it runs.
private func isAlive(_ process: pid_t) -> Bool {
  guard let status = processStatus(process) else { return false }
  return status.state != "Z" && status.state != "X"
}

/// The state and parent of a process, or nil when it is gone; a zombie is still there.
func processStatus(_ process: pid_t) -> (state: String, parent: pid_t)? {
  guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
    // The second field is the command in parentheses and may hold anything.
    let end = text.lastIndex(of: ")")
  else { return nil }
  let fields = text[text.index(after: end)...].split(separator: " ")
  guard fields.count > 1, let parent = pid_t(fields[1]) else { return nil }
  return (String(fields[0]), parent)
}
