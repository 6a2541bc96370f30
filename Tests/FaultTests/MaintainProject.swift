import Foundation
import Postgres
import Synchronization
import TestSupport

/// The application's schema with work for every job of `tsdb maintain`, made once for each server and copied.
struct MaintainSource: Sendable {
  /// The database that is copied; nobody is connected to it.
  let name: String
  /// A digest of the rows that maintenance has to keep, by table.
  let kept: [String: String]

  private static let sources = Mutex<[String: Task<MaintainSource, any Error>]>([:])

  static func on(_ cluster: PostgresCluster) async throws -> MaintainSource {
    let task = sources.withLock { sources in
      if let task = sources[cluster.directory] { return task }
      let task = Task { try await make(on: cluster) }
      sources[cluster.directory] = task
      return task
    }
    return try await task.value
  }

  private static func make(on cluster: PostgresCluster) async throws -> MaintainSource {
    let database = try await TestDatabase.create(on: cluster)
    let project = try TemporaryDirectory()
    try ApplicationProject.copy(to: project)
    try await expectDone(["migrate", "up"], in: project, url: database.url)
    let session = database.connect()
    try await session.run { _ = try $0.execute(preparation) }
    await session.close()
    let kept = try await digests(of: database)
    return MaintainSource(name: database.name, kept: kept)
  }

  /// A copy, with nothing maintained.
  func copy(on cluster: PostgresCluster) async throws -> TestDatabase {
    let copy = "maintained_\(getpid())_\(Self.nextNumber())"
    let name = name
    // The tests' own session to the source may be a moment in ending.
    for attempt in 0... {
      do {
        try await cluster.connect().run { _ = try $0.execute("create database \(copy) template \(name)") }
        break
      } catch let error as PostgresError where error.sqlState == "55006" && attempt < 100 {
        try await Task.sleep(for: .milliseconds(50))
      }
    }
    return TestDatabase(named: copy, on: cluster)
  }

  private static let count = Mutex(0)

  private static func nextNumber() -> Int {
    count.withLock { count in
      count += 1
      return count
    }
  }

  /// The rows that must stay, by table.
  private static let keptRows: KeyValuePairs<String, String> = [
    "rate_limits": "window_start >= now() - interval '7 days'",
    "performance_metrics": "recorded_at >= now() - interval '90 days'",
    "cache": "expires_at >= now()",
    "audit_log": "changed_at >= now() - interval '365 days'",
  ]

  /// Of the rows that were there at the beginning, on a session of its own.
  static func digests(of database: TestDatabase) async throws -> [String: String] {
    let session = database.connect()
    var digests: [String: String] = [:]
    for (table, condition) in keptRows {
      digests[table] = try await session.run { connection in
        try connection.query(
          """
          select count(*) || ' rows, ' || coalesce(sum(hashtextextended(t::text, 0)), 0)
          from public.support_troubleshooting_\(table) as t where \(condition) and t::text !~ 'written meanwhile'
          """
        ).text(0, 0)
      }
    }
    await session.close()
    return digests
  }

  private static let audit = "public.support_troubleshooting_audit_log"

  /// The newest month that is to be made, of which the DEFAULT partition holds rows.
  private static let lastMonth = "(date_trunc('month', now() at time zone 'UTC') + interval '4 months')"

