import Foundation
import Postgres

/// What a database holds, as lines that compare equal exactly when a backup carried everything over.
public struct DatabaseFacts: Sendable, Equatable {
  /// What to look at beyond contents, definitions, privileges and comments.
  public struct Options: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The order in which rows are stored.
    public static let order = Options(rawValue: 1)
    /// Owner, settings, privileges and comment of the database itself.
    public static let database = Options(rawValue: 2)
    /// Leave out the text of `pg_dump --schema-only`, which differs between server versions.
    public static let withoutSchemaText = Options(rawValue: 4)
  }

  /// Such as `rows of app.customers` to `500 rows, …`.
  public var values: [String: String] = [:]
  /// The text of `pg_dump --schema-only`, without what differs from run to run.
  public var schema: [String] = []

  /// Reads a database as superuser; it should be quiet meanwhile.
  ///
  /// - Parameter binaries: the directory of the `pg_dump` to use, of the server's version or newer.
  public init(of settings: ConnectionSettings, binaries: String, options: Options = []) async throws {
    let session = Session(settings, applicationName: "database facts")
    let rows = try await session.run { connection in
      try connection.execute(Self.sessionSettings)
      try connection.execute(Self.functions)
      let database = options.contains(.database) ? "union all select * from pg_temp.database_facts()" : ""
      return try connection.query(
        """
        select pg_temp.printable(fact), pg_temp.printable(value) from (
          select * from pg_temp.row_facts(\(options.contains(.order)))
          union all select * from pg_temp.other_facts() \(database)) facts
        """
      ).rows()
    }
    for row in rows {
      guard let fact = row[0] else { throw TestSupportError("a fact without a name: \(row)") }
      guard values.updateValue(row[1] ?? "NULL", forKey: fact) == nil else {
        throw TestSupportError("two facts of one name: \(fact)")
      }
    }
    await session.close()
    if !options.contains(.withoutSchemaText) {
      schema = try await Self.schema(of: settings, binaries: binaries)
    }
  }

  /// The text of `pg_dump --schema-only`, line by line.
  private static func schema(of settings: ConnectionSettings, binaries: String) async throws -> [String] {
    let directory = try TemporaryDirectory()
    let run = try ToolRun(
      executable: binaries + "/pg_dump", ["--schema-only", "--file", directory.path("schema")],
      environment: settings.toolEnvironment)
    let result = try await run.finish(within: .seconds(300))
    guard result.exitStatus == 0 else { throw TestSupportError("pg_dump: \(result)") }
    let data = try Data(contentsOf: URL(fileURLWithPath: directory.path("schema")))
    // Where it is no UTF-8, every byte becomes a character, so that nothing is lost.
    let text = String(validating: data, as: UTF8.self) ?? String(data.map { Character(Unicode.Scalar($0)) })
    let passing = ["\\restrict ", "\\unrestrict ", "-- Dumped from database version", "-- Dumped by pg_dump"]
    return text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      .filter { line in !passing.contains { line.hasPrefix($0) } }
  }
}

extension ConnectionSettings {
  /// The environment that leads PostgreSQL's own programs to the same database.
  public var toolEnvironment: [String: String] {
    var environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"]
    let names = [
      "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "password": "PGPASSWORD",
    ]
    for (keyword, name) in names { environment[name] = self[keyword] }
    return environment
  }
}

/// One fact that two databases do not share.
public struct RoundTripDifference: Sendable, Equatable, CustomStringConvertible {
  public let fact: String
  /// The value on each side; nil where the fact is missing.
  public let left: String?
  public let right: String?

  public var description: String { "\(fact): \(left ?? "missing") | \(right ?? "missing")" }
}

/// Compares two databases.
public enum RoundTripComparison {
  /// What differs, sorted; empty for equal databases.
  public static func differences(
    _ left: ConnectionSettings, _ right: ConnectionSettings, binaries: String,
    options: DatabaseFacts.Options = []
  ) async throws -> [RoundTripDifference] {
    differences(
      try await DatabaseFacts(of: left, binaries: binaries, options: options),
      try await DatabaseFacts(of: right, binaries: binaries, options: options))
  }

  public static func differences(_ left: DatabaseFacts, _ right: DatabaseFacts) -> [RoundTripDifference] {
    let names = Set(left.values.keys).union(right.values.keys).sorted()
    var found = names.filter { left.values[$0] != right.values[$0] }.map {
      RoundTripDifference(fact: $0, left: left.values[$0], right: right.values[$0])
    }
    if left.schema != right.schema {
      for change in right.schema.difference(from: left.schema) {
        switch change {
        case .remove(let line, let text, _):
          found.append(RoundTripDifference(fact: "schema line \(line + 1)", left: text, right: nil))
        case .insert(let line, let text, _):
          found.append(RoundTripDifference(fact: "schema line \(line + 1)", left: nil, right: text))
        }
      }
    }
    return found
  }
}
