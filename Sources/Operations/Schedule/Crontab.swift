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

/// A user's crontab, through the program `crontab`, which alone may change it and tells cron.
struct Crontab: Sendable {
  /// nil for the caller's.
  let user: String?
  private let program: FilePath
  private let environment: [String]

  /// - Throws: `MaintenanceError` when there is no program `crontab`.
  init(user: String?, environment: [String: String]) throws(MaintenanceError) {
    self.user = user
    guard let program = Programs.find("crontab", environment) else {
      throw MaintenanceError(
        .failed, "the program \"crontab\" is not installed",
        hint: "install cron (Debian: apt-get install cron), or use --systemd")
    }
    self.program = program
    self.environment = Programs.environment(environment)
  }

  /// The crontab; empty where the user has none.
  func read() throws(MaintenanceError) -> [UInt8] {
    let result = try run(["-l"], input: nil)
    if result.exitStatus == 0 { return result.bytes }
    if result.output.contains("no crontab for") { return [] }
    throw failure("read", result)
  }

  /// Puts `bytes` in its place; an empty one is removed.
  ///
  /// - Parameter expected: what it was when the change was decided; another's change in the meantime is not undone.
  func write(_ bytes: [UInt8], expected: [UInt8]) throws(MaintenanceError) {
    guard try read() == expected else {
      throw MaintenanceError(
        .tryAgain, "the crontab was changed by somebody else in the meantime",
        detail: "Nothing was changed.", hint: "run the same command again")
    }
    let result = bytes.isEmpty ? try run(["-r"], input: nil) : try run(["-"], input: bytes)
    guard result.exitStatus == 0 else { throw failure("change", result) }
  }

  private func run(_ arguments: [String], input: [UInt8]?) throws(MaintenanceError) -> ChildProcess.Result {
    let all = (user.map { ["-u", $0] } ?? []) + arguments
    do {
      return try ChildProcess(executable: program, arguments: all, environment: environment).run(input: input)
    } catch {
      throw MaintenanceError(.failed, "the program \"\(program)\" cannot be run: \(error.errno)")
    }
  }

  private func failure(_ action: String, _ result: ChildProcess.Result) -> MaintenanceError {
    let said = result.output.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
    return MaintenanceError(
      .failed, "the crontab cannot be \(action == "read" ? "read" : "changed"): \(said)",
      hint: user == nil ? nil : "only root may work on another's crontab")
  }
}

/// Programs of the system.
enum Programs {
  static func find(_ name: String, _ environment: [String: String]) -> FilePath? {
    (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").lazy
      .map { FilePath(String($0)).appending(name) }
      .first { $0.isAbsolute && access($0.string, X_OK) == 0 }
  }

  /// In a language that can be read by a program.
  static func environment(_ environment: [String: String]) -> [String] {
    let kept = ["PATH", "HOME", "LOGNAME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"]
    return kept.compactMap { name in environment[name].map { "\(name)=\($0)" } } + ["LC_ALL=C"]
  }
}
