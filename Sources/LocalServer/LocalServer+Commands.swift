import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension LocalServer {
  /// Makes the cluster if there is none, starts the server if it does not run, and waits until it
  /// accepts connections. A running server is recognised without taking a lock.
  ///
  /// - Parameter database: only named in the result; the cluster has `postgres` and no other.
  public func start(database: String = "postgres") throws(LocalServerError) -> StartResult {
    if let home = try ServerHome.find(directory), let settings = try running(home, database: database) {
      return StartResult(outcome: .alreadyRunning, connection: settings, notices: [])
    }
    try ServerHome.prepare(directory)
    let lock = try commandLock()
    let found = try ServerHome.find(directory)
    let home = if let found { found } else { try ServerHome.create(directory) }
    let postmaster = Postmaster(home: home)
    if let file = postmaster.live() {
      if file.status == .stopping {
        _ = postmaster.waitUntilGone(file.pid, timeout: options.startTimeout)
      } else {
        _ = try postmaster.waitUntilReady(child: nil, timeout: options.startTimeout)
        return try result(.alreadyRunning, home, database, notices: [])
      }
    }
    var result = try startStopped(home, database: database, holding: lock)
    if found == nil, result.outcome != .created {
      result.notices.append("the cluster of an earlier \"\(directory)\" is used again: \(home.layout.data)")
    }
    return result
  }

  private func startStopped(
    _ home: ServerHome, database: String, holding lock: borrowing FileLock
  ) throws(LocalServerError) -> StartResult {
    var home = home
    let postmaster = Postmaster(home: home)
    try postmaster.endOrphans()
    if postmaster.live() != nil {
      _ = try postmaster.waitUntilReady(child: nil, timeout: options.startTimeout)
      return try result(.alreadyRunning, home, database, notices: [])
    }
    try PrivateFiles.removeTree(home.layout.removedData)
    let existingMajor = try ClusterCreation.existingMajor(home.layout)
    let installation = try installation(clusterMajor: existingMajor)
    try ensureDirectories(home)
    var notices: [String] = []
    if existingMajor == nil {
      let creation = ClusterCreation(
        home: home, installation: installation, environment: options.environment,
        isThrowaway: options.isThrowaway)
      notices = try creation.run(holding: lock)
    } else {
      try PrivateFiles.removeTree(home.layout.partialData)
    }
    home = try remember(installation, home)
    let socketDirectory = try ensureSocketDirectory(home)
    try PrivateFiles.write(
      ServerSettings.text(socketDirectory: socketDirectory.string, isThrowaway: options.isThrowaway),
      to: home.layout.settings,
      mode: [.ownerReadWrite, .groupRead, .otherRead])
    let child = try postmaster.spawn(installation, environment: options.environment)
    _ = try postmaster.waitUntilReady(child: child, timeout: options.startTimeout)
    return try result(existingMajor == nil ? .created : .started, home, database, notices: notices)
  }

  private func installation(clusterMajor: Int?) throws(LocalServerError) -> ServerInstallation {
    if let wanted = options.installation, clusterMajor == nil || clusterMajor == wanted.version.major {
      return wanted
    }
    return try ServerInstallation.choose(
      among: InstallationSearch(environment: options.environment).installations(), clusterMajor: clusterMajor)
  }

  private func result(
    _ outcome: StartResult.Outcome, _ home: ServerHome, _ database: String, notices: [String]
  ) throws(LocalServerError) -> StartResult {
    guard let settings = try running(home, database: database) else {
      throw LocalServerError(
        .startFailed, "the private server ended right after it had started",
        hint: "look into \"\(home.layout.log)\"")
    }
    return StartResult(outcome: outcome, connection: settings, notices: notices)
  }

  private func ensureDirectories(_ home: ServerHome) throws(LocalServerError) {
    if home.layout.storage != home.layout.home {
      // A storage lost with its disk is made again, empty.
      try PrivateFiles.makeParents(of: home.layout.storage)
      try PrivateFiles.ensureDirectory(home.layout.storage, mode: 0o711, owner: 0, group: 0)
      try PrivateFiles.write(
        home.layout.home.string + "\n", to: home.layout.storageOwner, mode: [.ownerReadWrite])
    }
    try PrivateFiles.ensureDirectory(
      home.layout.log, mode: 0o700, owner: home.serverUser, group: home.serverGroup)
  }

  private func ensureSocketDirectory(_ home: ServerHome) throws(LocalServerError) -> FilePath {
    var refusal: LocalServerError?
    for directory in home.socketDirectories {
      do {
        try PrivateFiles.ensureDirectory(
          directory, mode: 0o700, owner: home.serverUser, group: home.serverGroup)
        return directory
      } catch {
        refusal = refusal ?? error
      }
    }
    throw refusal ?? .system("create directory", home.layout.storage, ENOENT)
  }

  private func remember(_ installation: ServerInstallation, _ home: ServerHome) throws(LocalServerError)
    -> ServerHome
  {
    guard home.record.binaries != installation.binaryDirectory else { return home }
    var record = home.record
    record.binaries = installation.binaryDirectory
    try home.write(record)
    return ServerHome(layout: home.layout, record: record, account: home.account)
  }
}

