import Timekeeping

/// When a job is due: a set of moments, its slots.
public enum JobSchedule: Sendable, Equatable {
  case cron(CronExpression)
  /// Multiples of the span since 1970-01-01 00:00 UTC; at least a minute.
  case every(Duration)

  /// As in `tsdb.yaml`: the expression's text, or such as `every 15min`.
  public var text: String {
    switch self {
    case .cron(let expression): expression.text
    case .every(let span): "every \(span.spanText)"
    }
  }

  /// The newest slot that is not later than `time`; nil where none is within four hundred years, in which the calendar
  /// repeats.
  public func latestSlot(atOrBefore time: UTCTime, zone: TimeZoneRules) -> UTCTime? {
    switch self {
    case .cron(let expression): CronSlots(expression: expression, zone: zone).latest(atOrBefore: time)
    case .every(let span): UTCTime(secondsSince1970: Self.multiple(of: Self.seconds(span), atOrBefore: time))
    }
  }

  /// The first slots later than `time`, ascending; fewer than `count` only where the years end.
  public func nextSlots(after time: UTCTime, count: Int, zone: TimeZoneRules) -> [UTCTime] {
    switch self {
    case .cron(let expression):
      return CronSlots(expression: expression, zone: zone).next(after: time, count: count)
    case .every(let span):
      let seconds = Self.seconds(span)
      let last = Self.multiple(of: seconds, atOrBefore: time)
      return (0..<max(0, count)).map { UTCTime(secondsSince1970: last + seconds * Int64($0 + 1)) }
    }
  }

  private static func seconds(_ span: Duration) -> Int64 { max(60, span.wholeSeconds) }

  private static func multiple(of seconds: Int64, atOrBefore time: UTCTime) -> Int64 {
    let remainder = time.secondsSince1970 % seconds
    return time.secondsSince1970 - (remainder < 0 ? remainder + seconds : remainder)
  }
}
