import Foundation
import Postgres

/// Databases that hold everything a backup has to carry, to prove round trips with.
public enum BackupFixture {
  /// What to fill a database with, and which encoding it needs.
  public enum Kind: String, Sendable, CaseIterable {
    /// Everything, in UTF-8.
    case everything
    /// Every character of LATIN1, in names and values.
    case latin1
    /// Bytes that are no UTF-8, in names and values.
    case sqlASCII

    /// What follows in `create database … template template0`.
    public var databaseOptions: String {
      switch self {
      case .everything: "encoding 'UTF8'"
      case .latin1: "encoding 'LATIN1' locale 'C'"
      case .sqlASCII: "encoding 'SQL_ASCII' locale 'C'"
      }
    }

    var scripts: [String] {
      switch self {
      case .everything:
        [
          roles, types, routines, tables, partitions, values, names, security, views, triggers, others,
          largeObjects, optional, database,
        ]
      case .latin1: [BackupFixture.latin1]
      case .sqlASCII: [BackupFixture.sqlASCII]
      }
    }
  }

  /// The roles that ``Kind/everything`` makes; they stay when the database is dropped.
  public static let roleNames = [
    "fixture_owner", "fixture_reader", "Fixture \"quoted\" writer", "fixture_größe",
  ]

  /// Fills an empty database as superuser.
  ///
  /// The database gets settings of its own, such as `datestyle`, which connections made afterwards feel.
  ///
  /// - Returns: what this server lacks and was left out, such as `no icu`; to be reported, not ignored.
  @discardableResult
  public static func fill(_ settings: ConnectionSettings, with kind: Kind = .everything) async throws
    -> [String]
  {
    let session = Session(settings, applicationName: "backup fixture")
    let missing = try await session.run { connection in
      var missing: [String] = []
      for script in kind.scripts {
        _ = connection.takeNotices()
        try connection.execute(script)
        missing += connection.takeNotices().map(\.message).filter { $0.hasPrefix("no ") }
      }
      return missing
    }
    await session.close()
    return missing
  }
}

/// Makes a database, fills it and drops it in the end.
public func withBackupFixture<Result: Sendable>(
  _ kind: BackupFixture.Kind = .everything, on cluster: PostgresCluster? = nil,
  _ body: (TestDatabase) async throws -> Result
) async throws -> Result {
  let server = if let cluster { cluster } else { try await FixtureInstallation.cluster }
  return try await withDatabase(on: server, options: kind.databaseOptions) { database in
    let missing = try await BackupFixture.fill(database.settings, with: kind)
    if !missing.isEmpty {
      let line = "fixture \(kind) on \(server.binaries): \(missing.joined(separator: ", "))\n"
      try FileHandle.standardError.write(contentsOf: Data(line.utf8))
    }
    return try await body(database)
  }
}
