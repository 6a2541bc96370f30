import Foundation
import Postgres
import TestSupport
import Testing

/// A project's directory, the database its commands work on, and runs of the built `tsdb`.
final class TestProject: Sendable {
  let directory: TemporaryDirectory
  /// What `DATABASE_URL` is set to; nil leaves it out.
  let url: String?
  /// Where the programs of the database's server are; its pg_dump fits it.
  let binaries: String?

  /// - Parameter files: paths below the project's directory, and contents.
  init(_ database: TestDatabase?, _ files: KeyValuePairs<String, String> = [:]) throws {
    directory = try TemporaryDirectory()
    url = database?.url
    binaries = database?.cluster.binaries
    try FileManager.default.createDirectory(
      atPath: directory.path("migrations"), withIntermediateDirectories: true)
    for (name, text) in files { try write(name, text) }
  }

  /// Writes a file; a name without a slash goes into `migrations`.
  func write(_ name: String, _ text: String) throws {
    try directory.write(name.contains("/") || name == "tsdb.yaml" ? name : "migrations/" + name, text)
  }

  func write(_ name: String, bytes: [UInt8]) throws {
    try directory.write("migrations/" + name, bytes: bytes)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: directory.path("migrations/" + name))
  }

  func environment(_ more: [String: String] = [:]) -> [String: String] {
    var environment: [String: String] = [:]
    environment["DATABASE_URL"] = url
    environment["TSDB_PG_BINDIR"] = binaries
    return environment.merging(more) { $1 }
  }

  /// Runs a command line, split at spaces.
  func tsdb(
    _ line: String, environment more: [String: String] = [:], input: String = "",
    within limit: Duration = .seconds(60)
  ) async throws -> ToolRun.Result {
    try await tsdb(
      line.split(separator: " ").map(String.init), environment: more, input: input, within: limit)
  }

  func tsdb(
    _ arguments: [String], environment more: [String: String] = [:], input: String = "",
    within limit: Duration = .seconds(60)
  ) async throws -> ToolRun.Result {
    try await ToolRun.tsdb(
      arguments, environment: environment(more), directory: directory.path, input: input, within: limit)
  }

  /// Runs a command that must succeed.
  @discardableResult
  func done(
    _ line: String, environment more: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> String {
    let result = try await tsdb(line, environment: more)
    #expect(result.exitStatus == 0, "\(result)", sourceLocation: sourceLocation)
    return result.standardOutput
  }
}

/// A database and a project on it for the length of `body`.
func withProject<Result: Sendable>(
  _ files: KeyValuePairs<String, String> = [:], on cluster: PostgresCluster? = nil, options: String = "",
  _ body: (TestProject, TestDatabase) async throws -> Result
) async throws -> Result {
  try await withDatabase(on: cluster, options: options) { database in
    try await body(try TestProject(database, files), database)
  }
}

extension ToolRun.Result {
  /// Expects an exit status, and every text somewhere in standard error.
  func expect(
    _ status: Int32, _ texts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(exitStatus == status, "\(self)", sourceLocation: sourceLocation)
    for text in texts {
      #expect(standardError.contains(text), "no \"\(text)\" in: \(self)", sourceLocation: sourceLocation)
    }
  }

  /// Standard output as one JSON object.
  func json(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
    try #require(
      try? JSONSerialization.jsonObject(with: Data(standardOutput.utf8)) as? [String: Any],
      "not a JSON object: \(self)", sourceLocation: sourceLocation)
  }
}

extension TestDatabase {
  /// Everything that a command could have changed: objects, their definitions, rows and the history.
  func dump() async throws -> String {
    let objects = try await rows(
      """
      select 'relation ' || n.nspname || '.' || c.relname || ' ' || c.relkind::text || ' '
        || coalesce(i.indisvalid::text, '') || ' ' || coalesce(pg_get_indexdef(i.indexrelid), '') as line
      from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index i on i.indexrelid = c.oid
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      union all
      select 'column ' || a.attrelid::regclass || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and a.attnum > 0 and not a.attisdropped
      union all
      select 'schema ' || nspname from pg_namespace where nspname !~ '^pg_'
      union all
      select 'routine ' || p.oid::regprocedure || ' ' || md5(p.prosrc) from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
      where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      union all
      select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
      where conrelid <> 0 and connamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      order by 1
      """
    ).map { $0[0] ?? "" }
    let tables = try await rows(
      """
      select format('%I.%I', schemaname, tablename) from pg_tables
      where schemaname !~ '^pg_' and schemaname <> 'information_schema' order by 1
      """
    ).map { $0[0] ?? "" }
    var contents: [String] = []
    for table in tables {
      let text = try await value(
        "select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from \(table) t"
      )
      contents.append("rows \(table) \(text ?? "")")
    }
    return (objects + contents).joined(separator: "\n")
  }

  /// Runs `body` and expects the database to be afterwards as it was before.
  func expectUnchanged<Result: Sendable>(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Result
  ) async throws -> Result {
    let before = try await dump()
    let result = try await body()
    let after = try await dump()
    #expect(before == after, sourceLocation: sourceLocation)
    return result
  }
}
