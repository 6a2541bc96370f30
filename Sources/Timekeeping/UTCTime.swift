#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A moment in UTC, in whole seconds, and its place in the Gregorian calendar.
public struct UTCTime: Sendable, Hashable, Comparable {
  /// Since 1970-01-01 00:00:00, without leap seconds, as POSIX counts.
  public let secondsSince1970: Int64

  public init(secondsSince1970: Int64) {
    self.secondsSince1970 = secondsSince1970
  }

  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    let days = Self.days(year: year, month: month, day: day)
    secondsSince1970 = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
  }

  /// Now, by the system's clock.
  public static var now: UTCTime { UTCTime(secondsSince1970: Int64(time(nil))) }

  public static func < (a: UTCTime, b: UTCTime) -> Bool { a.secondsSince1970 < b.secondsSince1970 }

  public static func + (time: UTCTime, seconds: Int64) -> UTCTime {
    UTCTime(secondsSince1970: time.secondsSince1970 + seconds)
  }

  /// Seconds from `b` to `a`.
  public static func - (a: UTCTime, b: UTCTime) -> Int64 { a.secondsSince1970 - b.secondsSince1970 }

  /// Whole days since 1970-01-01, rounded down.
  public var day: Int64 {
    secondsSince1970 >= 0 ? secondsSince1970 / 86_400 : (secondsSince1970 - 86_399) / 86_400
  }

  /// Year, month from 1 and day of the month from 1.
  public var date: (year: Int, month: Int, day: Int) { Self.date(Int(day)) }

  /// Hour, minute and second.
  public var clock: (hour: Int, minute: Int, second: Int) {
    let second = Int(secondsSince1970 - day * 86_400)
    return (second / 3600, second / 60 % 60, second % 60)
  }

  // Source of both: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"; eras of 400 years that begin
  // on 1 March, so that the leap day is the last of its year.
  private static func days(year: Int, month: Int, day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }
}

extension UTCTime {
  /// A moment from ISO 8601 text such as `2026-11-24T08:36:57Z`; a fraction of a second is cut off.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") else { return nil }
    let separators: [(Int, Character)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")]
    guard separators.allSatisfy({ bytes[$0.0] == $0.1.asciiValue }) else { return nil }
    if bytes.count > 20 {
      let fraction = bytes[20..<(bytes.count - 1)]
      guard bytes[19] == UInt8(ascii: "."), !fraction.isEmpty, fraction.allSatisfy(Self.isDigit) else {
        return nil
      }
    }
    self.init(
      digits: [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19].map { Array(bytes[$0]) })
  }

  /// A moment from the beginning of a backup's name, such as `20261124T083657Z`.
  public init?(compact text: some StringProtocol) {
    let bytes = Array(text.utf8)
    guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
    self.init(digits: [0..<4, 4..<6, 6..<8, 9..<11, 11..<13, 13..<15].map { Array(bytes[$0]) })
  }

  private init?(digits groups: [[UInt8]]) {
    guard groups.allSatisfy({ $0.allSatisfy(Self.isDigit) }) else { return nil }
    let numbers = groups.map { $0.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } }
    guard (1...12).contains(numbers[1]), (1...31).contains(numbers[2]), numbers[3] < 24, numbers[4] < 60,
      numbers[5] < 61
    else { return nil }
    self.init(
      year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4],
      second: numbers[5])
    // The 31st of a month of thirty days would have become the first of the next.
    guard date.day == numbers[2] || numbers[5] == 60 else { return nil }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private func parts(_ dateSeparator: String, _ clockSeparator: String) -> String {
    let (date, clock) = (date, clock)
    func padded(_ number: Int, _ width: Int = 2) -> String {
      let digits = String(number)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return [padded(date.year, 4), padded(date.month), padded(date.day)].joined(separator: dateSeparator)
      + "T"
      + [clock.hour, clock.minute, clock.second].map { padded($0) }.joined(separator: clockSeparator) + "Z"
  }

  /// Such as `20261124T083657Z`, the beginning of a backup's name.
  public var compact: String { parts("", "") }
}

extension UTCTime: CustomStringConvertible {
  /// ISO 8601 with seconds, such as `2026-11-24T08:36:57Z`.
  public var description: String { parts("-", ":") }
}
