import Migrations

/// One key of `tsdb.yaml`: where it goes and what it takes.
struct ConfigurationKey: Sendable {
  /// As written, with the section before the dot.
  let name: String
  /// The environment variable that overrides it.
  var variable: String { "TSDB_" + name.uppercased().replacing(".", with: "_") }
  let expectation: String
  /// Takes the values of the key; false for a value that it does not take.
  let apply: @Sendable (inout ProjectConfiguration, [String]) -> Bool

  static let all: [ConfigurationKey] = general + backup + maintenance + deploy

  private static let general: [ConfigurationKey] = [
    ConfigurationKey(name: "migrate.directories", expectation: "a directory or a list of directories") {
      guard !$1.isEmpty else { return false }
      $0.migrationDirectories = $1
      return true
    },
    ConfigurationKey(name: "migrate.order", expectation: "\"dependencies\" or \"names\"") {
      guard $1.count == 1, let order = OrderPolicy(rawValue: $1[0]) else { return false }
      $0.order = order
      return true
    },
    ConfigurationKey(name: "migrate.lock_timeout", expectation: "a duration such as 500ms or 2s") {
      guard $1.count == 1, let duration = Duration(settingText: $1[0]), duration > .zero else { return false }
      $0.lockTimeout = duration
      return true
    },
    ConfigurationKey(name: "migrate.lock_attempts", expectation: "a number from 1 to 1000") {
      guard $1.count == 1, let count = Int($1[0]), (1...1000).contains(count) else { return false }
      $0.lockAttempts = count
      return true
    },
    ConfigurationKey(name: "migrate.wait", expectation: "a duration such as 60s or 5min") {
      guard $1.count == 1, let duration = Duration(settingText: $1[0]) else { return false }
      $0.runnerWait = duration
      return true
    },
    ConfigurationKey(
      name: "migrate.ignore_drift", expectation: "a list of object names, with * for any characters"
    ) {
      $0.ignoredDrift = $1
      return true
    },
    ConfigurationKey(name: "seed.directories", expectation: "a directory or a list of directories") {
      guard !$1.isEmpty else { return false }
      $0.seedDirectories = $1
      return true
    },
    ConfigurationKey(name: "history.schema", expectation: "the name of a schema") {
      guard $1.count == 1, !$1[0].isEmpty, $1[0].utf8.count < 64, !$1[0].hasPrefix("pg_") else {
        return false
      }
      $0.historySchema = $1[0]
      return true
    },
    ConfigurationKey(name: "database.url_file", expectation: "the path of a file that holds the database URL")
    {
      guard $1.count == 1, !$1[0].isEmpty else { return false }
      $0.databaseURLFile = $1[0]
      return true
    },
    ConfigurationKey(name: "local.database", expectation: "the name of a database") {
      guard $1.count == 1, !$1[0].isEmpty, $1[0].utf8.count < 64 else { return false }
      $0.localDatabase = $1[0]
      return true
    },
  ]
}

extension ProjectConfiguration {
  /// The configuration with the `TSDB_…` variables of `environment` in place.
  ///
  /// - Throws: ``ConfigurationError`` that names the variable, never its value.
  public func applying(environment: [String: String]) throws(ConfigurationError) -> ProjectConfiguration {
    var result = self
    try Self.refuseUnknownVariables(in: environment)
    for key in ConfigurationKey.all {
      guard let value = environment[key.variable], !value.isEmpty else { continue }
      let values = value.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) }.map(
        String.init)
      guard key.apply(&result, values) else {
        throw ConfigurationError(
          "the environment variable \(key.variable) cannot be used", hint: "it takes \(key.expectation)")
      }
    }
    return result
  }

  /// Other programs may have variables that begin with `TSDB_`, but hardly with `TSDB_` and a section.
  private static func refuseUnknownVariables(in environment: [String: String]) throws(ConfigurationError) {
    let known = ConfigurationKey.all.map(\.variable)
    let prefixes = Set(ConfigurationKey.all.compactMap { $0.name.split(separator: ".").first })
      .map { "TSDB_\($0.uppercased())_" }
    for name in environment.keys.sorted()
    where !known.contains(name) && prefixes.contains(where: name.hasPrefix) {
      throw ConfigurationError(
        "unknown environment variable \(name)",
        hint: EditDistance.nearest(to: name, in: known).map { "did you mean \($0)?" }
          ?? "known variables: \(known.joined(separator: ", "))")
    }
  }
}
