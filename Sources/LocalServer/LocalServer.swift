import SystemPackage

/// The private local server: a PostgreSQL cluster of its own in a directory of the project.
///
/// It listens on a Unix-domain socket only, in a directory that only its owner and root can enter.
/// Run by root it works under an unprivileged account, because PostgreSQL refuses root. It goes on
/// when the command that started it ends, and the next command finds it again.
///
/// Every call may be repeated and may be killed at any moment: the same call, made again, finishes
/// the work. Commands that change something exclude each other by a lock on a file. All calls block.
public struct LocalServer: Sendable {
  /// The server directory, `.tsdb/server` of a project.
  public let directory: FilePath
  let options: ServerOptions

  /// - Parameter directory: an absolute path; it need not exist.
  /// - Throws: `.unusableDirectory` for a relative path, one that is not UTF-8, and one with a
  ///   control character, which PostgreSQL's own files cannot hold.
  public init(directory: FilePath, options: ServerOptions = ServerOptions()) throws(LocalServerError) {
    guard directory.isAbsolute, let text = String(validating: directory),
      !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
    else {
      throw LocalServerError(
        .unusableDirectory,
        "the server directory must be an absolute path in UTF-8 without control characters",
        detail: "It is \(String(reflecting: directory.string)).",
        hint: "move the project to a directory with a plain name")
    }
    self.directory = directory.lexicallyNormalized()
    self.options = options
  }

  /// What is there. Takes no lock and changes nothing.
  ///
  /// - Throws: `.notOurs` when the directory belongs to another account.
  public func status() throws(LocalServerError) -> ServerStatus {
    guard let home = try ServerHome.find(directory),
      let major = try ClusterCreation.existingMajor(home.layout)
    else { return ServerStatus(state: .absent, directory: directory) }
    let file = Postmaster(home: home).live()
    let state: ServerStatus.State =
      switch file?.status {
      case nil: file == nil ? .stopped : .starting
      case .starting: .starting
      case .stopping: .stopping
      case .ready, .standby: .running
      }
    return ServerStatus(
      state: state, directory: directory, dataDirectory: home.layout.data, logDirectory: home.layout.log,
      majorVersion: major, account: home.record.account, processID: file?.pid, startTime: file?.startTime,
      socketDirectory: file?.socketDirectory)
  }

  /// How to reach the running server. Takes no lock.
  ///
  /// - Throws: `.notRunning`, or `.socketMissing` when the server runs and its socket was removed.
  public func connectionSettings(database: String = "postgres") throws(LocalServerError) -> ConnectionSettings
  {
    guard let home = try ServerHome.find(directory), let settings = try running(home, database: database)
    else {
      throw LocalServerError(
        .notRunning, "the private server is not running", hint: "run \"tsdb server start\"")
    }
    return settings
  }

  /// A client program such as `psql` or `pg_dump`, preferably of the server's own installation,
  /// else of `PATH`; nil when there is none.
  public func clientProgram(_ name: String) throws(LocalServerError) -> FilePath? {
    let ours = try ServerHome.find(directory)?.record.binaries.map { [$0] } ?? []
    let others = (options.environment.path ?? "").split(separator: ":").map { FilePath(String($0)) }
    return (ours + others).lazy.filter(\.isAbsolute).map { $0.appending(name) }
      .first { InstallationSearch.isExecutable($0) }
  }

  /// Settings of a server that is ready; nil when it is not.
  func running(_ home: ServerHome, database: String) throws(LocalServerError) -> ConnectionSettings? {
    guard let file = Postmaster(home: home).live(), file.status == .ready || file.status == .standby,
      let socketDirectory = file.socketDirectory
    else { return nil }
    let socket = socketDirectory.appending(ServerLayout.socketName)
    guard PrivateFiles.attributes(socket, following: true)?.isSocket == true else {
      throw LocalServerError(
        .socketMissing, "the private server is running but its socket is gone",
        detail:
          "\"\(socket)\" was removed, or the project directory was moved, after the server had started.",
        hint: "run \"tsdb server stop\", then \"tsdb server start\"")
    }
    return ConnectionSettings(
      socketDirectory: socketDirectory, port: file.port ?? ServerLayout.port, user: ClusterCreation.superuser,
      database: database)
  }

  /// Takes the lock that makes commands take turns.
  func commandLock() throws(LocalServerError) -> FileLock {
    let path = directory.appending(ServerLayout.commandLockName)
    guard let lock = try FileLock.acquire(path, timeout: options.lockTimeout) else {
      throw LocalServerError(
        .timeout, "another tsdb is starting or stopping the private server",
        detail: "It held \"\(path)\" for \(options.lockTimeout).", hint: "run the same command again later")
    }
    return lock
  }
}
