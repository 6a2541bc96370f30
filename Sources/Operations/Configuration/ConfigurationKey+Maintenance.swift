import Maintenance
import Timekeeping

extension ConfigurationKey {
  /// The keys of `maintain` but for its jobs.
  static let maintenance: [ConfigurationKey] = [
    ConfigurationKey(
      name: "maintain.time_zone", expectation: "UTC or a name of the IANA database, such as Europe/Madrid"
    ) {
      guard $1.count == 1, isTimeZone($1[0]) else { return false }
      $0.maintenance.timeZone = $1[0]
      return true
    },
    ConfigurationKey(name: "maintain.history", expectation: "a span of at least 1d, such as 90d") {
      guard $1.count == 1, let span = Duration(spanText: $1[0]), span >= .seconds(86_400) else {
        return false
      }
      $0.maintenance.history = span
      return true
    },
    ConfigurationKey(name: "maintain.nice", expectation: "a number from 0 to 19") {
      guard $1.count == 1, let value = Int($1[0]), (0...19).contains(value) else { return false }
      $0.maintenance.niceness = value
      return true
    },
    ConfigurationKey(name: "maintain.gates.replica_lag", expectation: "a span such as 30s") {
      guard $1.count == 1, let span = Duration(spanText: $1[0]), span > .zero else { return false }
      $0.maintenance.gates.replicaLag = span
      return true
    },
    ConfigurationKey(
      name: "maintain.gates.archive_backlog", expectation: "a number of files from 1 to 1000000"
    ) {
      guard $1.count == 1, let count = Int($1[0]), (1...1_000_000).contains(count) else { return false }
      $0.maintenance.gates.archiveBacklog = count
      return true
    },
    ConfigurationKey(name: "maintain.gates.patience", expectation: "a span such as 60s, or 0") {
      guard $1.count == 1, let span = Duration(spanText: $1[0]) else { return false }
      $0.maintenance.gates.patience = span
      return true
    },
    path(
      "maintain.metrics", "the path of a file for Prometheus that ends in .prom", \.metrics, suffix: ".prom"),
    path("maintain.log", "the path of a file", \.log),
    path("maintain.ping_url_file", "the path of a file that holds the URL to ping", \.pingURLFile),
  ]

  private static func path(
    _ name: String, _ expectation: String,
    _ place: any WritableKeyPath<MaintenanceConfiguration, String?> & Sendable, suffix: String = ""
  ) -> ConfigurationKey {
    ConfigurationKey(name: name, expectation: expectation) {
      // A URL in the place of its file would be shown in messages, and is often committed with the file.
      guard $1.count == 1, !$1[0].isEmpty, !$1[0].utf8.contains(0), !$1[0].contains("://"),
        $1[0].hasSuffix(suffix)
      else { return false }
      $0.maintenance[keyPath: place] = $1[0]
      return true
    }
  }

  /// Where the system has no zones, the name is looked at by those who need it.
  private static func isTimeZone(_ name: String) -> Bool {
    do {
      _ = try TimeZoneRules(named: name)
      return true
    } catch {
      return !TimeZoneRules.areInstalled && !name.isEmpty && !name.hasPrefix("/") && !name.contains("..")
    }
  }
}
