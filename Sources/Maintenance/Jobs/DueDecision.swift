import Timekeeping

/// What is to be done with a job now, and why.
public struct DueJob: Sendable, Equatable {
  public enum State: Sendable, Equatable {
    /// To be run for this slot.
    case due(slot: UTCTime)
    /// nil where the schedule has no further slot.
    case notDue(next: UTCTime?)
    case disabled
    /// The slot is open, but not yet to be run: after a failure, or for another job.
    case waiting(reason: String)
  }

  public let job: JobDefinition
  public let state: State
  /// One line.
  public let reason: String
  /// Jobs of `onlyAfter` that have not ended well since this one's last success.
  public let unmet: [String]
  /// How long it took as a rule; nil where it never ended well.
  public let expectedMilliseconds: Int64?

  /// Of a job that is due.
  public var slot: UTCTime? {
    if case .due(let slot) = state { slot } else { nil }
  }
}

/// Decides which jobs are due.
///
/// A job is due when its newest slot that is not in the future is later than the slot of its last success; a success
/// without a slot, asked for by hand, counts with its start. So ten missed slots are one run, and a clock that goes back
/// repeats nothing.
public struct DueDecision: Sendable {
  public let histories: [String: JobHistory]
  public let now: UTCTime
  public let zone: TimeZoneRules

  public init(histories: [String: JobHistory], now: UTCTime, zone: TimeZoneRules) {
    self.histories = histories
    self.now = now
    self.zone = zone
  }

  /// Each job, in the order in which to run them: as given, but none before those of its `onlyAfter`.
  ///
  /// A job that waits for one that is due is decided anew with the histories after that one's run.
  /// - Throws: ``MaintenanceError`` for a name given twice, a job that is to run after an unknown one, and a circle.
  public func jobs(_ jobs: [JobDefinition]) throws(MaintenanceError) -> [DueJob] {
    let ordered = try Self.ordered(jobs)
    let enabled = Set(jobs.filter(\.isEnabled).map(\.name))
    return ordered.map { decide($0, enabled: enabled) }
  }

  private func decide(_ job: JobDefinition, enabled: Set<String>) -> DueJob {
    let history = histories[job.name]
    let unmet = job.onlyAfter.filter { !isMet($0, for: history) }
    func result(_ state: DueJob.State, _ reason: String) -> DueJob {
      DueJob(
        job: job, state: state, reason: reason, unmet: unmet,
        expectedMilliseconds: history?.medianMilliseconds)
    }
    guard job.isEnabled else { return result(.disabled, "disabled in tsdb.yaml") }
    let next = job.schedule.nextSlots(after: now, count: 1, zone: zone).first
    guard let slot = job.schedule.latestSlot(atOrBefore: now, zone: zone) else {
      return result(.notDue(next: next), "the schedule has no slot yet")
    }
    let open = "slot \(text(slot)) not done"
    if let success = history?.lastSuccess, slot <= success.covers {
      var reason = "last success \(success.started)"
      if success.covers > now {
        reason = "done up to \(text(success.covers)), which is in the future: a clock was wrong; \(reason)"
      }
      return result(.notDue(next: next), next.map { "next slot \(text($0)); \(reason)" } ?? reason)
    }
    if let run = history?.lastRun, let wait = wait(after: run, job, slot) {
      return result(.waiting(reason: wait), "\(open); \(wait)")
    }
    if let name = unmet.first {
      let wait =
        "runs only after \"\(name)\", which "
        + (enabled.contains(name) ? "has not ended well since" : "is disabled")
      return result(.waiting(reason: wait), "\(open); \(wait)")
    }
    return result(.due(slot: slot), "\(open); \(past(history))")
  }

  /// By the order of the records: clocks may be wrong.
  private func isMet(_ name: String, for history: JobHistory?) -> Bool {
    guard let needed = histories[name]?.lastSuccess else { return false }
    guard let own = history?.lastSuccess else { return true }
    return needed.id > own.id
  }