  private static let preparation = """
    set timezone = 'UTC';
    insert into public.support_troubleshooting_rate_limits (identifier, limit_type, window_start)
      select 'old ' || i, 'ip', now() - interval '8 days' - i * interval '1 minute' from generate_series(1, 3000) as i;
    insert into public.support_troubleshooting_rate_limits (identifier, limit_type, window_start)
      select 'new ' || i, 'ip', now() - i * interval '1 minute' from generate_series(1, 300) as i;
    insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value, recorded_at)
      select 'old', i, now() - interval '91 days' - i * interval '1 minute' from generate_series(1, 4000) as i;
    insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value, recorded_at)
      select 'new', i, now() - i * interval '1 minute' from generate_series(1, 400) as i;
    insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
      select 'old ' || i, '{}', now() - i * interval '1 minute' from generate_series(1, 2000) as i;
    insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
      select 'new ' || i, '{}', now() + interval '1 day' from generate_series(1, 200) as i;
    insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description,
        detected_problem_id, status)
      select 's' || i, 'c@example.com', 'p', 'problem ' || i % 10, 'started' from generate_series(1, 300) as i;
    refresh materialized view public.mv_top_problems with no data;
    create table \(audit)_2024_01 partition of \(audit) for values from ('2024-01-01') to ('2024-02-01');
    create table \(audit)_2024_02 partition of \(audit) for values from ('2024-02-01') to ('2024-03-01');
    insert into \(audit) (table_name, record_id, action, changed_at)
      select 'old', i::text, 'INSERT', timestamptz '2024-01-02' + i * interval '30 minutes' from generate_series(1, 2000) as i;
    insert into \(audit) (table_name, record_id, action, changed_at)
      select 'new', i::text, 'INSERT', now() from generate_series(1, 200) as i;
    insert into \(audit) (table_name, record_id, action, changed_at)
      select 'ahead', i::text, 'INSERT', \(lastMonth) + i * interval '1 minute' from generate_series(1, 500) as i;
    create index metrics_recorded_at_idx_ccnew
      on public.support_troubleshooting_performance_metrics (recorded_at);
    update pg_index set indisvalid = false where indexrelid in (
      'public.metrics_recorded_at_idx_ccnew'::regclass,
      'public.support_troubleshooting_performance_metrics_name_idx'::regclass);
    create table public.upkeep (name text, times int not null, constraint upkeep_pkey primary key (name));
    """

  /// What must be done when nothing is due any more.
  func expectMaintained(_ database: TestDatabase) async throws {
    for (table, digest) in try await Self.digests(of: database) where kept[table] != digest {
      throw FaultFinding("rows of \(table) to be kept: \(kept[table] ?? ""), found \(digest)")
    }
    try await database.expect(
      "0|0|0|0",
      """
      select
        (select count(*) from public.support_troubleshooting_rate_limits where window_start < now() - interval '7 days'),
        (select count(*) from public.support_troubleshooting_performance_metrics
          where recorded_at < now() - interval '90 days'),
        (select count(*) from public.support_troubleshooting_cache where expires_at < now()),
        (select count(*) from \(Self.audit) where changed_at < now() - interval '365 days')
      """, "rows before the cutoff")
    try await database.expect(
      "",
      """
      select c.relname from pg_class c left join pg_inherits i on i.inhrelid = c.oid
      where c.relkind in ('r', 'p') and c.relname ~ '^support_troubleshooting_audit_log_'
        and (i.inhrelid is null or i.inhdetachpending)
      """, "partitions that are not attached")
    try await database.expect(
      "6|0|0",
      """
      select count(*), count(*) filter (where c.relname ~ '_2024_'),
        count(*) filter (where obj_description(c.oid, 'pg_class') ~ '^tsdb')
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = '\(Self.audit)'::regclass
      """, "partitions, old ones, marked ones")
    try await database.expect(
      "0",
      "select count(*) from \(Self.audit)_default where changed_at < \(Self.lastMonth) + interval '1 month'",
      "rows in the DEFAULT partition")
    // Each partition has a part of each index of the table, and the same number of constraints.
    try await database.expect(
      "",
      """
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = '\(Self.audit)'::regclass
        and (select count(*) from pg_index x join pg_inherits h on h.inhrelid = x.indexrelid
          where x.indrelid = c.oid and x.indisvalid) <> 4
      """, "partitions without all indexes")
    try await database.expect(
      "", "select relname from pg_class where relkind = 'm' and not relispopulated", "views without rows")
    try await database.expect(
      "30",
      "select sum(total_sessions) / 10 from public.mv_top_problems", "sessions in the view")
    try await database.expect(
      "t",
      """
      select indisvalid from pg_index
      where indexrelid = 'public.support_troubleshooting_performance_metrics_name_idx'::regclass
      """, "the index that was invalid")
  }

  static let jobs = [
    "refresh-views", "expire-cache", "retention", "partitions", "analyze", "vacuum", "indexes", "upkeep",
    "program",
  ]

