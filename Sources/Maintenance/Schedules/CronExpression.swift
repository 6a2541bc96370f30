/// A cron expression of five fields.
public struct CronExpression: Sendable, Equatable {
  /// As written.
  public let text: String
}
