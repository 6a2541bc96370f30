import Timekeeping

/// The moments of a cron expression in a time zone.
///
/// A fixed local time has one slot on each of its days: in the hole when clocks go forward it is the first moment after
/// the hole, in the overlap when they go back the first of the two. An expression with `*` for the hour follows real
/// time: every moment that a clock on the wall shows as a match, so none in the hole and both in the overlap.
struct CronSlots {
  let expression: CronExpression
  let zone: TimeZoneRules

  /// Local dates do not follow one another as moments do where a clock goes back over midnight: by up to a day (Kwajalein
  /// 1969), so neighbours are looked at as well.
  private static let neighbours: Int64 = 2
  private static let calendarCycle: Int64 = 146_097

  func latest(atOrBefore time: UTCTime) -> UTCTime? {
    let today = zone.local(time).day
    var found: UTCTime?
    var (day, last) = (today + Self.neighbours, today - Self.calendarCycle)
    while day >= last {
      let date = UTCTime(secondsSince1970: day * 86_400).date
      guard expression.months.contains(date.month) else {
        day -= Int64(date.day)
        continue
      }
      if let slot = slots(onDay: day).last(where: { $0 <= time }) {
        if found == nil { last = day - Self.neighbours }
        found = max(found ?? slot, slot)
      }
      day -= 1
    }
    return found
  }

  func next(after time: UTCTime, count: Int) -> [UTCTime] {
    guard count > 0 else { return [] }
    let today = zone.local(time).day
    var found: Set<UTCTime> = []
    var (day, last) = (today - Self.neighbours, today + Self.calendarCycle)
    var isFull = false
    while day <= last {
      let date = UTCTime(secondsSince1970: day * 86_400).date
      guard expression.months.contains(date.month) else {
        day =
          UTCTime(
            year: date.month == 12 ? date.year + 1 : date.year, month: date.month % 12 + 1, day: 1
          ).day
        continue
      }
      for slot in slots(onDay: day) where slot > time { found.insert(slot) }
      if !isFull, found.count >= count {
        isFull = true
        last = day + Self.neighbours
      }
      day += 1
    }
    return Array(found.sorted().prefix(count))
  }

  /// Ascending; `day` counts local dates since 1970-01-01.
  private func slots(onDay day: Int64) -> [UTCTime] {
    let midnight = UTCTime(secondsSince1970: day * 86_400)
    let date = midnight.date
    guard expression.matches(month: date.month, day: date.day, weekday: midnight.weekday) else { return [] }
    let isPlain = !zone.changesOffset(from: midnight + -93_600, to: midnight + 180_000)
    let offset = Int64(zone.offset(at: midnight))
    var slots: [UTCTime] = []
    let (hours, minutes) = (expression.hours.values, expression.minutes.values)
    for hour in hours {
      for minute in minutes {
        if isPlain {
          slots.append(midnight + (Int64(hour * 3600 + minute * 60) - offset))
        } else {
          slots.append(contentsOf: moments(date, hour, minute))
        }
      }
    }
    return isPlain ? slots : Set(slots).sorted()
  }

  private func moments(_ date: (year: Int, month: Int, day: Int), _ hour: Int, _ minute: Int) -> [UTCTime] {
    let times = zone.utcTimes(ofLocal: date.year, date.month, date.day, hour, minute)
    if expression.followsRealTime { return times }
    if let first = times.first { return [first] }
    return zone.endOfHole(atLocal: date.year, date.month, date.day, hour, minute).map { [$0] } ?? []
  }
}
