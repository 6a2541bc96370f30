import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The running server of one data directory: seeing it, starting it, ending it.
struct Postmaster: Sendable {
  let home: ServerHome

  private var layout: ServerLayout { home.layout }

  /// The contents of `postmaster.pid` when its process is this cluster's postmaster; nil when the
  /// server does not run, whatever a stale file says. Takes no lock.
  func live() -> PostmasterFile? {
    guard let file = recordedFile(), let processes = ServerProcesses(dataDirectory: layout.data),
      processes.contains(file.pid)
    else { return nil }
    return file
  }

  private func recordedFile() -> PostmasterFile? {
    PrivateFiles.text(of: layout.postmasterFile, limit: 4096).flatMap { PostmasterFile(text: $0) }
  }

  // MARK: Starting

  /// Starts the postmaster away from this process: own session, no descriptor of ours but the lock.
  func spawn(_ installation: ServerInstallation, environment: ServerEnvironment) throws(LocalServerError)
    -> pid_t
  {
    guard let lock = try FileLock.acquire(layout.postmasterLock, timeout: .seconds(5)) else {
      throw LocalServerError(
        .dataDirectory, "the data directory is in use by a process that is not visible from here",
        detail: "Something holds \"\(layout.postmasterLock)\": the server of another container, "
          + "or a program that the earlier server started.",
        hint: "stop that one (fuser \"\(layout.postmasterLock)\" names it) and run the same command again")
    }
    removeRefusedFiles()
    let log = open(
      layout.startupLog.string, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard log >= 0 else { throw .system("open", layout.startupLog, errno) }
    let output = FileDescriptor(rawValue: log)
    defer { try? output.close() }
    let command = ServerCommand(
      executable: installation.program("postgres"),
      arguments: ["-D", layout.data.string, "-c", "config_file=\(layout.settings)"],
      environment: environment.forServer, account: home.account)
    return try command.start(output: output, inheriting: lock.descriptor, newSession: true)
  }

  /// The server refuses to start over lock files whose process number has been given to another
  /// process of the same user. No process of this data directory is left when this is called.
  private func removeRefusedFiles() {
    removeIfRefused(layout.postmasterFile)
    for directory in home.socketDirectories {
      removeIfRefused(directory.appending(ServerLayout.socketLockName))
    }
  }

  private func removeIfRefused(_ file: FilePath) {
    guard let text = PrivateFiles.text(of: file, limit: 4096) else { return }
    // A torn file is refused as well; one whose process is gone is taken over by the server, which
    // first looks whether its shared memory is still in use.
    if let recorded = PostmasterFile(text: text), kill(recorded.pid, 0) != 0 { return }
    unlink(file.string)
  }

  /// Waits until the server accepts connections, looking every 2 ms.
  ///
  /// - Parameter child: the postmaster that was just started; nil when it was found starting.
  func waitUntilReady(child: pid_t?, timeout: Duration) throws(LocalServerError) -> PostmasterFile {
    let deadline = ContinuousClock.now + timeout
    var child = child
    while true {
      let file = live()
      if let file, file.status == .ready || file.status == .standby { return file }
      if let started = child, hasEnded(started) { child = nil }
      // Our own postmaster gives way when one of a killed command was a moment faster.
      if child == nil, file == nil, live() == nil { throw startFailed() }
      if ContinuousClock.now >= deadline {
        let log = ServerLog.reasonForFailedStart(layout)
        throw LocalServerError(
          .timeout, "the private server is not ready after \(timeout)",
          detail: "It is still starting; after a crash it repeats the work of its log first.\n\(log.lines)",
          hint: "run the same command again later; the log is \"\(log.file)\"")
      }
      usleep(2000)
    }
  }

  private func startFailed() -> LocalServerError {
    let log = ServerLog.reasonForFailedStart(layout)
    let isFull = ServerLog.saysDiskFull(log.lines)
    return LocalServerError(
      isFull ? .diskFull : .startFailed,
      isFull
        ? "the disk is full: the private server could not start" : "the private server ended while starting",
      detail: log.lines.isEmpty ? nil : log.lines, hint: "the whole log is \"\(log.file)\"")
  }

  // MARK: Ending

  /// Sends the signal if the process still is the postmaster of this data directory.
  func signal(_ number: Int32, _ pid: pid_t) {
    if ServerProcesses(dataDirectory: layout.data)?.contains(pid) == true { kill(pid, number) }
  }

  /// Whether the process ended within the time.
  func waitUntilGone(_ pid: pid_t, timeout: Duration) -> Bool {
    let deadline = ContinuousClock.now + timeout
    while true {
      if hasEnded(pid) || ServerProcesses(dataDirectory: layout.data)?.contains(pid) != true { return true }
      if ContinuousClock.now >= deadline { return false }
      usleep(2000)
    }
  }

  /// Reaps the process when it is a child of ours.
  private func hasEnded(_ pid: pid_t) -> Bool {
    var status: Int32 = 0
    return waitpid(pid, &status, WNOHANG) == pid
  }

  /// Ends the server processes that outlived a killed postmaster: the server refuses to start
  /// beside them. Most go by themselves at once; one in a long computation is sent SIGQUIT.
  func endOrphans() throws(LocalServerError) {
    guard let processes = ServerProcesses(dataDirectory: layout.data) else { return }
    if let file = recordedFile(), file.isStandalone, processes.contains(file.pid) {
      throw LocalServerError(
        .dataDirectory, "the data directory is in use by a single-user server",
        detail: "Its process is \(file.pid).", hint: "end it and run the same command again")
    }
    if waitUntilNone(timeout: .milliseconds(500)) { return }
    // Seen starting after all: a postmaster whose command was killed before it wrote its file.
    if live() != nil { return }
    for pid in processes.all() { signal(SIGQUIT, pid) }
    guard waitUntilNone(timeout: .seconds(10)) else {
      throw LocalServerError(
        .timeout, "processes of the earlier server are still running",
        detail: "They are \(processes.all().map(String.init).joined(separator: ", ")).",
        hint: "end them (kill -QUIT, never -9) and run the same command again")
    }
  }

  /// Whether all processes of this data directory ended within the time; false at once when a
  /// live postmaster is among them.
  func waitUntilNone(timeout: Duration) -> Bool {
    let deadline = ContinuousClock.now + timeout
    while ServerProcesses(dataDirectory: layout.data)?.all().isEmpty == false {
      if live() != nil || ContinuousClock.now >= deadline { return false }
      usleep(2000)
    }
    return true
  }
}
