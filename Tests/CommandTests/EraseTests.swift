import Digests
import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct `Erasing an address` {
  static let address = "Ana.Lopez+x@Customers.example"
  static let key = "0123456789abcdef0123456789abcdef-erasure"
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// The address in every table that can hold it, in several spellings, and customers whose addresses contain it or
  /// are alike.
  static let customers = #"""
    insert into support_troubleshooting_sessions
      (session_id, customer_email, customer_name, problem_description, detected_problem_id, detected_problem_title,
       status, total_steps, metadata)
    values
      ('mine-1', 'ana.lopez+x@customers.example', 'Ana Lopez', 'my mail is Ana.Lopez+x@customers.example', 'p1', 'T',
       'resolved', 2, '{"detection_method": "x"}'),
      ('mine-2', 'ANA.LOPEZ+X@CUSTOMERS.EXAMPLE', 'Ana', 'broken', 'p1', 'T', 'started', 2, '{}'),
      ('other-1', 'bana.lopez+x@customers.example', 'Bana', 'ask my friend ana.lopez+x@customers.example, please',
       'p1', 'T', 'resolved', 2, '{"seen": "line\nana.lopez+x@customers.example"}'),
      ('other-2', 'ana.lopez+x@customers.example.mx', 'Ana MX', 'different', 'p2', 'T', 'resolved', 2, '{}'),
      ('other-3', 'anaxlopez+x@customers.example', 'Alike', 'a dot is a dot', 'p2', 'T', 'started', 2, '{}');
    update support_troubleshooting_sessions set current_step = 1 where session_id in ('mine-1', 'other-3');
    insert into support_troubleshooting_attempts (session_id, step_number, success, notes)
    values ('mine-1', 1, true, 'she said her name is Ana'), ('other-1', 1, false, 'kept');
    insert into support_troubleshooting_feedback (session_id, customer_email, rating, feedback_text, problem_detected_id)
    values ('mine-1', 'ana.lopez+x@customers.example', 5, 'thanks, Ana', 'p1'),
      ('other-1', 'bana.lopez+x@customers.example', 2, 'kept', 'p1');
    insert into support_troubleshooting_learning
      (session_id, problem_description, actual_problem_id, corrected_by)
    values ('mine-1', 'Ana cannot', 'p2', 'agent@support.example'),
      (null, 'from ana.lopez+x@customers.example', 'p2', 'Ana.Lopez+x@customers.example');
    insert into support_troubleshooting_notifications (session_id, notification_type, recipient, message)
    values ('mine-1', 'email', 'ana.lopez+x@customers.example', 'hello Ana'),
      ('other-1', 'email', 'bana.lopez+x@customers.example', 'copy to ana.lopez+x@customers.example');
    insert into support_troubleshooting_predictions (customer_email, predicted_problem_id)
    values ('Ana.Lopez+x@customers.example', 'p1'), ('bana.lopez+x@customers.example', 'p1');
    insert into support_troubleshooting_errors (error_type, error_message, severity, category, session_id, metadata)
    values ('E', 'Ana failed', 'high', 'unknown', 'mine-1', '{"name": "Ana"}'),
      ('E', 'no mail to <ana.lopez+x@customers.example>', 'low', 'unknown', null, '{"to": ["ana.lopez+x@customers.example"]}'),
      ('E', 'other', 'low', 'unknown', 'other-1', '{}');
    insert into support_troubleshooting_ml_training (problem_description, corrected_by, correction_notes)
    values ('see ana.lopez+x@customers.example', 'agent@support.example', 'ANA.lopez+x@customers.example wrote');
    insert into support_troubleshooting_reports (report_id, report_type, report_data)
    values ('r1', 'daily', '{"customers": ["ana.lopez+x@customers.example", "bana.lopez+x@customers.example"]}');
    insert into support_troubleshooting_cache (cache_key, cache_value, expires_at)
    values ('history:ana.lopez+x@customers.example', '{}', now() + interval '1 day'), ('kept', '{}', now() + interval '1 day');
    insert into support_troubleshooting_rate_limits (identifier, limit_type)
    values ('ana.lopez+x@customers.example', 'session_per_hour'), ('bana.lopez+x@customers.example', 'session_per_hour');
    insert into support_troubleshooting_performance_metrics (metric_name, metric_value, context)
    values ('m', 1, '{"who": "ana.lopez+x@customers.example"}');
    insert into support_webhooks (webhook_id, url, events) values ('w', 'https://example.invalid/', '["x"]');
    insert into support_webhook_events (webhook_id, event_type, payload, success, response_body)
    values ('w', 'x', '{"email": "ana.lopez+x@customers.example", "n": 1}', true, 'ok ana.lopez+x@customers.example');
    update support_troubleshooting_config set updated_by = 'ana.lopez+x@customers.example'
      where config_key = 'default_timeout_minutes';
    select set_config('app.user', 'ana.lopez+x@customers.example', false);
    update support_troubleshooting_sessions set customer_name = 'Ana L.' where session_id = 'mine-2';
    select set_config('app.user', '', false);
    select refresh_troubleshooting_views()
    """#

  @Test func `leaves customers alone whose addresses end like it`() async throws {
    try await withDatabase { database in
      try await run("migrate up", database).expect(0)
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, customer_name, problem_description)
        select 's' || n, a, 'Name', 'mine' from unnest(array['brien@example.com', 'o''brien@example.com',
          'x!brien@example.com', 'x/brien@example.com', 'x=brien@example.com']) with ordinality as e (a, n);
        insert into support_troubleshooting_feedback (session_id, customer_email, rating, feedback_text)
        values ('s2', 'o''brien@example.com', 5, 'kept')
        """)
      let result = try await ToolRun.tsdb(
        ["-C", Self.root, "erase", "--email", "brien@example.com", "--yes"],
        environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": Self.key])
      result.expect(0)
      let rows = try await database.rows(
        """
        select customer_email from support_troubleshooting_sessions
        where customer_name = 'Name' and problem_description = 'mine' order by session_id
        """)
      #expect(
        rows == [
          ["o'brien@example.com"], ["x!brien@example.com"], ["x/brien@example.com"], ["x=brien@example.com"],
        ])
      #expect(
        try await database.value(
          "select customer_email || feedback_text from support_troubleshooting_feedback")
          == "o'brien@example.comkept")
    }
  }

  private func withCustomers(_ body: (TestDatabase) async throws -> Void) async throws {
    try await withDatabase { database in
      try await run("migrate up", database).expect(0)
      try await run("seed", database).expect(0)
      try await database.execute(Self.customers)
      try await body(database)
    }
  }

  private func run(
    _ line: String, _ database: TestDatabase, input: String = "", key: String? = key
  ) async throws -> ToolRun.Result {
    var environment = ["DATABASE_URL": database.url]
    environment["TSDB_ERASURE_KEY"] = key
    return try await ToolRun.tsdb(
      line.split(separator: " ").map(String.init) + ["-C", Self.root], environment: environment, input: input)
  }

  /// Relations with a row that holds `text` anywhere.
  private func places(of text: String, in database: TestDatabase) async throws -> [String] {
    let relations = try await database.rows(
      """
      select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1
      """
    ).compactMap { $0[0] }
    var found: [String] = []
    for relation in relations {
      let count = try await database.value(
        "select count(*) from \(relation) as t where strpos(lower(t::text), lower($1)) > 0", [text])
      if count != "0" { found.append(relation) }
    }
    return found
  }

  /// What the application counts.
  private func statistics(of database: TestDatabase) async throws -> [[String?]] {
    try await database.execute("select refresh_troubleshooting_views()")
    var rows: [[String?]] = []
    for query in [
      "select * from get_troubleshooting_stats(now() - interval '1 day', now())",
      "select * from get_feedback_by_problem(now() - interval '1 day', now())",
      "select * from get_troubleshooting_metrics_by_period(now() - interval '1 day', now(), 'day')",
      "select * from mv_top_problems order by 1", "select * from mv_feedback_summary order by 1",
      "select date, total_sessions, resolved, active, unique_problems from mv_daily_troubleshooting_summary order by 1",
      "select * from vw_troubleshooting_feedback_summary",
      "select * from vw_troubleshooting_realtime_metrics",
      "select severity, category, count(*) from support_troubleshooting_errors group by 1, 2 order by 1, 2",
      "select session_id, status, started_at, resolved_at, total_duration_seconds, customer_satisfaction_score"
        + " from support_troubleshooting_sessions order by 1",
    ] { rows += try await database.rows(query) }
    return rows
  }

  @Test func `leaves nothing of it in any table, others as they were, and the figures right`() async throws {
    try await withCustomers { database in
      let lost = [
        "Ana Lopez", "Ana L.", "her name is Ana", "thanks, Ana", "Ana cannot", "hello Ana", "Ana failed",
        #""name": "Ana""#,
      ]
      let figures = try await statistics(of: database)
      let others = [
        "select * from support_troubleshooting_sessions where session_id in ('other-2', 'other-3') order by 1",
        "select * from support_troubleshooting_attempts where session_id = 'other-1'",
        "select * from support_troubleshooting_feedback where session_id = 'other-1'",
        "select * from support_troubleshooting_predictions where customer_email like 'bana%'",
        "select * from support_troubleshooting_rate_limits where identifier like 'bana%'",
        "select * from support_troubleshooting_cache where cache_key = 'kept'",
        "select * from support_troubleshooting_errors where error_message = 'other'",
        "select * from support_troubleshooting_config order by config_key offset 2",
      ]
      var before: [[[String?]]] = []
      for query in others { before.append(try await database.rows(query)) }

      let result = try await run("erase --email-file - --yes", database, input: Self.address + "\n")
      #expect(result.exitStatus == 0, "\(result)")

      // bana.lopez and the Mexican host hold its letters, and are other people's.
      #expect(
        try await leftovers(of: Self.address, in: database) == [], "\(result)")
      for text in lost { #expect(try await places(of: text, in: database) == [], "\(text)") }
      for (query, rows) in zip(others, before) { #expect(try await database.rows(query) == rows, "\(query)") }
      #expect(
        try await database.rows(
          "select customer_email, customer_name from support_troubleshooting_sessions where session_id = 'other-1'"
        )
          == [["bana.lopez+x@customers.example", "Bana"]])
      #expect(
        try await database.value(
          "select problem_description from support_troubleshooting_sessions where session_id = 'other-1'")?
          .hasPrefix("ask my friend erased-") == true)
      #expect(try await statistics(of: database) == figures)
      #expect(!"\(result)".lowercased().contains("lopez"))
    }
  }

  /// Relations that hold the address as a word of its own.
  private func leftovers(of address: String, in database: TestDatabase) async throws -> [String] {
    // Other people's addresses are taken out of the way; what is left of the letters is a leftover.
    let relations = try await database.rows(
      """
      select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1
      """
    ).compactMap { $0[0] }
    #expect(relations.count > 20)
    var found: [String] = []
    for relation in relations {
      let count = try await database.value(
        """
        select count(*) from \(relation) as t where strpos(replace(replace(lower(t::text),
          'bana.lopez+x@customers.example', ''), 'ana.lopez+x@customers.example.mx', ''), lower($1)) > 0
        """, [address])
      if count != "0" { found.append(relation) }
    }
    return found
  }

  @Test func `the record has counts and a keyed digest, and not the address`() async throws {
    try await withCustomers { database in
      let first = try await run("erase --email \(Self.address) --yes", database)
      first.expect(0)
      #expect(first.standardOutput.contains("recorded as 1 in tsdb.erasures, key "), "\(first)")
      let record = try await database.rows(
        "select address_hmac, key_id, counts::text, erased_by from tsdb.erasures")
      #expect(record.count == 1)
      let digest = try #require(record[0][0])
      #expect(
        digest == KeyedDigest.digest(of: Array(Self.address.lowercased().utf8), key: Array(Self.key.utf8)))
      #expect(
        record[0][2]?.contains(#"["support_troubleshooting_sessions", "anonymise", 3]"#) == true, "\(record)")
      #expect(record[0][3] == "postgres")
      #expect(try await places(of: Self.key, in: database) == [])
      // The same address and key give the same digest; nothing is left to erase, so nothing is recorded.
      let again = try await run("erase --email \(Self.address.lowercased()) --yes", database)
      #expect(again.standardOutput.contains("in none of the application's tables"), "\(again)")
      #expect(try await database.value("select count(*) from tsdb.erasures") == "1")
      try await run("migrate verify", database).expect(0)
    }
  }

  @Test func `a dry run counts as the erasure does, and changes nothing`() async throws {
    try await withCustomers { database in
      let preview = try await database.expectUnchanged {
        try await run("erase --email-file - --dry-run --json", database, input: Self.address, key: nil)
      }
      preview.expect(0)
      let result = try await run("erase --email-file - --yes --json", database, input: Self.address)
      result.expect(0)
      let (expected, done) = (try preview.json(), try result.json())
      #expect(expected["tables"] as? [[String: AnyHashable]] == done["tables"] as? [[String: AnyHashable]])
      #expect((done["tables"] as? [Any])?.count ?? 0 >= 14, "\(result)")
      #expect((done["backups"] as? String)?.contains("backup.keep") == true)
    }
  }

  @Test func `what others own is told, with status 2, and not touched`() async throws {
    try await withCustomers { database in
      try await database.execute(
        """
        create table support_tickets (ticket_id varchar(128) primary key, customer_email text, tags text[]);
        insert into support_tickets values ('TKT-1', '\(Self.address)', array['\(Self.address)']);
        update support_troubleshooting_config set config_value = '["\(Self.address)"]'
          where config_key = 'notification_channels'
        """)
      let result = try await run("erase --email-file - --yes", database, input: Self.address)
      #expect(result.exitStatus == 2, "\(result)")
      for place in [
        "public.support_tickets.customer_email: 1 row", "public.support_tickets.tags: 1 row",
        "public.support_troubleshooting_config.config_value: 1 row",
      ] { #expect(result.standardOutput.contains(place), "\(result)") }
      #expect(try await database.value("select customer_email from support_tickets") == Self.address)
    }
  }

  /// The tests' server logs every statement with its parameters.
  @Test func `the server's log does not take it down, or that is said`() async throws {
    try await PostgresCluster.with { cluster in
      try await withDatabase(on: cluster) { database in
        try await run("migrate up", database).expect(0)
        try await run("seed", database).expect(0)
        try await database.execute(
          "insert into support_troubleshooting_rate_limits (identifier, limit_type) values ('someone@customers.example', 'x')"
        )
        #expect(cluster.log().contains("someone@"), "it logs no statements, so that the test shows nothing")
        let result = try await run("erase --email-file - --yes", database, input: Self.address)
        #expect(result.exitStatus == 0 && !result.standardOutput.contains("its log"), "\(result)")
        #expect(cluster.log().contains("support_troubleshooting_audit_log as t"))
        #expect(!cluster.log().lowercased().contains("lopez"))
        #expect(
          !String(decoding: try await activity(of: database), as: UTF8.self).lowercased().contains("lopez"))
      }
    }
  }

  /// What the server shows of this database's sessions, those of the erasure included as long as it keeps them.
  /// Other tests of the same server hold the same address in databases of their own.
  private func activity(of database: TestDatabase) async throws -> Data {
    let rows = try await database.rows(
      "select a::text from pg_stat_activity as a where a.datname = current_database()")
    return Data(rows.map { $0[0] ?? "" }.joined(separator: "\n").utf8)
  }

  @Test func `what its role may not read is told, with status 2`() async throws {
    try await withCustomers { database in
      let role = "erasing_\(database.name)"
      try await database.execute(
        """
        create role \(role) login;
        grant usage on schema public to \(role);
        grant select on all tables in schema public to \(role);
        create table public.notes (t text);
        """)
      let url = database.cluster.url(database: database.name, user: role)
      let result = try await ToolRun.tsdb(
        ["erase", "--email-file", "-", "--dry-run", "-C", Self.root], environment: ["DATABASE_URL": url],
        input: Self.address)
      #expect(result.exitStatus == 2, "\(result)")
      for text in [
        "not searched: public.notes", "not searched: tsdb.migrations", "its log now holds the address",
      ] {
        #expect(result.standardOutput.contains(text), "\(result)")
      }
      try await database.execute("drop owned by \(role); drop role \(role)")
    }
  }

  @Test(arguments: ["", "nobody", "a@b@c", "\"a b\"@c", "Name <a@b.c>", "a@b.c, d@e.f"])
  func `what is no address is refused`(text: String) async throws {
    try await withDatabase { database in
      let result = try await run("erase --email-file - --yes", database, input: text)
      result.expect(64, "no e-mail address")
      #expect(!result.standardError.contains("@b"))
    }
  }

  @Test func `without a key, with a short one, without a yes, nothing happens`() async throws {
    try await withCustomers { database in
      try await database.expectUnchanged {
        try await run("erase --email-file - --yes", database, input: Self.address, key: nil)
          .expect(64, "TSDB_ERASURE_KEY")
        try await run("erase --email-file - --yes", database, input: Self.address, key: "short")
          .expect(64, "at least 32")
        try await run("erase --email-file -", database, input: Self.address).expect(
          64, "needs to be confirmed")
        try await run("erase", database).expect(64)
        let stray = try await run("erase stray@customers.example", database)
        stray.expect(64)
        #expect(!stray.standardError.contains("stray@"))
      }
    }
  }

  @Test func `the address cannot be seen in the process list`() async throws {
    try await withCustomers { database in
      try await database.execute(
        "begin; lock table support_troubleshooting_sessions in access exclusive mode")
      for arguments in [["--email", Self.address], ["--email=\(Self.address)"]] {
        let running = try ToolRun.start(
          ["erase"] + arguments + ["--yes", "--lock-timeout", "20s", "-C", Self.root],
          environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": Self.key])
        try await waitForLock(database)
        let line = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(running.pid)/cmdline"))
        #expect(!String(decoding: line, as: UTF8.self).contains("Lopez"))
        #expect(
          try await !String(decoding: activity(of: database), as: UTF8.self).lowercased().contains("lopez"))
        running.send(signal: SIGKILL)
        _ = try await running.finish()
        // Its server process would wait on for the lock.
        _ = try await database.rows(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            + " and application_name = 'tsdb erase'")
        try await waitForEnd(database)
      }
      try await database.execute("rollback")
    }
  }

  @Test(arguments: [
    "support_troubleshooting_sessions", "support_troubleshooting_feedback", "support_troubleshooting_errors",
    "support_troubleshooting_rate_limits", "support_troubleshooting_audit_log",
  ])
  func `killed in the middle, it has done nothing`(table: String) async throws {
    try await withCustomers { database in
      let others = database.connect()
      try await database.expectUnchanged {
        // Readers pass, so that the preview does; the erasure waits here.
        try await others.run { _ = try $0.execute("begin; lock table \(table) in share mode") }
        let running = try ToolRun.start(
          ["erase", "--email-file", "-", "--yes", "--lock-timeout", "30s", "-C", Self.root],
          environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": Self.key], input: Self.address)
        try await waitForLock(database)
        running.send(signal: SIGKILL)
        _ = try await running.finish()
        try await others.run { _ = try $0.execute("rollback") }
        try await waitForEnd(database)
      }
      try await run("erase --email-file - --yes", database, input: Self.address).expect(0)
      #expect(try await leftovers(of: Self.address, in: database) == [])
    }
  }

  @Test(arguments: 0..<10)
  func `killed at any moment, it has done all or nothing`(moment: Int) async throws {
    try await withCustomers { database in
      let before = try await database.dump()
      let running = try ToolRun.start(
        ["erase", "--email-file", "-", "--yes", "-C", Self.root],
        environment: ["DATABASE_URL": database.url, "TSDB_ERASURE_KEY": Self.key], input: Self.address)
      try await Task.sleep(for: .milliseconds(20 + 25 * moment))
      running.send(signal: SIGKILL)
      _ = try await running.finish()
      try await waitForEnd(database)
      let isDone = try await database.value("select to_regclass('tsdb.erasures') is not null") == "t"
      if isDone {
        #expect(try await leftovers(of: Self.address, in: database) == [])
      } else {
        #expect(try await database.dump() == before)
      }
    }
  }

  @Test func `a lock that stays is status 75`() async throws {
    try await withCustomers { database in
      try await database.execute("begin; lock table support_troubleshooting_errors in share mode")
      let result = try await run(
        "erase --email-file - --yes --lock-timeout 50ms --lock-attempts 2", database, input: Self.address)
      result.expect(75, "Nothing was changed")
      try await database.execute("rollback")
    }
  }

  func waitForLock(_ database: TestDatabase) async throws {
    try await wait(
      database,
      "select exists (select from pg_stat_activity where datname = current_database()"
        + " and application_name = 'tsdb erase' and wait_event_type = 'Lock')")
  }

  private func waitForEnd(_ database: TestDatabase) async throws {
    try await wait(
      database,
      "select not exists (select from pg_stat_activity where datname = current_database()"
        + " and application_name = 'tsdb erase')")
  }

  private func wait(_ database: TestDatabase, _ condition: String) async throws {
    let session = database.connect()
    for _ in 0..<600 {
      if try await session.run({ try $0.query(condition).isTrue(0, 0) }) { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("not within 30 seconds: \(condition)")
  }
}
