import Foundation

/// What is done to a running command.
public enum Fault: String, Sendable, CaseIterable {
  /// Those that every command can meet.
  public static let allCases: [Fault] = [
    .killTool, .interruptTool, .terminateTool, .killBackend, .terminateBackend, .killServer, .cutConnection,
  ]

  case killTool = "SIGKILL of tsdb"
  case interruptTool = "SIGINT of tsdb"
  case terminateTool = "SIGTERM of tsdb"
  /// The postmaster then ends every other backend and recovers from the log.
  case killBackend = "SIGKILL of the backend"
  /// What `pg_terminate_backend` does.
  case terminateBackend = "SIGTERM of the backend"
  case killServer = "SIGKILL of the whole server"
  /// Both ends see their connection closed.
  case cutConnection = "loss of the connection"
  /// Of a command that has others work for it.
  case killChild = "SIGKILL of a program that tsdb runs"
  /// Of a command that makes a server of its own; its backends then end by themselves.
  case killThrowawayServer = "SIGKILL of the throwaway server"
}

/// When it is done.
public enum FaultMoment: Sendable, CustomStringConvertible {
  /// This long after the start.
  case after(Duration)
  /// Once the server has logged this many statements of the command, and this long after that.
  case statement(Int, pause: Duration)

  /// In turn uniform over the time of an undisturbed run and uniform over its statements.
  ///
  /// A time is counted from the statement that had been sent by then, so that a run that is slower or
  /// faster than the measured one is met in the same place.
  init(round: Int, measure: FaultMeasure, using generator: inout SeededGenerator) {
    let fraction = Double.random(in: 0..<1, using: &generator)
    if round.isMultiple(of: 2) || measure.statements.isEmpty {
      let time = measure.duration * fraction
      let sent = measure.statements.count { $0 <= time }
      self =
        sent == 0 ? .after(time) : .statement(sent, pause: time - measure.statements[sent - 1])
    } else {
      // A short pause reaches into the statement, none stays at its beginning.
      let pause = generator.oneIn(2) ? 0 : Double.random(in: 0..<3000, using: &generator)
      self = .statement(
        1 + Int(fraction * Double(measure.statements.count)), pause: .microseconds(Int64(pause)))
    }
  }

  public var description: String {
    switch self {
    case .after(let duration): "\(duration) after the start"
    case .statement(let number, let pause): "\(pause) after statement \(number)"
    }
  }
}

/// How long a command takes when nothing disturbs it, and when after its start the server had logged
/// each of its statements.
public struct FaultMeasure: Sendable {
  let duration: Duration
  let statements: [Duration]
}

/// What an injection met.
struct FaultInjection: Sendable {
  /// Whether the command was still running.
  let isHit: Bool
  /// The last line of the command in the server's log before the fault.
  let lastStatement: String
  /// Whether the server will go down and up again by itself.
  var restartsServer = false
}

/// What proofs left in a project.
public struct ThrowawayServers: Sendable {
  private let project: TemporaryDirectory
  private let place = ".tsdb/proofs"

  public init(in project: TemporaryDirectory) { self.project = project }

  /// Everything there, locks included.
  public var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: project.path(place))) ?? []).sorted()
  }

  /// The directories of servers.
  public var directories: [String] {
    names.filter { !$0.hasSuffix(".lock") }.map { project.path("\(place)/\($0)") }
  }

  /// The processes that say in their data directories that they are the servers.
  public var processes: [pid_t] { files.compactMap { $0.first.flatMap { pid_t($0) } } }

  /// Those that accept connections.
  var readyProcesses: [pid_t] {
    files.compactMap { $0.count > 7 && $0[7].hasPrefix("ready") ? pid_t($0[0]) : nil }
  }

  /// The lines of their `postmaster.pid`.
  private var files: [[Substring]] {
    directories.compactMap { directory in
      let text = try? String(contentsOfFile: directory + "/.tsdb/server/data/postmaster.pid", encoding: .utf8)
      return text?.split(separator: "\n", omittingEmptySubsequences: false)
    }
  }
}

/// Waits for the moment on a thread of its own, so that nothing else on the pool can delay it.
struct FaultInjector: Sendable {
  let fault: Fault
  let cluster: PostgresCluster
  let run: ToolRun
  /// The directory that the command was given.
  let project: TemporaryDirectory
  let log: ServerLogTail
  let relay: ConnectionRelay?
  /// Which of the command's backends is struck, from the first (0) to the last (1) that still work.
  var choice = 1.0

