import Maintenance
import Timekeeping

/// What the jobs of maintenance did, and what they should have done.
public struct ReportJobs: Sendable, Encodable {
  /// A job on one day of the calendar.
  public struct Day: Sendable, Encodable, Equatable {
    /// Slots of the schedule that are to be judged.
    public var expected = 0
    public var done = 0
    public var partial = 0
    public var failed = 0
    public var skipped = 0
    public var missing = 0
    /// Runs without a slot: asked for by name.
    public var byHand = 0

    public init() {}
  }

  public struct Job: Sendable, Encodable {
    public let name: ReportText
    public let kind: String
    public let schedule: ReportText
    /// `due`, `waiting`, `not-due` or `disabled`.
    public let state: String
    public let next: String?
    public let lastSuccess: String?
    public let lastRun: String?
    public let lastOutcome: JobOutcome?
    public let lastReason: ReportText?
    public let lastTrigger: ReportText?
    public let medianMilliseconds: Int64?
    /// One for each of the calendar's days.
    public let days: [Day]
    public let missing: Int
    /// Whether the newest slot that is over was not run.
    public let isLatestMissing: Bool
  }

  /// Slots of a schedule, one after another, that no run was for.
  public struct MissingRuns: Sendable, Encodable {
    public let job: ReportText
    public let first: String
    public let last: String
    public let count: Int
  }

  /// Runs of a job that ended in the same way.
  public struct Failure: Sendable, Encodable {
    public let job: ReportText
    /// When the newest began.
    public let last: String
    public let outcome: JobOutcome
    public let reason: ReportText?
    public let count: Int
  }

  /// Dates in the schedules' time zone, such as `2026-11-24`, ascending.
  public let days: [String]
  /// Since when runs are known: slots before it are not judged. nil where none was ever recorded.
  public let knownSince: String?
  public let jobs: ReportList<Job>
  /// The newest first.
  public let missing: ReportList<MissingRuns>
  public let missingCount: Int
  /// Runs of the calendar's days that failed, were skipped or stayed partial, the newest first.
  public let failures: ReportList<Failure>
  /// Runs of the calendar's days that were too many to be read.
  public let unreadRuns: Int
}

/// A run as the calendar needs it.
public struct CalendarRun: Sendable, Equatable {
  public let job: String
  /// nil where it was asked for by name.
  public let slot: UTCTime?
  public let started: UTCTime
  public let outcome: JobOutcome

  public init(job: String, slot: UTCTime?, started: UTCTime, outcome: JobOutcome) {
    self.job = job
    self.slot = slot
    self.started = started
    self.outcome = outcome
  }
}

/// Which runs the schedules asked for, and which of them there were.
///
/// A slot is done by the runs that were recorded for it, and by one that was asked for by name before the next slot. A run
/// makes up for the slots before its own (ten missed slots are one run), but those stay missing: nothing ran then.
public struct RunCalendar: Sendable {
  public let zone: TimeZoneRules
  public let now: UTCTime
  /// The first moment of the first day, in the zone.
  public let start: UTCTime
  /// Local dates, counted from 1970-01-01.
  let firstDay: Int64
  public let dayCount: Int

  /// A slot is missing when nothing ran for it within this many seconds: schedulers call `tsdb maintain` every few minutes,
  /// and jobs wait for one another.
  public static let grace: Int64 = 3600

  /// - Parameter days: how many, up to today.
  public init(days: Int, now: UTCTime, zone: TimeZoneRules) {
    self.zone = zone
    self.now = now
    dayCount = days
    firstDay = zone.local(now).day - Int64(days - 1)
    let date = UTCTime(secondsSince1970: firstDay * 86_400).date
    start =
      zone.utcTimes(ofLocal: date.year, date.month, date.day, 0, 0).first
      ?? zone.endOfHole(atLocal: date.year, date.month, date.day, 0, 0) ?? now + -86_400 * Int64(days)
  }

  public var days: [String] {
    (0..<dayCount).map {
      String(UTCTime(secondsSince1970: (firstDay + Int64($0)) * 86_400).description.prefix(10))
    }
  }

  /// The days of one job.
  public struct Line: Sendable, Equatable {
    public var days: [ReportJobs.Day]
    /// Ascending; slots that follow one another are together.
    public var missing: [[UTCTime]] = []
    public var isLatestMissing = false
  }

  /// - Parameters:
  ///   - runs: of this job, in any order.
  ///   - known: slots before it are not judged.
  public func line(of job: JobDefinition, runs: [CalendarRun], knownSince known: UTCTime?) -> Line {
    var line = Line(days: Array(repeating: ReportJobs.Day(), count: dayCount))
    func add(_ time: UTCTime, _ change: (inout ReportJobs.Day) -> Void) {
      let index = Int(zone.local(time).day - firstDay)
      if line.days.indices.contains(index) { change(&line.days[index]) }
    }
    for run in runs where run.slot == nil { add(run.started) { $0.byHand += 1 } }
    guard job.isEnabled, let known else { return line }
    let slots = slots(of: job.schedule, from: max(start, known))
    let bySlot = Dictionary(grouping: runs.filter { $0.slot != nil }) { $0.slot ?? $0.started }
    let byHand = runs.filter { $0.slot == nil && $0.outcome != .skipped }.map(\.started).sorted()
    for (index, slot) in slots.enumerated() {
      let end = index + 1 < slots.count ? slots[index + 1] : now + 1
      let best = bySlot[slot]?.map(\.outcome).min { Self.rank($0) < Self.rank($1) }
      let outcome =
        best == nil || best == .skipped
        ? byHand.contains { slot <= $0 && $0 < end } ? .ok : best : best
      // Of a young slot without a run nothing can be said yet.
      guard outcome != nil || now - slot > Self.grace else { continue }
      add(slot) { day in
        day.expected += 1
        switch outcome {
        case .ok, .running: day.done += 1
        case .partial: day.partial += 1
        case .failed: day.failed += 1
        case .skipped: day.skipped += 1
        case nil: day.missing += 1
        }
      }
      if outcome == nil {
        if line.isLatestMissing {
          line.missing[line.missing.count - 1].append(slot)
        } else {
          line.missing.append([slot])
        }
      }
      line.isLatestMissing = outcome == nil
    }
    return line
  }

  /// The best outcome of a slot's runs counts: a failed run that was tried again with success is done.
  private static func rank(_ outcome: JobOutcome) -> Int {
    switch outcome {
    case .ok: 0
    case .partial: 1
    case .running: 2
    case .failed: 3
    case .skipped: 4
    }
  }

  private func slots(of schedule: JobSchedule, from start: UTCTime) -> [UTCTime] {
    var slots: [UTCTime] = []
    var last = start + -1
    while true {
      // In small pieces: a schedule with one slot a year is not to be counted for centuries.
      let next = schedule.nextSlots(after: last, count: 64, zone: zone)
      slots += next.prefix { $0 <= now }
      guard let end = next.last, end <= now, next.count == 64 else { return slots }
      last = end
    }
  }
}
