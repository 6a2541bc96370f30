/// Where an entry is installed.
public enum ScheduleTarget: String, Sendable, Equatable, Encodable, CaseIterable {
  /// A user's crontab.
  case crontab
  /// A file in /etc/cron.d.
  case cronFile = "cron.d"
  case systemd
  /// A user's own systemd.
  case systemdUser = "systemd --user"
  /// Jobs of the extension pg_cron.
  case pgCron = "pg_cron"
}

/// What a person asked for, besides where.
public struct ScheduleOptions: Sendable {
  /// nil for one made of the project's directory.
  public var name: String?
  /// Minutes between two calls.
  public var every = 5
  /// The first minute of an hour; nil for one that depends on host and database.
  public var at: Int?
  /// The account that runs it; nil for the caller.
  public var user: String?
  /// Who gets cron's mail; nil for the account.
  public var mailTo: String?
  /// A file of `NAME=value` lines.
  public var environmentFile: String?
  /// A file that holds the database's URL, for systemd's LoadCredential=.
  public var credential: String?
  /// A systemd unit for failures.
  public var onFailure: String?
  /// Where files are written in place of where they belong; then nothing is enabled.
  public var directory: String?

  public init() {}
}
