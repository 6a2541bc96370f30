import Timekeeping

/// When a job is due: a set of moments, its slots.
public enum JobSchedule: Sendable, Equatable {
  case cron(CronExpression)
  /// Multiples of the span since 1970-01-01 00:00 UTC; at least a minute.
  case every(Duration)
}