  /// The configuration and the files of jobs.
  ///
  /// - Parameter schedule: of every job, as a line of tsdb.yaml.
  static func write(to project: TemporaryDirectory, schedule: String = "schedule: \"0 0 1 1 *\"") throws {
    let common = "\(schedule), retry: 1s"
    try project.write(
      "tsdb.yaml",
      """
      maintain:
        jobs:
          refresh-views: { \(common) }
          expire-cache:
            { kind: retention, \(common), rules: [
              { table: public.support_troubleshooting_cache, column: expires_at, keep: 0, max_rows: 500 } ] }
          retention:
            { \(common), rules: [
              { table: public.support_troubleshooting_rate_limits, column: window_start, keep: 7d, max_rows: 400 },
              { table: public.support_troubleshooting_performance_metrics, column: recorded_at, keep: 90d,
                max_rows: 400 } ] }
          partitions:
            { \(common), partitions: [
              { table: public.support_troubleshooting_audit_log, interval: month, ahead: 4, keep: 365d } ] }
          analyze: { \(common) }
          vacuum: { \(common) }
          indexes: { \(common) }
          upkeep: { kind: sql, \(common), file: upkeep.sql }
          program: { kind: command, \(common), run: [/bin/sh, -c, exit 0] }
          backup: { enabled: false }
          check: { enabled: false }

      """)
    try project.write(
      "upkeep.sql",
      """
      insert into public.upkeep values ('first', 1) on conflict (name) do update set times = upkeep.times + 1;
      select pg_sleep(0.02);
      insert into public.upkeep values ('last', 1) on conflict (name) do update set times = upkeep.times + 1;

      """)
  }
}

/// An application that goes on writing while its database is maintained.
///
/// What it was told is committed must be there in the end; errors of a server that goes down are its everyday life.
actor MaintainedApplication {
  private let database: TestDatabase
  private var task: Task<[Int], Never>?

  init(_ database: TestDatabase) { self.database = database }

  func start() {
    task = Task { [database] in
      var written: [Int] = []
      let session = database.connect()
      var number = 0
      while !Task.isCancelled {
        number += 1
        let mark = "written meanwhile \(number)"
        // Now and then a row for the month that is about to get its partition; without end they would keep the move of
        // such rows from ever being done.
        let time =
          number % 60 == 20
          ? "date_trunc('month', now() at time zone 'UTC') + interval '4 months 3 days'" : "now()"
        let statement = """
          begin;
          insert into public.support_troubleshooting_rate_limits (identifier, limit_type) values ('\(mark)', 'ip');
          insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value) values ('\(mark)', 1);
          insert into public.support_troubleshooting_cache (cache_key, cache_value, expires_at)
            values ('\(mark)', '{}', now() + interval '1 day');
          insert into public.support_troubleshooting_audit_log (table_name, record_id, action, changed_at)
            values ('\(mark)', '', 'INSERT', \(time));
          commit
          """
        do {
          try await session.run { connection in
            if connection.isInTransaction { try connection.execute("rollback") }
            try connection.execute(statement)
          }
          written.append(number)
          try? await Task.sleep(for: .milliseconds(5))
        } catch {
          try? await Task.sleep(for: .milliseconds(50))
        }
      }
      await session.close()
      return written
    }
  }

  /// Ends it; throws a finding when a row is missing.
  func finish(_ look: TestDatabase) async throws {
    guard let task else { return }
    task.cancel()
    let written = await task.value
    self.task = nil
    let numbers = written.map(String.init).joined(separator: ",")
    for (table, column) in [
      ("rate_limits", "identifier"), ("performance_metrics", "metric_name"), ("cache", "cache_key"),
      ("audit_log", "table_name"),
    ] {
      try await look.expect(
        "0",
        """
        select count(*) from unnest('{\(numbers)}'::int[]) as n where 1 <> (
          select count(*) from public.support_troubleshooting_\(table) where \(column) = 'written meanwhile ' || n)
        """, "rows of the application in \(table), lost or doubled, of \(written.count)")
    }
  }

  func stop() async {
    task?.cancel()
    _ = await task?.value
    task = nil
  }
}
