/// The rule at the end of a TZif file, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// Source: POSIX.1-2017, Base Definitions, 8.3, `TZ`; RFC 8536, section 3.3.1: hours from -167 to 167.
struct PosixTimeZone: Sendable, Equatable {
  /// Seconds east of Greenwich.
  let standard: Int
  let summer: Summer?

  struct Summer: Sendable, Equatable {
    let offset: Int
    let start: Day
    let end: Day
  }

  struct Day: Sendable, Equatable {
    enum Rule: Sendable, Equatable {
      /// `Jn`: 1 to 365, 29 February never counted.
      case dayWithoutLeap(Int)
      /// `n`: 0 to 365.
      case day(Int)
      /// `Mm.w.d`: the week's day, 0 for Sunday; week 5 is the month's last.
      case weekday(month: Int, week: Int, day: Int)
    }
    let rule: Rule
    /// Seconds after midnight, in the local time before the change.
    let time: Int
  }

  /// `time` may be anything.
  func offset(at time: Int64) -> Int {
    guard let summer else { return standard }
    // Years of seven digits and more have no rules worth an overflow.
    let time = min(max(time, -1 << 46), 1 << 46)
    let year = UTCTime(secondsSince1970: time).date.year
    let latest = events(summer, years: (year - 1)...(year + 1)).last { $0.time <= time }
    return latest?.offset ?? standard
  }

  /// The changes from `start` to `end`, both included, ascending.
  func changes(from start: Int64, to end: Int64) -> [TimeZoneRules.Change] {
    guard let summer, start <= end, start > -1 << 46, end < 1 << 46 else { return [] }
    let years =
      (UTCTime(secondsSince1970: start).date.year - 1)...(UTCTime(secondsSince1970: end).date.year + 1)
    var offset = offset(at: start - 1)
    var changes: [TimeZoneRules.Change] = []
    let events = events(summer, years: years).filter { $0.time >= start && $0.time <= end }
    for (index, event) in events.enumerated() {
      // Summer time that ends where the next begins.
      if index + 1 < events.count, events[index + 1].time == event.time { continue }
      if event.offset != offset {
        changes.append(TimeZoneRules.Change(time: event.time, before: offset, after: event.offset))
      }
      offset = event.offset
    }
    return changes
  }

  private func events(_ summer: Summer, years: ClosedRange<Int>) -> [(time: Int64, offset: Int)] {
    var events: [(time: Int64, offset: Int, isStart: Bool)] = []
    for year in years {
      events.append((summer.start.seconds(of: year) - Int64(standard), summer.offset, true))
      events.append((summer.end.seconds(of: year) - Int64(summer.offset), standard, false))
    }
    // Summer time all year round ends in the moment in which the next year's begins: the beginning counts.
    events.sort { ($0.time, $0.isStart ? 1 : 0) < ($1.time, $1.isStart ? 1 : 0) }
    return events.map { ($0.time, $0.offset) }
  }
}

extension PosixTimeZone.Day {
  /// In local time, as seconds since 1970-01-01 00:00 on the wall.
  func seconds(of year: Int) -> Int64 {
    UTCTime(secondsSince1970: date(in: year).secondsSince1970 + Int64(time)).secondsSince1970
  }

  private func date(in year: Int) -> UTCTime {
    let first = UTCTime(year: year, month: 1, day: 1)
    switch rule {
    case .day(let day): return first + Int64(day) * 86_400
    case .dayWithoutLeap(let day):
      let isLeap = UTCTime(year: year, month: 2, day: 29).date.month == 2
      return first + Int64(day - 1 + (isLeap && day >= 60 ? 1 : 0)) * 86_400
    case .weekday(let month, let week, let day):
      let first = UTCTime(year: year, month: month, day: 1)
      let next = UTCTime(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
      var date = first + Int64((day - first.weekday + 7) % 7) * 86_400
      for _ in 1..<week where date + 7 * 86_400 < next { date = date + 7 * 86_400 }
      return date
    }
  }
}

extension UTCTime {
  /// 0 for Sunday to 6.
  public var weekday: Int {
    // 1970-01-01 was a Thursday.
    Int(((day + 4) % 7 + 7) % 7)
  }
}

extension PosixTimeZone {
  /// nil for what is not a rule.
  init?(_ text: some Sequence<UInt8>) {
    var reader = Reader(bytes: Array(text))
    guard reader.name(), let standard = reader.offset(hours: 24) else { return nil }
    guard !reader.isAtEnd else {
      self.init(standard: -standard, summer: nil)
      return
    }
    guard reader.name() else { return nil }
    var summer = -standard + 3600
    if reader.peek != UInt8(ascii: ","), !reader.isAtEnd {
      guard let offset = reader.offset(hours: 24) else { return nil }
      summer = -offset
    }
    // A file's footer always has the days; POSIX leaves their default to the implementation.
    guard reader.take(","), let start = reader.day(), reader.take(","), let end = reader.day(), reader.isAtEnd
    else { return nil }
    self.init(standard: -standard, summer: Summer(offset: summer, start: start, end: end))
  }

  private struct Reader {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    var peek: UInt8? { isAtEnd ? nil : bytes[position] }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard peek == UInt8(ascii: character) else { return false }
      position += 1
      return true
    }

    /// Three letters or more, or anything between `<` and `>`.
    mutating func name() -> Bool {
      let start = position
      if take("<") {
        while !isAtEnd, peek != UInt8(ascii: ">") { position += 1 }
        return position - start >= 4 && take(">")
      }
      while let byte = peek, (byte | 0x20) >= UInt8(ascii: "a"), (byte | 0x20) <= UInt8(ascii: "z") {
        position += 1
      }
      return position - start >= 3
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int? {
      var value = 0
      let start = position
      while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), position - start < 4 {
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
        position += 1
      }
      return position > start && range.contains(value) ? value : nil
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    mutating func offset(hours limit: Int) -> Int? {
      let sign = take("-") ? -1 : 1
      if sign == 1 { _ = take("+") }
      guard let hours = number(0...limit) else { return nil }
      var seconds = hours * 3600
      for unit in [60, 1] {
        guard take(":") else { break }
        guard let count = number(0...59) else { return nil }
        seconds += count * unit
      }
      return sign * seconds
    }

    mutating func day() -> Day? {
      let rule: Day.Rule
      if take("J") {
        guard let day = number(1...365) else { return nil }
        rule = .dayWithoutLeap(day)
      } else if take("M") {
        guard let month = number(1...12), take("."), let week = number(1...5), take("."),
          let day = number(0...6)
        else { return nil }
        rule = .weekday(month: month, week: week, day: day)
      } else {
        guard let day = number(0...365) else { return nil }
        rule = .day(day)
      }
      guard take("/") else { return Day(rule: rule, time: 7200) }
      guard let time = offset(hours: 167) else { return nil }
      return Day(rule: rule, time: time)
    }
  }
}
