import CTestSpawn
import Foundation

/// The files that a child gets as its standard input, output and error; nil is `/dev/null`.
struct ChildFiles {
  var input: Int32?
  var output: Int32?
  var error: Int32?
}

/// Starts a program with exactly this environment and exactly three open files.
///
/// Foundation's `Process` shares a run loop between all children; tests start dozens at once and
/// need the process id, the signal and the moment to themselves.
func spawn(
  _ executable: String, _ arguments: [String], environment: [String: String],
  directory: String? = nil, files: ChildFiles, isOwnSession: Bool
) throws(TestSupportError) -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  let standard = [(files.input, O_RDONLY), (files.output, O_WRONLY), (files.error, O_WRONLY)]
  for (number, (file, mode)) in standard.enumerated() {
    if let file {
      posix_spawn_file_actions_adddup2(&actions, file, Int32(number))
    } else {
      posix_spawn_file_actions_addopen(&actions, Int32(number), "/dev/null", mode, 0)
    }
  }
  if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }
  #if os(Linux)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
  #endif

  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
  #if os(Linux)
    if isOwnSession { flags |= Int32(TSDB_SPAWN_SETSID) }
  #endif
  posix_spawnattr_setflags(&attributes, Int16(flags))
  var noSignals = sigset_t()
  sigemptyset(&noSignals)
  posix_spawnattr_setsigmask(&attributes, &noSignals)
  var reset = sigset_t()
  sigemptyset(&reset)
  for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT] { sigaddset(&reset, signal) }
  posix_spawnattr_setsigdefault(&attributes, &reset)

  let argv = ([executable] + arguments).map { strdup($0) } + [nil]
  let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { (argv + envp).forEach { free($0) } }
  var pid: pid_t = 0
  let status = posix_spawnp(&pid, executable, &actions, &attributes, argv, envp)
  guard status == 0 else {
    throw TestSupportError("cannot start \"\(executable)\": \(String(cString: strerror(status)))")
  }
  return pid
}

/// A program as the account that servers run under: `postgres` when the tests run as root, because
/// neither `initdb` nor PgBouncer starts as root.
func serverCommand(_ executable: String, _ arguments: [String]) -> (executable: String, arguments: [String]) {
  guard geteuid() == 0 else { return (executable, arguments) }
  let privileges = ["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
  return ("setpriv", privileges + [executable] + arguments)
}

/// Runs a program of the server's account to its end and returns what it wrote to standard output.
@discardableResult
func runAsServer(
  _ executable: String, _ arguments: [String], environment: [String: String] = [:], directory: String
) async throws -> String {
  let command = serverCommand(executable, arguments)
  let environment = ["PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8"].merging(environment) { $1 }
  let result = try await ToolRun(
    executable: command.executable, command.arguments, environment: environment, directory: directory
  ).finish(within: .seconds(120))
  guard result.exitStatus == 0 else {
    throw TestSupportError("\"\(executable)\" failed: \(result)")
  }
  return result.standardOutput
}
