import Foundation
import Postgres
import TestSupport
import Testing
import Timekeeping

@testable import Checklists

@Suite struct SchemaProbesTests {
  @Test func `the list of indexes is what the five files make`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute("set search_path = pg_catalog")
      let rows = try await database.rows(
        """
        select t.relname, c.relname, \(SchemaCatalogue.indexForm) from pg_index as i
        join pg_class as c on c.oid = i.indexrelid join pg_class as t on t.oid = i.indrelid
        join pg_namespace as n on n.oid = t.relnamespace
        where n.nspname = 'public' and not t.relispartition
        """)
      let made = Dictionary(grouping: rows, by: { $0[0] ?? "" }).mapValues { rows in
        Dictionary(uniqueKeysWithValues: rows.map { ($0[1] ?? "", $0[2] ?? "") })
      }
      #expect(made == SchemaCatalogue.indexes)
    }
  }

  @Test func `the list of views is what the five files make`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute("set search_path = pg_catalog")
      let rows = try await database.rows(
        """
        select relname, \(SchemaCatalogue.queryDigest(of: "oid")) from pg_class where relkind = 'm' order by 1
        """)
      let views = SchemaCatalogue.views.sorted { $0.name < $1.name }
      #expect(rows == views.map { [$0.name, $0.digest] })
      #expect(views.allSatisfy { Array((SchemaCatalogue.indexes[$0.name] ?? [:]).keys) == [$0.index] })
    }
  }

  /// Of what failed; what could not be asked may only have to be asked again.
  @Test func `remedies are commands that can be typed`() async throws {
    let words = [
      "tsdb ", "grant ", "alter ", "create ", "drop ", "update ", "select ", "export ", "pg_isready ",
      "revoke ",
    ]
    let probes = connectionOnlyProbes + SmokeProbes.all + MonitoringProbes.all
    for (probe, defect) in probes.flatMap({ probe in probe.defects.map { (probe, $0) } }) {
      // What to do about a secret in a customer's row is for a person to say.
      guard !defect.sql.isEmpty, probe.name != "security.sensitive-logs" else { continue }
      try await ApplicationDatabase.with { database in
        try await database.execute(defect.sql)
        let answer = try await ApplicationDatabase.ask(probe, defect.arguments, database.settings)
        guard answer.state == .failed, let remedy = answer.remedy else { return }
        #expect(
          remedy.split(separator: "; ").allSatisfy { part in words.contains { part.hasPrefix($0) } },
          "\(probe.name): \(remedy)")
      }
    }
  }

  /// What a probe tells to type makes the database what it ought to be.
  @Test(arguments: [
    "drop index public.support_troubleshooting_errors_occurred_at_idx",
    """
    drop index public.support_troubleshooting_sessions_search_idx;
    create index support_troubleshooting_sessions_search_idx on public.support_troubleshooting_sessions
      using gin (to_tsvector('english'::regconfig, problem_description))
    """,
    """
    alter table public.support_webhooks drop constraint support_webhooks_webhook_id_key cascade;
    create unique index support_webhooks_webhook_id_key on public.support_webhooks (id)
    """,
    "drop index public.mv_top_problems_detected_problem_id_idx",
    "create index tsdb_twice on public.support_troubleshooting_cache (expires_at)",
  ])
  func `the remedy of an index cures it`(defect: String) async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(defect)
      let before = try await ApplicationDatabase.ask(IndexesValidProbe.self, database.settings)
      #expect(before.state == .failed, "\(before)")
      try await database.execute(before.remedy ?? "")
      let after = try await ApplicationDatabase.ask(IndexesValidProbe.self, database.settings)
      #expect(after.state == .proved, "\(after)")
    }
  }

  @Test func `an index's storage parameters are the operator's`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        "alter index public.support_troubleshooting_feedback_ticket_id_idx set (fillfactor = 70)")
      let answer = try await ApplicationDatabase.ask(IndexesValidProbe.self, database.settings)
      #expect(answer.state == .proved, "\(answer)")
    }
  }

  @Test func `the list of settings is what the seed inserts`() async throws {
    try await ApplicationDatabase.with { database in
      let rows = try await database.rows(
        "select config_key, config_type, config_value from support_troubleshooting_config order by 1")
      #expect(
        rows
          == InitialSetting.all.map { [$0.key, $0.type, $0.value] }.sorted { ($0[0] ?? "") < ($1[0] ?? "") })
    }
  }

  /// On a database as the deployment leaves it; a unix socket has no TLS and crosses no network, and statistics are
  /// young.
  @Test func `a fresh database proves all but what cannot be seen yet`() async throws {
    try await ApplicationDatabase.with { database in
      for probe in connectionOnlyProbes {
        let answer = try await ApplicationDatabase.ask(probe, database.settings)
        let expected: ProbeState =
          switch probe.name {
          case "connection.tls", "network.reachable": .notApplicable
          case "optimise.data": .unknown
          default: .proved
          }
        #expect(answer.state == expected, "\(probe.name): \(answer)")
      }
    }
  }

  @Test func `a role without any right is told what to grant, and no probe goes wrong`() async throws {
    try await ApplicationDatabase.with { database in
      let role = "checklists_stranger"
      try await database.execute(
        """
        do $$ begin create role \(role) login; exception when duplicate_object or unique_violation then null; end $$;
        """)
      for probe in connectionOnlyProbes {
        let answer = try await ApplicationDatabase.ask(probe, database.settings(user: role))
        // The catalogue and the connection are open to everybody.
        let isOpen = [
          "database.reachable", "environment.connection", "connection.tls", "network.reachable",
          "rollback.stopped",
          "matview.exists", "indexes.valid", "optimise.data",
        ].contains(probe.name)
        if isOpen {
          #expect([.proved, .notApplicable, .unknown].contains(answer.state), "\(probe.name): \(answer)")
        } else {
          #expect(answer.state == .unknown, "\(probe.name): \(answer)")
          #expect(answer.remedy?.contains("grant ") == true, "\(probe.name): \(answer)")
        }
      }
    }
  }

  @Test func `the grants that are named are enough`() async throws {
    try await ApplicationDatabase.with { database in
      let role = "checklists_granted"
      try await database.execute(
        """
        do $$ begin create role \(role) login; exception when duplicate_object or unique_violation then null; end $$;
        """)
      for probe in connectionOnlyProbes {
        for _ in 0..<4 {
          let answer = try await ApplicationDatabase.ask(probe, database.settings(user: role))
          guard answer.state == .unknown, let remedy = answer.remedy, remedy.hasPrefix("grant ") else {
            break
          }
          try await database.execute(remedy)
        }
        let answer = try await ApplicationDatabase.ask(probe, database.settings(user: role))
        let isYoung = probe.name == "optimise.data"
        #expect([.proved, .notApplicable].contains(answer.state) || isYoung, "\(probe.name): \(answer)")
      }
      try await database.execute("drop owned by \(role)")
    }
  }

  @Test func `a view that lags is proved within its age, as recorded`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        insert into support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('s', 'a@example.invalid', '');
        create schema tsdb;
        create table tsdb.job_runs (kind text, ended_at timestamptz, objects jsonb);
        """)
      let max = ["max": "1h"]
      let unrecorded = try await ApplicationDatabase.ask(MatviewFreshProbe.self, max, database.settings)
      #expect(unrecorded.state == .failed)
      try await database.execute(
        """
        insert into tsdb.job_runs values ('refresh-views', now() - interval '30 min',
          '[{"name": "public.mv_daily_troubleshooting_summary", "action": "refreshed concurrently"},
            {"name": "public.mv_top_problems", "action": "refreshed"}]')
        """)
      let recorded = try await ApplicationDatabase.ask(MatviewFreshProbe.self, max, database.settings)
      #expect(recorded.state == .proved, "\(recorded)")
      #expect(recorded.observed.contains("1 difference, refreshed"), "\(recorded)")
      try await database.execute("update tsdb.job_runs set ended_at = now() - interval '2 h'")
      #expect(
        try await ApplicationDatabase.ask(MatviewFreshProbe.self, max, database.settings).state == .failed)
      try await database.execute("select refresh_troubleshooting_views()")
      #expect(
        try await ApplicationDatabase.ask(MatviewFreshProbe.self, max, database.settings).state == .proved)
    }
  }

  @Test func `what differs is named by its key, and never by its value`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        select set_config('app.user', 'operator@example.invalid', false);
        update support_troubleshooting_config set config_value = '987654' where config_key = 'default_timeout_minutes'
        """)
      for probe in [ConfigurationInitialProbe.self, ConfigurationAdjustedProbe.self] as [any Probe.Type] {
        let answer = try await ApplicationDatabase.ask(probe, database.settings)
        #expect(answer.state == .proved, "\(answer)")
        #expect(answer.observed.contains("default_timeout_minutes"))
        #expect(!"\(answer)".contains("987654") && !"\(answer)".contains("@"))
      }
    }
  }

  @Test func `errors before the deployment do not count`() async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        insert into support_troubleshooting_errors (error_type, error_message, severity, category, occurred_at)
        values ('t', 'm', 'critical', 'database', now() - interval '1 hour')
        """)
      let before = UTCTime.now + -7200
      let after = UTCTime.now + -60
      let probe = LogsCriticalProbe.self
      #expect(
        try await ApplicationDatabase.ask(probe, database.settings, deploymentStart: before).state == .failed)
      #expect(
        try await ApplicationDatabase.ask(probe, database.settings, deploymentStart: after).state == .proved)
      #expect(
        try await ApplicationDatabase.ask(probe, ["since": "2h"], database.settings, deploymentStart: after)
          .state == .failed)
    }
  }

  @Test(arguments: [
    "the password is wrong; token expired", "invalid password: expected at least eight characters",
    "File \"auth.py\", line 3, in check_password: password=***",
    "connect(password=self.password, token=None)",
    "token = response.json()", "api_key: [redacted]", "https://example.invalid/path?id=12345678",
  ])
  func `texts that only speak of secrets are no secrets`(text: String) async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        insert into support_troubleshooting_errors (error_type, error_message, severity, category, stack_trace, metadata)
        values ('t', '', 'low', 'validation', \(Quoting.literal(text)),
          '{"token_count": 3, "note": "\\"secret\\": x", "password": "***"}');
        insert into support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('s', 'a@example.invalid', 'he said "password": "x"')
        """)
      let answer = try await ApplicationDatabase.ask(SensitiveLogsProbe.self, database.settings)
      #expect(answer.state == .proved, "\(answer)")
    }
  }

  @Test(arguments: [
    "password=hunterx", "PASSWORD: 'abc12345678'", "\"token\": \"0123456789abcdef\"", "api_key=zyxwvut&b=1",
    "authorization: Bearer abcdefghijklmnopqrstuvwxyz", "AKIAABCDEFGHIJKLMNOP", "sk_live_abcdefghijklmnopqr",
    "-----BEGIN RSA PRIVATE KEY-----", "postgresql://app:abc@db/app",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
  ])
  func `what looks like a secret in a text is found`(text: String) async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        insert into support_troubleshooting_errors (error_type, error_message, severity, category, stack_trace)
        values ('t', '', 'low', 'validation', \(Quoting.literal("before " + text + " after")))
        """)
      let answer = try await ApplicationDatabase.ask(SensitiveLogsProbe.self, database.settings)
      #expect(answer.state == .failed, "\(answer)")
      #expect(answer.observed.contains("1 with a text that looks like one"))
    }
  }

  @Test(arguments: [true, false])
  func `what customers, operators and webhooks wrote stands in no answer`(isBroken: Bool) async throws {
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        select set_config('app.user', 'planted-operator', false);
        insert into support_troubleshooting_sessions
          (session_id, customer_email, customer_name, problem_description, detected_problem_id)
        values ('planted-session', 'planted@example.invalid', 'planted-name', 'planted-text', 'planted-problem');
        insert into support_webhooks (webhook_id, url, events, secret)
        values ('planted-webhook', 'https://planted.invalid/', '["planted-event"]', 'planted-secret');
        insert into support_troubleshooting_errors (error_type, error_message, severity, category, metadata)
        values ('planted-type', 'planted-message', 'critical', 'unknown', '{"password": "planted-password"}');
        update support_troubleshooting_config set config_value = '["email", "planted-channel"]'
        where config_key = 'notification_channels';
        """)
      if isBroken {
        try await database.execute(
          """
          alter table support_webhooks drop constraint support_webhooks_url_check;
          update support_webhooks set url = 'planted-url';
          alter table support_troubleshooting_config drop constraint support_troubleshooting_config_value_check;
          update support_troubleshooting_config set config_value = 'planted-value';
          """)
      }
      var failed = 0
      for probe in connectionOnlyProbes {
        let answer = try await ApplicationDatabase.ask(probe, database.settings)
        #expect(!"\(answer)".contains("planted-") && !"\(answer)".contains("@"), "\(probe.name): \(answer)")
        if answer.state == .failed { failed += 1 }
      }
      #expect(failed >= 5)
    }
  }
}

@Suite struct `A materialized view of an ordinary role` {
  @Test func `does not have its query run with a superuser's rights`() async throws {
    let role = "view_owner_\(getpid())"
    let cluster = try await PostgresCluster.shared
    try await cluster.connect().run { _ = try $0.execute("create role \(role)") }
    try await ApplicationDatabase.with { database in
      try await database.execute(
        """
        grant create, usage on schema public to \(role); set role \(role);
        create function public.seen() returns boolean language plpgsql as $$
        begin perform set_config('application_name', 'seen', false); return true; end $$;
        create materialized view public.mv_mine as select 1 as a where public.seen()
        """)
      let answer = try await ApplicationDatabase.ask(
        MatviewFreshProbe.self, ["views": "public.mv_mine"], database.settings)
      #expect(answer.state == .unknown && answer.observed.contains(role), "\(answer)")
      try await database.execute("reset role; drop owned by \(role)")
    }
    try await cluster.connect().run { _ = try $0.execute("drop role \(role)") }
  }
}
