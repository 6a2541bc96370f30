import Processes
import Timekeeping

/// Asks a web server and looks at the status: `url https://HOST/PATH [expect=200] [timeout=10s]`.
///
/// Redirections are not followed: they are an answer. `${NAME}` in the address stands for a variable of the
/// environment. Neither its value nor what follows a `?` is shown.
struct URLProbe: Sendable {
  private let address: String
  private let expected: [ClosedRange<Int>]
  private let expectedText: String
  private let timeout: Duration

  init(_ call: ProbeCall) throws(ChecklistError) {
    address = call.operands.first ?? ""
    for key in call.arguments.keys where key != "timeout" && key != "expect" {
      throw ChecklistError(
        .invalidInput, "url has no argument \"\(key)\"", hint: "it takes expect and timeout")
    }
    guard address.hasPrefix("${") || Self.isUsable(address) else {
      throw ChecklistError(
        .invalidInput, "the address of url cannot be used",
        hint: "it begins with https:// or http:// and holds no user and no blank; secrets go into ${NAME}")
    }
    timeout = try call.timeout(default: .seconds(10))
    expectedText = call.arguments["expect"] ?? "200"
    expected = expectedText.split(separator: ",", omittingEmptySubsequences: false).compactMap {
      Self.statuses($0)
    }
    guard expected.count == expectedText.split(separator: ",", omittingEmptySubsequences: false).count else {
      throw ChecklistError(
        .invalidInput, "\"\(expectedText)\" is no status of HTTP",
        hint: "write 200, 2xx, or several by commas")
    }
  }

  func run(environment: [String: String]) async -> ProbeAnswer {
    let asked = "GET \(address.prefix { $0 != "?" && $0 != "#" }), expecting \(expectedText)"
    var missing: String?
    let target = Self.expanded(address, environment, missing: &missing)
    if let missing {
      return ProbeAnswer(
        .unknown, asked: asked, observed: "the variable \(missing) is not set", remedy: "export \(missing)=…")
    }
    guard Self.isUsable(target) else {
      return ProbeAnswer(
        .unknown, asked: asked, observed: "the address with its variables is no address of http or https")
    }
    guard let curl = CurlProgram(environment: environment) else {
      return ProbeAnswer(
        .unknown, asked: asked, observed: "the program \"curl\" is not installed", remedy: "apt install curl")
    }
    guard let result = await curl.run(configuration(target), within: timeout) else {
      return ProbeAnswer(.unknown, asked: asked, observed: "the program \"curl\" cannot be started")
    }
    let (state, observed) = verdict(exitStatus: result.exitStatus, code: Int(result.output) ?? 0)
    return ProbeAnswer(state, asked: asked, observed: observed)
  }

  private func configuration(_ target: String) -> String {
    [
      "url = \(CurlProgram.quoted(target))", "silent", "globoff", "output = \"/dev/null\"",
      "write-out = \"%{http_code}\"", "max-time = \(CurlProgram.seconds(timeout))", "proto = \"=http,https\"",
      "user-agent = \"tsdb\"",
    ].joined(separator: "\n") + "\n"
  }

  /// Source: curl(1), "EXIT CODES".
  private func verdict(exitStatus: Int32, code: Int) -> (ProbeState, String) {
    switch exitStatus {
    case 0 where expected.contains { $0.contains(code) }: (.proved, "status \(code)")
    case 0: (.failed, "status \(code)")
    case 5, 6: (.unknown, "the name cannot be resolved")
    case 7: (.failed, "the connection is refused, or the host cannot be reached")
    case 28, 137: (.failed, "no answer within \(timeout.spanText)")
    case 35, 51, 58, 60, 77, 83, 91: (.failed, "no trusted TLS connection")
    case 52: (.failed, "an empty answer")
    default: (.unknown, "curl ended with status \(exitStatus)")
    }
  }

  /// `200`, or `2xx` for all of a kind.
  private static func statuses(_ text: Substring) -> ClosedRange<Int>? {
    if text.count == 3, text.hasSuffix("xx"), let first = text.first?.wholeNumberValue,
      (1...5).contains(first)
    {
      return (first * 100)...(first * 100 + 99)
    }
    return Int(text).flatMap { (100...599).contains($0) ? $0...$0 : nil }
  }

  private static func isUsable(_ address: String) -> Bool {
    let lower = address.lowercased()
    guard let scheme = ["https://", "http://"].first(where: { lower.hasPrefix($0) }) else { return false }
    let authority = address.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
    return !authority.isEmpty && !authority.contains("@") && address.utf8.count <= 2000
      && address.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
  }

  private static func expanded(
    _ text: String, _ environment: [String: String], missing: inout String?
  ) -> String {
    var result = ""
    var rest = text[...]
    while let start = rest.firstRange(of: "${"), let end = rest[start.upperBound...].firstIndex(of: "}") {
      let name = String(rest[start.upperBound..<end])
      let value = environment[name] ?? ""
      if value.isEmpty { missing = missing ?? name }
      result += rest[..<start.lowerBound] + value
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }
}
