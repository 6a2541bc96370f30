import Foundation
import Synchronization
import TestSupport

/// A database with one of everything, which backups and restores under faults share: they do not change it.
struct BackupSource: Sendable {
  let database: TestDatabase
  /// Rows by table, as `schema.name`.
  let rows: [String: Int]
  /// One line that tells the whole content.
  let content: String

  /// Small pieces, so that a few megabytes are read as a large database would be.
  static let pieceSize = 256 << 10

  private static let sources = Mutex<[String: Task<BackupSource, any Error>]>([:])

  /// The one on `cluster`, made when first asked for.
  ///
  /// - Parameter options: what follows in `create database`.
  static func on(_ cluster: PostgresCluster, options: String = "") async throws -> BackupSource {
    let task = sources.withLock { sources in
      if let task = sources[cluster.directory] { return task }
      let task = Task { try await make(on: cluster, options: options) }
      sources[cluster.directory] = task
      return task
    }
    return try await task.value
  }

  private static func make(on cluster: PostgresCluster, options: String) async throws -> BackupSource {
    let database = try await TestDatabase.create(on: cluster, options: options)
    try await database.execute(definition)
    // What a killed server has to replay is what came after this.
    try await database.execute("checkpoint")
    return BackupSource(
      database: database, rows: try await rows(of: database), content: try await content(of: database))
  }

  private static func rows(of database: TestDatabase) async throws -> [String: Int] {
    let names = try await database.rows(
      """
      select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
      where relkind = 'r' and nspname = 'public'
      """)
    var rows: [String: Int] = [:]
    for name in names.compactMap(\.first).compactMap({ $0 }) {
      rows[name] = Int(try await database.value("select count(*) from \(name)") ?? "")
    }
    return rows
  }

  /// A digest of all rows, large objects and sequences, and of what there is.
  static func content(of database: TestDatabase) async throws -> String {
    let tables = ["big", "middle", "wide", "parent", "empty"].map { table in
      """
      (select count(*) || ':' || coalesce(sum(pg_catalog.hashtextextended(t::text, 0)), 0) from public.\(table) t)
      """
    }
    return try await database.value(
      """
      select concat_ws(' ', \(tables.joined(separator: ", ")),
        (select count(*) || ':' || coalesce(sum(hashtextextended(encode(lo_get(oid), 'hex'), oid::bigint)), 0)
          from pg_largeobject_metadata),
        (select string_agg(concat_ws('.', sequencename, last_value), ',' order by sequencename)
          from pg_sequences),
        (select string_agg(concat(relname, relkind), ',' order by relname collate "C")
          from pg_class where relnamespace = 'public'::regnamespace),
        (select string_agg(conname, ',' order by conname collate "C") from pg_constraint
          where connamespace = 'public'::regnamespace and contype in ('p', 'f', 'c')),
        (select bool_and(indisvalid) from pg_index))
      """) ?? ""
  }

  /// Throws a finding unless the database is as it was made, and nobody is at work in it.
  func expectUnchanged() async throws {
    let found = try await Self.content(of: database.reconnected())
    guard found == content else { throw FaultFinding("the database has changed: \(found), was \(content)") }
  }

  private static let definition = """
    create table big (id bigint primary key, body text);
    insert into big select i, repeat(md5(i::text), 3) from generate_series(1, 24000) i;
    create table middle (id integer generated always as identity primary key, big bigint references big, note text);
    insert into middle (big, note) select i, md5(i::text) from generate_series(1, 12000) i;
    create index middle_note on middle (note);
    -- Most of it is in TOAST.
    create table wide (id serial primary key, body text);
    alter table wide alter body set storage external;
    insert into wide (body) select repeat(md5(i::text), 300) from generate_series(1, 120) i;
    create table empty (id integer primary key);
    create table parent (id integer, k integer check (k >= 0)) partition by list (k);
    create table child_0 partition of parent for values in (0);
    create table child_1 partition of parent for values in (1);
    insert into parent select i, i % 2 from generate_series(1, 3000) i;
    create materialized view totals as select k, count(*) from parent group by k;
    create sequence counter start 100;
    select nextval('counter'), nextval('counter');
    select lo_from_bytea(0, decode(repeat(md5(i::text), 400), 'hex')) from generate_series(1, 25) i;
    """
}

/// A repository of a test's own.
struct FaultRepository: Sendable {
  /// What commands are given as the project.
  let directory: TemporaryDirectory
  let path: String
  let cluster: PostgresCluster

  /// - Parameter path: where `tsdb.yaml` says nothing else when nil.
  init(at path: String? = nil, in directory: TemporaryDirectory, cluster: PostgresCluster) {
    self.directory = directory
    self.path = path ?? directory.path("backups")
    self.cluster = cluster
  }

  /// Everything in it that is or was to be a backup.
  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }
      .sorted()
  }

  /// What has the name of a finished backup.
  var backups: [String] { names.filter { !$0.contains(".") } }
  /// What says by its name that it is none.
  var leftovers: [String] { names.filter { $0.contains(".") } }

  /// Every finished backup verifies, plain `pg_restore` reads it to its end, and it has all rows.
  func expectWholeBackups(of source: BackupSource, url: String) async throws {
    for name in leftovers where !name.hasSuffix(".partial") {
      throw FaultFinding("what is \"\(name)\"?")
    }
    guard !backups.isEmpty else { return }
    for name in backups {
      try await expectReadable(name)
      let rows = try manifestRows(name)
      guard rows == source.rows else {
        throw FaultFinding("\"\(name)\" has the rows \(rows), the database \(source.rows)")
      }
    }
    try await expectDone(["backup", "verify", "--all", "--repository", path], in: directory, url: url)
  }

  private func expectReadable(_ name: String) async throws {
    let run = try ToolRun(
      executable: cluster.executable("pg_restore"), ["--file=/dev/null", "\(path)/\(name)"], environment: [:])
    let result = try await run.finish()
    guard result.exitStatus == 0, result.standardError.isEmpty else {
      throw FaultFinding("pg_restore of \"\(name)\": \(result)")
    }
  }

  private func manifestRows(_ name: String) throws -> [String: Int] {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)/manifest.json"))
    let manifest = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let tables = manifest?["tables"] as? [[String: Any]] ?? []
    return Dictionary(
      tables.map { ("\($0["schema"] ?? "").\($0["name"] ?? "")", $0["rows"] as? Int ?? -1) }
    ) { $1 }
  }
}

extension TestDatabase {
  /// Throws a finding unless nobody but this test is connected, after a short while.
  func expectNoSessions() async throws {
    let sessions = """
      select pid, application_name, state, query from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        and application_name <> 'tsdb tests'
      """
    let deadline = ContinuousClock.now + .seconds(10)
    while try await text(sessions) != "", ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(20))
    }
    try await expect("", sessions, "sessions of ours")
  }
}
