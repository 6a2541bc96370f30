import Timekeeping

/// What a person should know of schedules in a zone whose clocks change.
public enum ScheduleWarnings {
  /// One sentence for each job; empty in a zone without changes.
  ///
  /// - Parameter now: changes within a year of it count.
  public static func clockChanges(_ jobs: [JobDefinition], zone: TimeZoneRules, now: UTCTime) -> [String] {
    let year: Int64 = 366 * 86_400
    guard zone.changesOffset(from: now, to: now + year) else { return [] }
    var warnings = ["the clocks of \(zone.name) change within a year; schedules in UTC are not touched by it"]
    for job in jobs where job.isEnabled {
      guard case .cron = job.schedule else { continue }
      let slots = job.schedule.nextSlots(after: now, count: 400, zone: zone)
      guard
        let slot = slots.first(where: { slot in
          let clock = zone.local(slot).clock
          return (1...3).contains(clock.hour) && slot <= now + year
        })
      else { continue }
      let clock = zone.local(slot).clock
      func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
      warnings.append(
        "\(job.name) runs at \(padded(clock.hour)):\(padded(clock.minute)) of \(zone.name), a time that may not "
          + "come, or twice, when the clocks change: tsdb maintain runs it once, pg_cron and systemd may skip or "
          + "repeat it; a time before 01:00 or after 03:59, or UTC, is safe everywhere")
    }
    return warnings
  }
}

extension CallTimes {
  /// The times of an entry, from its text; nil where somebody has changed them to what ``CallTimes`` cannot say.
  public init?(installed text: String) {
    for line in text.split(separator: "\n") {
      if line.hasPrefix("OnCalendar=*-*-* *:") {
        let field = line.dropFirst("OnCalendar=*-*-* *:".count).prefix { $0 != ":" }
        guard let times = Self(startAndStep: field.split(separator: "/").map(String.init)) else { return nil }
        self = times
        return
      }
      guard !line.hasPrefix("#"), line.contains(" * * * * ") else { continue }
      let field = line.prefix { $0 != " " }
      let parts = field.split(separator: "/").map(String.init)
      let start = parts[0] == "*" ? "0" : parts[0].hasSuffix("-59") ? String(parts[0].dropLast(3)) : parts[0]
      let step = parts.count == 2 ? [parts[1]] : parts[0] == "*" ? ["1"] : []
      guard let times = Self(startAndStep: [start] + step) else { return nil }
      self = times
      return
    }
    return nil
  }

  private init?(startAndStep parts: [String]) {
    guard let start = parts.first.flatMap({ Int($0) }), parts.count <= 2 else { return nil }
    let step = parts.count == 2 ? Int(parts[1]) : 60
    guard let step, let times = try? CallTimes(every: step, offset: start) else { return nil }
    self = times
  }
}
