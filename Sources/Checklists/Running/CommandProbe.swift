import Processes
import Synchronization
import SystemPackage
import Timekeeping

/// Runs a program and looks at its exit status: `command [timeout=1min] [expect=0] PROGRAM ARGUMENT …`.
///
/// Without a shell, in the project's directory, with this process's environment. Status 75 (EX_TEMPFAIL of sysexits.h)
/// means that it could not look. A program that is still running at the end of its time gets SIGTERM, and SIGKILL two
/// seconds later.
struct CommandProbe: Sendable {
  private let program: String
  private let arguments: [String]
  private let expected: Int32
  private let timeout: Duration

  private static let keptBytes = 4096
  private static let tryLater: Int32 = 75

  init(_ call: ProbeCall) throws(ChecklistError) {
    program = call.operands.first ?? ""
    arguments = Array(call.operands.dropFirst())
    for key in call.arguments.keys where key != "timeout" && key != "expect" {
      throw ChecklistError(
        .invalidInput, "command has no argument \"\(key)\"",
        hint: "it takes timeout and expect, before the program")
    }
    timeout = try call.timeout(default: .seconds(60))
    let text = call.arguments["expect"] ?? "0"
    guard let expected = Int32(text), (0...255).contains(expected) else {
      throw ChecklistError(.invalidInput, "\"\(text)\" is no exit status", hint: "expect takes 0 to 255")
    }
    self.expected = expected
  }

  func run(in directory: String, environment: [String: String], _ redaction: Redaction) async -> ProbeAnswer {
    let asked = "run \(([program] + arguments).map(Self.shown).joined(separator: " "))"
    guard let executable = ProgramPath.find(program, path: environment["PATH"], directory: directory) else {
      return ProbeAnswer(
        .unknown, asked: asked, observed: "there is no program \"\(program)\" that may be run",
        remedy: "give its path, absolute or from the project's directory, and make it executable")
    }
    var child = ChildProcess(
      executable: executable, arguments: arguments,
      environment: environment.map { "\($0.key)=\($0.value)" }.sorted())
    child.directory = FilePath(directory)
    child.diesWithThread = true
    let started = child
    let isCancelled = Flag()
    // Enough in front of what is kept that a secret at its beginning is found whole.
    let kept = Self.keptBytes + (redaction.all.map(\.utf8.count).max() ?? 0)
    let deadline = ContinuousClock.now + timeout
    let ending: ChildProcess.Ending
    do {
      ending = try await withTaskCancellationHandler {
        try await BlockingThread.run {
          try started.supervise(until: deadline, grace: .seconds(2), keeping: kept) { isCancelled.isRaised }
        }
      } onCancel: {
        isCancelled.raise()
      }
    } catch {
      let reason = (error as? ProcessError)?.errno.description ?? "\(error)"
      return ProbeAnswer(.unknown, asked: asked, observed: "it could not be started: \(reason)")
    }
    let output = CommandOutput(ending.tail, secrets: redaction.all, limit: Self.keptBytes)
    return answer(ending, asked: asked, line: output.line)
  }

  private func answer(_ ending: ChildProcess.Ending, asked: String, line: String?) -> ProbeAnswer {
    let said = line.map { ": \($0)" } ?? ""
    switch (ending.cause, ending.exitStatus) {
    case (.cancellation, _): return ProbeAnswer(.unknown, asked: asked, observed: "interrupted")
    case (.deadline, _):
      return ProbeAnswer(
        .unknown, asked: asked, observed: "it was ended after \(timeout.spanText)\(said)",
        remedy: "give it longer: command timeout=5min …")
    case (nil, expected): return ProbeAnswer(.proved, asked: asked, observed: "status \(expected)\(said)")
    case (nil, Self.tryLater):
      return ProbeAnswer(.unknown, asked: asked, observed: "it could not look, status 75\(said)")
    case (nil, let status):
      let end = status > 128 ? "ended by signal \(status - 128)" : "status \(status)"
      return ProbeAnswer(.failed, asked: asked, observed: end + said)
    }
  }

  private static func shown(_ word: String) -> String {
    word.isEmpty || word.contains(where: { $0.isWhitespace || $0 == "\"" })
      ? "\"" + word.replacing("\"", with: "\\\"") + "\"" : word
  }

  private final class Flag: Sendable {
    private let value = Atomic(false)
    func raise() { value.store(true, ordering: .releasing) }
    var isRaised: Bool { value.load(ordering: .acquiring) }
  }
}

extension ProbeCall {
  func timeout(default span: Duration) throws(ChecklistError) -> Duration {
    guard let text = arguments["timeout"] else { return span }
    guard let timeout = Duration(spanText: text), timeout > .zero, timeout <= .seconds(3600) else {
      throw ChecklistError(
        .invalidInput, "\"\(text)\" is no time to wait", hint: "timeout takes 1s to 1h, such as 30s")
    }
    return timeout
  }
}
