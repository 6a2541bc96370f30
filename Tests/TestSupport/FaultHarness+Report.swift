import Foundation
import Synchronization

/// How many faults a run of the tests injects.
public enum FaultCount {
  /// `TSDB_FAULTS`, a number or `full`; else a sample that `make test` has time for.
  public static let perScenario =
    number("TSDB_FAULTS") ?? (ProcessInfo.processInfo.environment["TSDB_FAULTS"] == "full" ? 300 : 3)

  /// Whether the full count was asked for rather than the sample.
  public static var isFull: Bool { perScenario >= 50 }

  /// `TSDB_FAULT_ROUND`: the only round to run.
  static let onlyRound = number("TSDB_FAULT_ROUND")

  /// A share of the count, at least one.
  public static func rounds(share: Double) -> Int { max(1, Int((Double(perScenario) * share).rounded())) }

  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
  }

  private static let total = Mutex((injected: 0, hit: 0))

  /// Adds a scenario to the total of the process and prints both.
  static func finish(_ tally: FaultTally) {
    let (injected, hit) = total.withLock { total in
      total.injected += tally.injected
      total.hit += tally.hit
      return total
    }
    print("faults: \(tally)")
    print("faults: \(injected) injected, \(hit) hit so far")
  }
}

/// The numbers of one scenario.
public struct FaultTally: Sendable, CustomStringConvertible {
  public let name: String
  public internal(set) var injected = 0
  /// Injected while the command was running.
  public internal(set) var hit = 0
  public internal(set) var findings = 0
  /// How often each exit status ended a repetition.
  private var statuses: [Int32: Int] = [:]
  private var disturbedStatuses: [String: Int] = [:]
  private var longest = Duration.zero

  init(_ name: String) { self.name = name }

  mutating func count(_ trace: FaultTrace) {
    guard let injection = trace.injection else { return }
    injected += 1
    // SIGKILL leaves no doubt.
    let isHit = trace.disturbed?.signal == SIGKILL || injection.isHit
    if isHit { hit += 1 }
    if let result = trace.disturbed { disturbedStatuses[result.end, default: 0] += 1 }
    for result in trace.repetitions {
      if let status = result.exitStatus { statuses[status, default: 0] += 1 }
      longest = max(longest, result.duration)
    }
  }

  public var description: String {
    func list<Key: Comparable>(_ counts: [Key: Int]) -> String {
      counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    }
    return "\(name): \(injected) injected, \(hit) hit, \(findings) findings; "
      + "disturbed runs \(list(disturbedStatuses)); runs after it \(list(statuses)), "
      + "the longest \(longest.formatted(.units(allowed: [.milliseconds], width: .narrow)))"
  }
}

extension ToolRun.Result {
  fileprivate var end: String { exitStatus.map { "exit \($0)" } ?? "signal \(signal ?? 0)" }
}

/// What happened in one round, for the report of a finding.
struct FaultTrace: CustomStringConvertible {
  var injection: FaultInjection?
  var disturbed: ToolRun.Result?
  var repetitions: [ToolRun.Result] = []

  var description: String {
    let parts = [
      injection.map { "the command was \($0.isHit ? "running" : "at its end"), last: \($0.lastStatement)" },
      disturbed.map { "disturbed: \($0)" },
      repetitions.isEmpty ? nil : "then: " + repetitions.map(\.description).joined(separator: "\nthen: "),
    ]
    return parts.compactMap { $0 }.joined(separator: "\n")
  }
}
