import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The program curl, which is told what to do on its standard input, where nobody else can read it.
public struct CurlProgram: Sendable {
  private let executable: FilePath
  /// `NAME=value` each: what tells curl of proxies and certificates.
  private let environment: [String]

  /// - Parameter environment: of this process, for `PATH`, proxies and certificates.
  /// - Returns: nil where curl is not installed.
  public init?(environment: [String: String]) {
    guard let found = ProgramPath.find("curl", path: environment["PATH"]) else { return nil }
    executable = found
    let passed = [
      "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
      "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
    ]
    self.environment = passed.compactMap { name in environment[name].map { "\(name)=\($0)" } }
  }

  /// Runs curl to its end, at most a little longer than `limit`, and less when the task is cancelled.
  ///
  /// - Returns: nil where it cannot be started.
  public func run(_ configuration: String, within limit: Duration) async -> ChildProcess.Result? {
    let program = ChildProcess(
      executable: executable, arguments: ["-q", "--config", "-"], environment: environment)
    let config = Array(configuration.utf8)
    let ending = Ending()
    let killer = Task {
      // Beyond curl's own limit, which does not hold for every resolver of names.
      try await Task.sleep(for: limit + .milliseconds(100))
      ending.kill()
    }
    defer { killer.cancel() }
    return await withTaskCancellationHandler {
      try? await BlockingThread.run {
        let result = try program.run(input: config) { ending.started($0) }
        ending.ended()
        return result
      }
    } onCancel: {
      ending.kill()
    }
  }

  /// Source: curl(1), "--config": within double quotes these escapes, and everything else as it is.
  public static func quoted(_ text: String) -> String {
    var result = String.UnicodeScalarView("\"".unicodeScalars)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
      case "\"": result.append(contentsOf: "\\\"".unicodeScalars)
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case "\0": continue
      default: result.append(scalar)
      }
    }
    result.append("\"")
    return String(result)
  }

  /// The value of curl's `max-time`: seconds with three decimals, more than 0.
  public static func seconds(_ limit: Duration) -> String {
    let parts = limit.components
    let milliseconds = max(1, parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
    return "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
  }

  /// A child process that can be ended from elsewhere, as long as it is ours.
  private final class Ending: Sendable {
    private struct State {
      var pid: pid_t?
      var isKilled = false
    }
    private let state = Mutex(State())

    func started(_ pid: pid_t) {
      state.withLock { state in
        state.pid = pid
        if state.isKilled { _ = systemKill(pid, SIGKILL) }
      }
    }

    func ended() { state.withLock { $0.pid = nil } }

    func kill() {
      state.withLock { state in
        state.isKilled = true
        if let pid = state.pid { _ = systemKill(pid, SIGKILL) }
      }
    }
  }
}

private func systemKill(_ pid: pid_t, _ signal: Int32) -> Int32 { kill(pid, signal) }
