import Timekeeping

/// How many backups of a database to keep: the newest of each of the last so many hours, days, weeks, months
/// and years in which there is one, all in UTC, and the last so many whatever their time.
///
/// Weeks are those of ISO 8601, from Monday.
public struct RetentionPolicy: Sendable, Equatable {
  public var last: Int
  public var hourly: Int
  public var daily: Int
  public var weekly: Int
  public var monthly: Int
  public var yearly: Int

  public init(
    last: Int = 3, hourly: Int = 0, daily: Int = 7, weekly: Int = 4, monthly: Int = 12, yearly: Int = 0
  ) {
    self.last = last
    self.hourly = hourly
    self.daily = daily
    self.weekly = weekly
    self.monthly = monthly
    self.yearly = yearly
  }
}

extension RetentionPolicy {
  /// A span of the calendar of which the newest backup is kept.
  public enum Period: String, Sendable, CaseIterable {
    case hourly
    case daily
    case weekly
    case monthly
    case yearly

    /// A number that all moments of one period share, and later periods surpass.
    func index(of time: UTCTime) -> Int64 {
      switch self {
      case .hourly: time.day * 24 + Int64(time.clock.hour)
      case .daily: time.day
      // 1970-01-01 was a Thursday.
      case .weekly: (time.day + 3) >= 0 ? (time.day + 3) / 7 : (time.day - 3) / 7
      case .monthly: Int64(time.date.year) * 12 + Int64(time.date.month - 1)
      case .yearly: Int64(time.date.year)
      }
    }

    /// Such as `2026-11-24 08h`, `2026-11-24`, `2026-W48`, `2026-11`, `2026`.
    func label(of time: UTCTime) -> String {
      let text = time.description
      switch self {
      case .hourly: return "\(text.prefix(10)) \(text.dropFirst(11).prefix(2))h"
      case .daily: return String(text.prefix(10))
      case .weekly:
        // A week belongs to the year of its Thursday.
        let thursday = UTCTime(secondsSince1970: index(of: time) * 7 * 86_400)
        let year = thursday.date.year
        let week = (thursday.day - UTCTime(year: year, month: 1, day: 1).day) / 7 + 1
        return "\(year)-W\(week < 10 ? "0" : "")\(week)"
      case .monthly: return String(text.prefix(7))
      case .yearly: return String(text.prefix(4))
      }
    }
  }

  func count(_ period: Period) -> Int {
    switch period {
    case .hourly: hourly
    case .daily: daily
    case .weekly: weekly
    case .monthly: monthly
    case .yearly: yearly
    }
  }
}
