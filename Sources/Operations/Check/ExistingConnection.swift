import LocalServer
import Postgres

extension ConnectionChoice {
  /// How to connect, without starting anything.
  ///
  /// - Throws: `LocalServerError` where the private local server is the choice and does not run.
  public func existing(in project: Project) throws -> Postgres.ConnectionSettings {
    switch self {
    case .configured(let settings, _): return settings
    case .localServer:
      let local = try LocalDatabase(of: project)
      let reached = try local.server.connectionSettings(database: local.name)
      return Postgres.ConnectionSettings(
        parameters: Dictionary(uniqueKeysWithValues: reached.keywords.map { ($0.keyword, $0.value) }))
    }
  }
}
