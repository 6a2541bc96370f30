import FoundationEssentials
import Processes
import Timekeeping

/// Tells a monitor on the web, in the manner of healthchecks.io, that a run begins and how it ended, so that somebody
/// notices when none comes.
///
/// The URL is a secret: whoever knows it can say that all is well. It stands in no message, no argument and no log.
public struct Ping: Sendable {
  /// What is told.
  public enum Signal: Sendable, Equatable {
    /// `GET URL/start`
    case start
    /// `POST URL/<exit status>`; 0 is a success. Any other of 0 to 255 is a failure.
    case end(exitStatus: UInt8)
    /// `POST URL/fail`
    case fail

    var path: String {
      switch self {
      case .start: "start"
      case .end(let status): "\(status)"
      case .fail: "fail"
      }
    }
  }

  /// What came of it; never a reason for a job to fail.
  public enum Outcome: Sendable, Equatable {
    case sent
    /// Why not, in one line without the URL.
    case failed(String)
  }

  /// How long telling something may take, with all attempts.
  public static let timeout = Duration.seconds(10)
  /// Of the body that is sent, in bytes. A healthchecks server keeps 100 kB; curl reads lines of at most 100 kB, and
  /// escaping may double the length.
  public static let bodyLimit = 40_000
  private static let attempts = 3

  private let url: String
  /// What pairs the two ends of a run.
  private let runID: String
  /// nil where it is not installed.
  private let curl: CurlProgram?
  fileprivate let timeout: Duration

  /// - Parameters:
  ///   - url: without what is added for a signal.
  ///   - environment: of this process, for `PATH`, proxies and certificates.
  /// - Throws: ``MaintenanceError`` of kind `invalidInput` for what is no URL of http or https.
  public init(
    url: String, environment: [String: String], timeout: Duration = Ping.timeout
  ) throws(MaintenanceError) {
    let isHTTP = ["http://", "https://"].contains { url.lowercased().hasPrefix($0) && url.count > $0.count }
    guard isHTTP, url.utf8.count <= 2000, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw MaintenanceError(
        .invalidInput, "the ping URL cannot be used", detail: "It is a secret, so it is not repeated here.",
        hint: "it begins with https:// (or http://), and special characters in it are percent-encoded")
    }
    self.url = url
    self.timeout = timeout
    runID = UUID().uuidString.lowercased()
    curl = CurlProgram(environment: environment)
  }

  /// Tells the monitor; takes at most the timeout, less when the task is cancelled, and never throws.
  ///
  /// - Parameter body: what a person wants to know of the run; cut to ``bodyLimit``.
  public func send(_ signal: Signal, body: String = "") async -> Outcome {
    await send(signal, body: body, within: timeout)
  }

  fileprivate func send(_ signal: Signal, body: String, within limit: Duration) async -> Outcome {
    guard let curl else { return .failed("the program \"curl\" is not installed") }
    let deadline = ContinuousClock.now + limit
    var outcome = Outcome.failed("no attempt was made in time")
    for attempt in 0..<Self.attempts {
      let left = deadline - .now
      guard left > .milliseconds(50), !Task.isCancelled else { break }
      let (result, isWorthRepeating) = await once(curl, signal, body: body, within: left)
      outcome = result
      guard isWorthRepeating, attempt + 1 < Self.attempts else { break }
      try? await Task.sleep(for: .milliseconds(300 << attempt))
    }
    return outcome
  }

  private func once(
    _ curl: CurlProgram, _ signal: Signal, body: String, within limit: Duration
  ) async -> (Outcome, isWorthRepeating: Bool) {
    let result = await curl.run(configuration(signal, body: body, within: limit), within: limit)
    guard let result else { return (.failed("the program \"curl\" cannot be started"), false) }
    return Self.outcome(status: result.exitStatus, code: Int(result.output) ?? 0)
  }

  /// Source: curl(1), "EXIT CODES".
  static func outcome(status: Int32, code: Int) -> (Outcome, isWorthRepeating: Bool) {
    switch status {
    case 0 where (200..<300).contains(code): (.sent, false)
    case 0:
      (.failed("the monitor answered with status \(code)"), code >= 500 || code == 429 || code == 408)
    case 5, 6: (.failed("the monitor's name cannot be resolved"), true)
    case 7: (.failed("the monitor refuses the connection or cannot be reached"), true)
    case 28, 137: (.failed("no answer from the monitor in time"), true)
    case 35, 51, 58, 60, 77, 83, 91: (.failed("no trusted TLS connection to the monitor"), false)
    default: (.failed("telling the monitor failed (curl status \(status))"), true)
    }
  }

  /// What curl reads from its standard input, where nobody else can read it.
  func configuration(_ signal: Signal, body: String, within limit: Duration) -> String {
    var lines = [
      "url = \(CurlProgram.quoted(address(signal)))", "silent", "globoff", "output = \"/dev/null\"",
      "write-out = \"%{http_code}\"", "max-time = \(CurlProgram.seconds(limit))",
      "proto = \"=http,https\"", "user-agent = \"tsdb\"",
    ]
    if signal != .start {
      lines += [
        "header = \"Content-Type: text/plain; charset=utf-8\"",
        "data-raw = \(CurlProgram.quoted(Self.cut(body)))",
      ]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  func address(_ signal: Signal) -> String {
    let withoutFragment = url.prefix { $0 != "#" }
    let path = withoutFragment.prefix { $0 != "?" }
    let query = withoutFragment.dropFirst(path.count).dropFirst()
    let base = path.hasSuffix("/") ? path.dropLast() : path[...]
    return "\(base)/\(signal.path)?\(query.isEmpty ? "" : "\(query)&")rid=\(runID)"
  }

  static func cut(_ body: String) -> String {
    guard body.utf8.count > bodyLimit else { return body }
    var bytes = Array(body.utf8.prefix(bodyLimit))
    // Not through the middle of a character.
    while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
    if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Ping: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "a ping" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The two pings of one run, beside it.
public struct RunPing: Sendable {
  private let ping: Ping
  private let start: Task<Ping.Outcome, Never>

  /// Tells that a run begins, and does not wait for it.
  public init(_ ping: Ping) {
    self.ping = ping
    start = Task { await ping.send(.start) }
  }

  /// Tells how the run ended. A beginning that has not been told by now gets a fifth of the time that is left.
  ///
  /// Takes at most ``Ping/timeout``.
  /// - Returns: what could not be told, in one line each.
  public func end(_ signal: Ping.Signal, body: String) async -> [String] {
    let (start, limit, begun) = (start, ping.timeout, ContinuousClock.now)
    let giveUp = Task {
      try await Task.sleep(for: limit / 5)
      start.cancel()
    }
    let beginning = await start.value
    giveUp.cancel()
    let end = await ping.send(signal, body: body, within: limit - (ContinuousClock.now - begun))
    let outcomes = [(beginning, "the beginning"), (end, "the end")]
    return outcomes.compactMap { outcome, what in
      if case .failed(let reason) = outcome { "\(what) of the run was not told: \(reason)" } else { nil }
    }
  }

  /// Nothing to tell: the run was skipped, or found nothing to do.
  public func abandon() { start.cancel() }
}