extension LocalServer {
  /// Stops the server. A fast stop that takes longer than `timeout` becomes an immediate one.
  ///
  /// - Parameter timeout: how long a smart or fast stop may take.
  /// - Throws: `.timeout` when it still runs; nothing is ever sent SIGKILL.
  @discardableResult
  public func stop(_ mode: StopMode = .fast, timeout: Duration = .seconds(60)) throws(LocalServerError)
    -> StopResult
  {
    guard try ServerHome.find(directory) != nil else { return .wasNotRunning }
    let lock = try commandLock()
    guard let home = try ServerHome.find(directory) else { return .wasNotRunning }
    return try stop(home, mode, timeout: timeout, holding: lock)
  }

  private func stop(
    _ home: ServerHome, _ mode: StopMode, timeout: Duration, holding lock: borrowing FileLock
  ) throws(LocalServerError) -> StopResult {
    let postmaster = Postmaster(home: home)
    guard let file = postmaster.live(), !file.isStandalone else { return .wasNotRunning }
    let signal =
      switch mode {
      case .smart: SIGTERM
      case .fast: SIGINT
      case .immediate: SIGQUIT
      }
    postmaster.signal(signal, file.pid)
    // The log collector ends a moment after the postmaster; then nothing of the server is left.
    defer { _ = postmaster.waitUntilNone(timeout: .seconds(1)) }
    if postmaster.waitUntilGone(file.pid, timeout: timeout) { return .stopped }
    if mode == .fast {
      postmaster.signal(SIGQUIT, file.pid)
      if postmaster.waitUntilGone(file.pid, timeout: .seconds(15)) { return .stoppedImmediately }
    }
    throw LocalServerError(
      .timeout, "the private server is still running after \(timeout)",
      detail: "Its process is \(file.pid); it was asked for a \(mode.rawValue) shutdown.",
      hint: mode == .smart
        ? "close the clients, or run \"tsdb server stop --mode fast\""
        : "run the same command again later; the log is in \"\(home.layout.log)\"")
  }

  /// Stops the server and removes its directory with all data.
  ///
  /// - Returns: false when there was nothing.
  /// - Throws: `.notOurs` when the directory was not made by this program.
  @discardableResult
  public func destroy() throws(LocalServerError) -> Bool {
    guard PrivateFiles.attributes(directory, following: true) != nil else { return false }
    guard try ServerHome.find(directory) != nil else {
      throw LocalServerError(
        .notOurs, "\"\(directory)\" was not made by tsdb and is left alone",
        detail: "It has no file \"\(ServerLayout.recordName)\".",
        hint: "look at what it holds, and remove it yourself if it can go")
    }
    let lock = try commandLock()
    guard let home = try ServerHome.find(directory) else { return false }
    _ = try stop(home, .immediate, timeout: .seconds(30), holding: lock)
    try Postmaster(home: home).endOrphans()
    try remove(home)
    return true
  }

  /// In an order that a killed `destroy` can be repeated from: the record goes last.
  private func remove(_ home: ServerHome) throws(LocalServerError) {
    let layout = home.layout
    if PrivateFiles.attributes(layout.data) != nil {
      try PrivateFiles.removeTree(layout.removedData)
      try PrivateFiles.move(layout.data, to: layout.removedData)
    }
    for directory in home.socketDirectories {
      guard let found = PrivateFiles.attributes(directory), found.owner == home.serverUser else { continue }
      try PrivateFiles.removeTree(directory)
    }
    for path in [layout.removedData, layout.partialData, layout.log, layout.settings, layout.postmasterLock] {
      try PrivateFiles.removeTree(path)
    }
    if layout.storage != layout.home { try PrivateFiles.removeTree(layout.storage) }
    try PrivateFiles.removeTree(layout.startupLog)
    try PrivateFiles.removeTree(layout.record)
    try PrivateFiles.removeTree(layout.commandLock)
    // Files that a person put there stay, and so does the directory then.
    rmdir(layout.home.string)
    rmdir(directory.string)
  }
}
