import Backups
import Compression
import Migrations

extension ConfigurationKey {
  static let backup: [ConfigurationKey] =
    [
      ConfigurationKey(name: "backup.repository", expectation: "the path of a directory") {
        guard $1.count == 1, !$1[0].isEmpty, !$1[0].utf8.contains(0) else { return false }
        $0.backupRepository = $1[0]
        return true
      },
      ConfigurationKey(name: "backup.jobs", expectation: "a number from 1 to 64") {
        guard $1.count == 1, let count = Int($1[0]), (1...64).contains(count) else { return false }
        $0.backupJobs = count
        return true
      },
      ConfigurationKey(name: "backup.compress", expectation: "none, isal:0 to isal:3, or gzip:1 to gzip:9") {
        guard $1.count == 1, let compression = DataCompression(argument: $1[0]) else { return false }
        $0.backupCompression = compression.description
        return true
      },
      ConfigurationKey(name: "backup.lock_timeout", expectation: "a duration such as 500ms or 30s") {
        guard $1.count == 1, let duration = Duration(settingText: $1[0]), duration > .zero else {
          return false
        }
        $0.backupLockTimeout = duration
        return true
      },
    ]
    + keep("last", \.last) + keep("hourly", \.hourly) + keep("daily", \.daily) + keep("weekly", \.weekly)
    + keep("monthly", \.monthly) + keep("yearly", \.yearly)

  private static func keep(
    _ name: String, _ path: any WritableKeyPath<RetentionPolicy, Int> & Sendable
  ) -> [ConfigurationKey] {
    [
      ConfigurationKey(name: "backup.keep.\(name)", expectation: "a number from 0 to 1000000") {
        guard $1.count == 1, let count = Int($1[0]), (0...1_000_000).contains(count) else { return false }
        $0.backupRetention[keyPath: path] = count
        return true
      }
    ]
  }
}