  /// Why a failed run of the slot is not tried again yet; nil where it may be.
  private func wait(after run: JobHistory.Run, _ job: JobDefinition, _ slot: UTCTime) -> String? {
    guard job.mustWait(after: run, for: slot, at: now) else { return nil }
    let ended = run.ended ?? run.started
    return "failed at \(ended)\(run.reason.map { " (\($0))" } ?? ""); tried again after "
      + "\(ended + job.retry.wholeSeconds)"
  }

  private func past(_ history: JobHistory?) -> String {
    var parts: [String] = []
    switch history?.lastRun?.outcome {
    case nil where history?.lastSuccess == nil: return "never ran"
    case .failed:
      parts.append("last run failed" + (history?.lastRun?.reason.map { " (\($0))" } ?? ""))
    case .running: parts.append("a run of \(history?.lastRun?.started ?? now) has not ended")
    default: break
    }
    parts.append(history?.lastSuccess.map { "last success \($0.started)" } ?? "never ended well")
    return parts.joined(separator: "; ")
  }

  /// Such as `02:00 of 2026-11-24`, in the zone's time and with its name where it is not UTC.
  private func text(_ slot: UTCTime) -> String {
    let local = zone.local(slot).description
    let zoneName = zone.name == "UTC" ? "" : " \(zone.name)"
    return "\(local.dropFirst(11).prefix(5)) of \(local.prefix(10))\(zoneName)"
  }
}

extension DueDecision {
  /// The jobs in the order in which to run them; see ``jobs(_:)``.
  public static func ordered(_ jobs: [JobDefinition]) throws(MaintenanceError) -> [JobDefinition] {
    let names = Set(jobs.map(\.name))
    var seen: Set<String> = []
    for job in jobs {
      guard seen.insert(job.name).inserted else {
        throw MaintenanceError(
          .invalidInput, "the job \"\(job.name)\" is given twice", hint: "give it another name")
      }
      for name in job.onlyAfter where !names.contains(name) {
        throw MaintenanceError(
          .invalidInput, "the job \"\(job.name)\" is to run only after \"\(name)\", which does not exist",
          hint: "the jobs are: \(names.sorted().joined(separator: ", "))")
      }
    }
    var (rest, done, ordered) = (jobs, Set<String>(), [JobDefinition]())
    while !rest.isEmpty {
      guard let index = rest.firstIndex(where: { $0.onlyAfter.allSatisfy(done.contains) }) else {
        throw MaintenanceError(
          .invalidInput,
          "jobs are to run only after each other: \(circle(in: rest).joined(separator: " after "))",
          hint: "take one of the names out of only_after")
      }
      let job = rest.remove(at: index)
      done.insert(job.name)
      ordered.append(job)
    }
    return ordered
  }

  /// Quoted names; each job of `jobs` waits for another of them.
  private static func circle(in jobs: [JobDefinition]) -> [String] {
    let waiting = Dictionary(jobs.map { ($0.name, $0.onlyAfter) }, uniquingKeysWith: { first, _ in first })
    var path: [String] = []
    var name = jobs.first?.name
    while let current = name {
      if let start = path.firstIndex(of: current) { return (path[start...] + [current]).map { "\"\($0)\"" } }
      path.append(current)
      name = waiting[current]?.first { waiting[$0] != nil }
    }
    return path.map { "\"\($0)\"" }
  }
}

extension JobDefinition {
  /// Whether a run failed at the slot so lately that it is not tried again yet.
  func mustWait(after run: JobHistory.Run, for slot: UTCTime, at now: UTCTime) -> Bool {
    guard run.outcome == .failed, run.covers >= slot else { return false }
    // An end in the future by more than that is a clock that was set back.
    return abs(now - (run.ended ?? run.started)) < retry.wholeSeconds
  }
}

extension JobHistory.Run {
  /// Up to which moment a run does the slots.
  var covers: UTCTime { slot ?? started }
}
