import Timekeeping

/// A span of time that a partition holds: from its start to before its end, in UTC.
public struct PartitionPeriod: Sendable, Hashable {
  public let start: UTCTime
  public let end: UTCTime

  public init(start: UTCTime, end: UTCTime) {
    self.start = start
    self.end = end
  }

  /// The day, ISO week, month or year in which `time` lies.
  public init(_ interval: PartitionRule.Interval, containing time: UTCTime) {
    let date = time.date
    switch interval {
    case .day: self.init(days: time.day, 1)
    case .week: self.init(days: Self.monday(time.day), 7)
    case .month:
      let isLast = date.month == 12
      self.init(
        start: UTCTime(year: date.year, month: date.month, day: 1),
        end: UTCTime(year: isLast ? date.year + 1 : date.year, month: isLast ? 1 : date.month + 1, day: 1))
    case .year:
      self.init(
        start: UTCTime(year: date.year, month: 1, day: 1), end: UTCTime(year: date.year + 1, month: 1, day: 1)
      )
    }
  }

  private init(days first: Int64, _ count: Int64) {
    self.init(
      start: UTCTime(secondsSince1970: first * 86_400),
      end: UTCTime(secondsSince1970: (first + count) * 86_400))
  }

  /// The day 0 was a Thursday.
  private static func monday(_ day: Int64) -> Int64 { day - (((day + 3) % 7) + 7) % 7 }

  /// The period of `time` and the `ahead` after it.
  public static func periods(
    _ interval: PartitionRule.Interval, from time: UTCTime, ahead: Int
  ) -> [PartitionPeriod] {
    var periods = [PartitionPeriod(interval, containing: time)]
    for _ in 0..<max(0, ahead) {
      periods.append(PartitionPeriod(interval, containing: periods[periods.count - 1].end))
    }
    return periods
  }

  /// What a partition's name says of the period: `2026_11_24`, `2026_w48`, `2026_11` or `2026`.
  ///
  /// Weeks and their years are those of ISO 8601: a week belongs to the year of its Thursday.
  public func suffix(_ interval: PartitionRule.Interval) -> String {
    let date = start.date
    func padded(_ number: Int, _ width: Int) -> String {
      String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
    }
    let (year, month) = (padded(date.year, 4), padded(date.month, 2))
    switch interval {
    case .day: return "\(year)_\(month)_\(padded(date.day, 2))"
    case .month: return "\(year)_\(month)"
    case .year: return year
    case .week:
      let thursday = start + 3 * 86_400
      let firstDay = UTCTime(year: thursday.date.year, month: 1, day: 1)
      let week = Int((thursday - firstDay) / 86_400 / 7) + 1
      return "\(padded(thursday.date.year, 4))_w\(padded(week, 2))"
    }
  }
}

/// Names that are made from others and fit into a name's 63 bytes.
enum PartitionNaming {
  static let limit = 63

  static func partition(of table: String, _ suffix: String) -> String {
    shortened(table, reserving: suffix.utf8.count + 1) + "_" + suffix
  }

  /// The partition's counterpart of the table's index or constraint: `t_pkey` is `t_2026_11_pkey`.
  static func part(_ name: String, of table: String, for partition: String) -> String {
    let rest = name.hasPrefix(table + "_") ? String(name.dropFirst(table.count + 1)) : name
    let full = partition + "_" + rest
    return full.utf8.count <= limit ? full : shortened(full, reserving: 0)
  }

  /// `name`, or its beginning and a hash of the whole, so that two long names stay two.
  private static func shortened(_ name: String, reserving reserved: Int) -> String {
    guard name.utf8.count + reserved > limit else { return name }
    // FNV-1a. Source: RFC 9923.
    let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    let digits = String(hash, radix: 16)
    let tail = "_" + String(repeating: "0", count: 8 - digits.count) + digits
    var head = ""
    for character in name {
      guard head.utf8.count + String(character).utf8.count + tail.utf8.count + reserved <= limit else {
        break
      }
      head.append(character)
    }
    return head + tail
  }
}
