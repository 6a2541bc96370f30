import SystemPackage

/// Making the data directory.
struct ClusterCreation: Sendable {
  let home: ServerHome
  let installation: ServerInstallation
  let environment: ServerEnvironment
  /// Whether nothing needs to survive a power loss.
  var isThrowaway = false

  /// The name of the cluster's superuser.
  static let superuser = "postgres"

  /// Runs `initdb` beside the final place and renames: the data directory is complete or absent.
  ///
  /// The lock is inherited by `initdb`. When this process is killed, the next command waits for
  /// the orphan instead of pulling the directory from under it.
  ///
  /// - Returns: what the user should know, one line each.
  func run(holding lock: borrowing FileLock) throws(LocalServerError) -> [String] {
    var notices: [String] = []
    var result = try initdb(locale: "C.UTF-8", holding: lock)
    if result.exitStatus != 0, result.output.contains("invalid locale") {
      notices.append("locale C.UTF-8 is missing here; the private server uses C with encoding UTF8")
      result = try initdb(locale: "C", holding: lock)
    }
    guard result.exitStatus == 0 else {
      try PrivateFiles.removeTree(home.layout.partialData)
      throw failure(result)
    }
    try PrivateFiles.move(home.layout.partialData, to: home.layout.data)
    return notices
  }

  private func initdb(
    locale: String, holding lock: borrowing FileLock
  ) throws(LocalServerError) -> ServerCommand.Result {
    let partial = home.layout.partialData
    try PrivateFiles.removeTree(partial)
    try PrivateFiles.ensureDirectory(partial, mode: 0o700, owner: home.serverUser, group: home.serverGroup)
    let command = ServerCommand(
      executable: installation.program("initdb"), arguments: arguments(locale: locale),
      environment: environment.forServer, account: home.account)
    return try command.run(inheriting: lock.descriptor)
  }

  private func arguments(locale: String) -> [String] {
    [
      "--pgdata=\(home.layout.partialData)", "--username=\(Self.superuser)", "--data-checksums",
      "--encoding=UTF8", "--locale=\(locale)",
      // The mode of the socket's directory decides who comes in, so that root and the server's
      // account need no mapping. Even a server started by hand on TCP lets nobody in.
      "--auth-local=trust", "--auth-host=reject", "--no-instructions",
    ] + (isThrowaway ? ["--no-sync"] : [])
  }

  private func failure(_ result: ServerCommand.Result) -> LocalServerError {
    let lines = ServerLog.lastLines(of: result.output, count: 6)
    if ServerLog.saysDiskFull(result.output) {
      return LocalServerError(
        .diskFull, "the disk is full: initdb could not make the cluster", detail: lines,
        hint: "free some space below \"\(home.layout.storage)\" and run the same command again")
    }
    return LocalServerError(
      .initdb, "initdb of PostgreSQL \(installation.version) failed with status \(result.exitStatus)",
      detail: lines.isEmpty ? nil : lines,
      hint: "correct what the detail names and run the same command again; nothing was kept")
  }

  /// The major version of an existing cluster; nil when there is no data directory.
  static func existingMajor(_ layout: ServerLayout) throws(LocalServerError) -> Int? {
    guard PrivateFiles.attributes(layout.data) != nil else { return nil }
    let text = PrivateFiles.text(of: layout.clusterVersion) ?? ""
    guard let major = Int(text.prefix { $0 != "\n" && $0 != "." }) else {
      throw LocalServerError(
        .dataDirectory, "\"\(layout.data)\" is not a PostgreSQL data directory",
        detail: "Its file PG_VERSION is missing or unreadable.",
        hint: "run \"tsdb server destroy\" to give the data up, or put the directory back")
    }
    return major
  }
}
