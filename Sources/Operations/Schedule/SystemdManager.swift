import Maintenance
import Processes
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The running systemd, where there is one.
struct SystemdManager: Sendable {
  let isUser: Bool
  let environment: [String: String]

  /// Source: sd_booted(3).
  var isRunning: Bool {
    guard access("/run/systemd/system", F_OK) == 0 else { return false }
    guard isUser else { return true }
    return environment["XDG_RUNTIME_DIR"].map { access($0 + "/systemd", F_OK) == 0 } ?? false
  }

  func commands(enabling timer: String) -> [[String]] {
    [["daemon-reload"], ["enable", "--now", timer]].map(command)
  }

  func commands(disabling timer: String) -> [[String]] { [command(["disable", "--now", timer])] }

  var reload: [[String]] { [command(["daemon-reload"])] }

  private func command(_ words: [String]) -> [String] {
    ["systemctl"] + (isUser ? ["--user"] : []) + words
  }

  /// Runs them where systemd runs.
  ///
  /// - Returns: what has to be typed, because it does not run here or refused; one line each.
  func run(_ commands: [[String]]) -> [String] {
    guard isRunning, let program = Programs.find("systemctl", environment) else {
      return commands.map { $0.joined(separator: " ") }
    }
    var left: [String] = []
    for command in commands {
      let child = ChildProcess(
        executable: program, arguments: Array(command.dropFirst()),
        environment: Programs.environment(environment))
      let status = try? child.run().exitStatus
      if status != 0 || !left.isEmpty { left.append(command.joined(separator: " ")) }
    }
    return left
  }
}