  func inject(at moment: FaultMoment) async throws -> FaultInjection {
    let start = ContinuousClock.now
    let injection = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        wait(for: moment, from: start)
        let isHit = strike()
        log.read()
        continuation.resume(
          returning: FaultInjection(
            isHit: isHit, lastStatement: log.last, restartsServer: fault == .killBackend && isHit))
      }
    }
    if fault == .killServer { try await cluster.kill9() }
    return injection
  }

  private func wait(for moment: FaultMoment, from start: ContinuousClock.Instant) {
    switch moment {
    case .after(let duration):
      while run.isRunning, ContinuousClock.now - start < duration { usleep(200) }
    case .statement(let number, let pause):
      while run.isRunning {
        log.read()
        if log.count >= number { break }
        usleep(200)
      }
      let end = ContinuousClock.now + pause
      while run.isRunning, ContinuousClock.now < end { usleep(100) }
    }
  }

  /// Whether the command was running when it was struck.
  private func strike() -> Bool {
    let wasRunning = run.isRunning
    switch fault {
    case .killTool: run.send(signal: SIGKILL)
    case .interruptTool: run.send(signal: SIGINT)
    case .terminateTool: run.send(signal: SIGTERM)
    case .killBackend: return strikeBackend(SIGKILL)
    case .terminateBackend: return strikeBackend(SIGTERM)
    case .killServer: return strikeServer()
    case .cutConnection: return relay?.cut() ?? false
    case .killChild: return strikeChild()
    case .killThrowawayServer: return strikeThrowawayServer()
    }
    return wasRunning
  }

  /// At once where there is one; else one that is yet to come, in its first second of work.
  private func strikeThrowawayServer() -> Bool {
    let servers = ThrowawayServers(in: project)
    if let server = servers.processes.first { return kill(server, SIGKILL) == 0 }
    while run.isRunning {
      if let server = servers.readyProcesses.first {
        usleep(UInt32(choice * 1_000_000))
        return run.isRunning && kill(server, SIGKILL) == 0
      }
      usleep(500)
    }
    return false
  }

  /// The first blow of ``PostgresCluster/kill9()``, at once; the caller waits for the rest.
  private func strikeServer() -> Bool {
    let wasRunning = run.isRunning
    if let postmaster = cluster.postmasterProcessID { kill(postmaster, SIGSTOP) }
    log.read()
    if let backend = log.backend, cluster.isBackend(backend) { kill(backend, SIGKILL) }
    return wasRunning
  }

  /// The backend may be yet to come: the command needs a while to connect.
  private func strikeBackend(_ signal: Int32) -> Bool {
    while run.isRunning {
      log.read()
      let backends = log.backends.filter(cluster.isBackend)
      if !backends.isEmpty {
        let backend = backends[min(Int(choice * Double(backends.count)), backends.count - 1)]
        return run.isRunning && kill(backend, signal) == 0
      }
      if !log.backends.isEmpty { return false }
      usleep(200)
    }
    return false
  }

  /// It may be yet to come.
  private func strikeChild() -> Bool {
    while run.isRunning {
      if let child = children(of: run.pid).first { return kill(child, SIGKILL) == 0 }
      usleep(500)
    }
    return false
  }
}

/// Follows the statements of a command in the server's log.
///
/// Used by one thread at a time.
// `@unchecked`: the harness hands it from the test to the injecting thread and back.
final class ServerLogTail: @unchecked Sendable {
  private let path: String
  private let databases: [String]
  private let programs: [String]
  private var offset: UInt64
  private var rest = ""
  /// How many statements were logged.
  private(set) var count = 0
  /// The backends that logged one, by when each did last.
  private(set) var backends: [pid_t] = []
  /// The backend that logged the last one.
  var backend: pid_t? { backends.last }
  private(set) var last = ""
  /// When each statement was seen.
  private(set) var times: [ContinuousClock.Instant] = []
  /// How often the server has come up.
  private(set) var starts = 0

  /// Begins at the present end of the log.
  ///
  /// - Parameters:
  ///   - databases: that the sessions are in; one that ends with `*` is the beginning of the name.
  ///   - programs: the first words of the names that the sessions have. What is called "tsdb watch" is
  ///     left out unless it is one of them.
  init(_ cluster: PostgresCluster, databases: [String], programs: [String] = ["tsdb "]) {
    path = cluster.logPath
    self.databases = databases
    self.programs = programs
    let attributes = try? FileManager.default.attributesOfItem(atPath: cluster.logPath)
    offset = (attributes?[.size] as? UInt64) ?? 0
  }

  func read() {
    guard let handle = FileHandle(forReadingAtPath: path) else { return }
    defer { try? handle.close() }
    guard (try? handle.seek(toOffset: offset)) != nil, let data = try? handle.readToEnd() else { return }
    offset += UInt64(data.count)
    let text = rest + String(decoding: data, as: UTF8.self)
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    rest = lines.popLast().map(String.init) ?? ""
    for line in lines { take(line) }
  }

  /// Waits until the server has come up again: the postmaster needs a moment to learn of a backend's
  /// death, and answers until then. A backend that was ending anyway takes nothing with it.
  func waitForStart(after count: Int) async throws {
    let deadline = ContinuousClock.now + .seconds(15)
    while starts == count, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(10))
      read()
    }
  }

  private func take(_ line: Substring) {
    if line.hasSuffix("database system is ready to accept connections") { starts += 1 }
    // As `log_line_prefix` has it: time, process, database, program.
    let parts = line.split(separator: " ", maxSplits: 4)
    guard parts.count == 5, let process = parts.dropFirst(2).first(where: { $0.hasPrefix("[") }),
      isOurs(line[process.endIndex...].dropFirst()),
      line.contains(" LOG:  statement: ") || line.contains(" LOG:  execute ")
    else { return }
    count += 1
    times.append(.now)
    last = String(line)
    if let backend = pid_t(process.dropFirst().dropLast()) {
      backends.removeAll { $0 == backend }
      backends.append(backend)
    }
  }

  /// - Parameter text: from the database's name on.
  private func isOurs(_ text: Substring) -> Bool {
    let parts = text.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, !parts[1].hasPrefix("tsdb watch") || programs.contains("tsdb watch") else {
      return false
    }
    return programs.contains { parts[1].hasPrefix($0) }
      && databases.contains { $0.hasSuffix("*") ? parts[0].hasPrefix($0.dropLast()) : parts[0] == $0 }
  }
}

extension PostgresCluster {
  /// Whether a process is a child of this server's postmaster.
  func isBackend(_ process: pid_t) -> Bool {
    guard let postmaster = postmasterProcessID else { return false }
    return processStatus(process)?.parent == postmaster
  }
}
