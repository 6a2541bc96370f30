/// The offsets of a place's local time from UTC, past and future.
///
/// Source: RFC 8536 (TZif, versions 1 to 3) and, for the time after a file's last change, its footer as POSIX's `TZ`
/// variable has it.
public struct TimeZoneRules: Sendable, Equatable {
  /// As in the IANA database, such as `Europe/Madrid`.
  public let name: String
  /// Moments from which on the offset beside them holds, ascending.
  let times: [Int64]
  let offsets: [Int]
  /// Before the first of ``times``.
  let firstOffset: Int
  /// From the last of ``times`` on; nil where the last offset stays.
  let footer: PosixTimeZone?

  public static let utc = TimeZoneRules(name: "UTC", times: [], offsets: [], firstOffset: 0, footer: nil)

  init(name: String, times: [Int64], offsets: [Int], firstOffset: Int, footer: PosixTimeZone?) {
    self.name = name
    self.times = times
    self.offsets = offsets
    self.firstOffset = firstOffset
    self.footer = footer
  }

  /// A change of the offset.
  struct Change: Equatable {
    let time: Int64
    let before: Int
    let after: Int
  }

  /// Seconds to add to UTC for local time, east of Greenwich positive.
  public func offset(at time: UTCTime) -> Int {
    offset(atSeconds: time.secondsSince1970)
  }

  func offset(atSeconds time: Int64) -> Int {
    if let last = times.last, time < last {
      let index = firstIndex(after: time)
      return index == 0 ? firstOffset : offsets[index - 1]
    }
    return footer?.offset(at: time) ?? offsets.last ?? firstOffset
  }

  /// The moments that a clock on the wall shows as this, ascending: one as a rule, none in the hole when clocks go
  /// forward, two in the overlap when they go back. None for a date that does not exist.
  public func utcTimes(ofLocal year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int) -> [UTCTime] {
    guard let local = Self.localSeconds(year, month, day, hour, minute) else { return [] }
    return moments(ofLocal: local).map { UTCTime(secondsSince1970: $0) }
  }

  /// The first moment after the hole that this local time falls into; nil where it falls into none.
  public func endOfHole(atLocal year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int) -> UTCTime? {
    guard let local = Self.localSeconds(year, month, day, hour, minute) else { return nil }
    return endOfHole(atLocal: local).map { UTCTime(secondsSince1970: $0) }
  }

  /// The local time of a moment, as if it were UTC.
  public func local(_ time: UTCTime) -> UTCTime { time + Int64(offset(at: time)) }

  /// Whether the offset changes between two moments, both included.
  public func changesOffset(from start: UTCTime, to end: UTCTime) -> Bool {
    !changes(from: start.secondsSince1970, to: end.secondsSince1970).isEmpty
  }

  private static func localSeconds(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int)
    -> Int64?
  {
    guard (-100_000...100_000).contains(year), (1...12).contains(month), (1...31).contains(day),
      (0...23).contains(hour), (0...59).contains(minute)
    else { return nil }
    let time = UTCTime(year: year, month: month, day: day, hour: hour, minute: minute)
    return time.date.day == day ? time.secondsSince1970 : nil
  }
}

// Local times as seconds since 1970-01-01 00:00 on the wall.
extension TimeZoneRules {
  /// No offset is larger; what reads a file refuses others. Source: RFC 8536, section 3.2, utoff.
  static let largestOffset: Int64 = 26 * 3600

  func moments(ofLocal local: Int64) -> [Int64] {
    let changes = changes(from: local - Self.largestOffset, to: local + Self.largestOffset)
    guard let first = changes.first else {
      return [local - Int64(offset(atSeconds: local))]
    }
    var found: [Int64] = []
    for offset in [first.before] + changes.map(\.after) {
      let moment = local - Int64(offset)
      if self.offset(atSeconds: moment) == offset, !found.contains(moment) { found.append(moment) }
    }
    return found.sorted()
  }

  func endOfHole(atLocal local: Int64) -> Int64? {
    changes(from: local - Self.largestOffset, to: local + Self.largestOffset).first {
      $0.time + Int64($0.before) <= local && local < $0.time + Int64($0.after)
    }?.time
  }

  /// The changes of the offset from `start` to `end`, both included, ascending.
  func changes(from start: Int64, to end: Int64) -> [Change] {
    var changes: [Change] = []
    var index = firstIndex(after: start - 1)
    while index < times.count, times[index] <= end {
      let before = index == 0 ? firstOffset : offsets[index - 1]
      if before != offsets[index] {
        changes.append(Change(time: times[index], before: before, after: offsets[index]))
      }
      index += 1
    }
    if let footer, times.last.map({ $0 <= end }) ?? true {
      let later = footer.changes(from: max(start, (times.last ?? start - 1) + 1), to: end)
      changes.append(contentsOf: later)
    }
    return changes
  }

  /// Of ``times``; their count where none is later.
  private func firstIndex(after time: Int64) -> Int {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
