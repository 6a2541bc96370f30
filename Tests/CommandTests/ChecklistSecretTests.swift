import Foundation
import Postgres
import TestSupport
import Testing

/// What is planted as password, secret and address must not come out of checklists and erasures.
@Suite struct `Secrets and addresses` {
  static let password = "pl4nted-Passw0rd"
  static let secret = "pl4nted-webhook-sEcret"
  static let address = "pl4nted.customer@customers.example"
  static let key = "pl4nted-erasure-key-0123456789abcdef"

  private func expectNone(_ text: String, _ place: String, sourceLocation: SourceLocation = #_sourceLocation)
  {
    #expect(!text.isEmpty, "nothing was looked at: \(place)", sourceLocation: sourceLocation)
    // All of them begin alike.
    #expect(!text.lowercased().contains("pl4nted"), "\(place): \(text)", sourceLocation: sourceLocation)
  }

  /// Every file below a directory that a run may have written.
  private func expectNone(inFilesBelow path: String) throws {
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    for name in names {
      guard let bytes = FileManager.default.contents(atPath: "\(path)/\(name)") else { continue }
      #expect(bytes.range(of: Data("pl4nted".utf8)) == nil, "\(path)/\(name)")
    }
  }

  /// Rows of a customer, also where they do not belong, and webhooks that are called.
  static let rows = """
    select set_config('app.user', '\(address)', false);
    insert into support_troubleshooting_sessions
      (session_id, customer_email, customer_name, problem_description, detected_problem_id, detected_problem_title,
       total_steps, ticket_id)
    values ('\(address)', '\(address)', 'pl4nted name', 'call \(address)', '\(address)', '\(address)', 2, '\(address)');
    insert into support_troubleshooting_attempts (session_id, step_number, step_title, success, notes)
    values ('\(address)', 1, '\(address)', false, '\(address)');
    insert into support_troubleshooting_feedback (session_id, customer_email, rating, feedback_text, problem_detected_id)
    values ('\(address)', '\(address)', 1, '\(address)', '\(address)');
    insert into support_troubleshooting_notifications (session_id, notification_type, recipient, message, status, error_message)
    values ('\(address)', '\(address)', '\(address)', '\(address)', 'failed', '\(address)');
    insert into support_webhooks (webhook_id, url, events, secret)
    values ('\(address)', 'https://u:\(secret)@example.invalid/\(secret)', '["session.created"]', '\(secret)');
    insert into support_webhook_events (webhook_id, event_type, payload, success, response_status, error_message)
    values ('\(address)', '\(address)', '{"secret": "\(secret)"}', false, 500, '\(secret) \(address)');
    insert into support_troubleshooting_errors (error_type, error_message, severity, category, stack_trace, metadata)
    values ('\(address)', 'password=\(secret) of \(address)', 'critical', 'unknown', 'token=\(secret)',
      '{"password": "\(secret)", "who": "\(address)"}');
    insert into support_troubleshooting_performance_metrics (metric_name, metric_value) values ('\(address)', 1);
    insert into support_troubleshooting_cache (cache_key, cache_value, expires_at)
    values ('\(address)', '{}', now() - interval '3 days');
    insert into support_troubleshooting_rate_limits (identifier, limit_type, window_start)
    values ('\(address)', '\(address)', now() - interval '30 days');
    update support_troubleshooting_config set config_value = '["\(address)"]', updated_by = '\(address)'
      where config_key = 'notification_channels';
    update support_troubleshooting_config set description = '\(secret)'
      where config_key = 'max_session_duration_hours';
    select refresh_troubleshooting_views()
    """

  private func withSecrets(
    _ body: (TestProject, TestDatabase, [[String: String]]) async throws -> Void
  ) async throws {
    try await PostgresCluster.with(.init(password: Self.password)) { cluster in
      try await withProject(on: cluster) { project, database in
        try project.copyApplication()
        let settings = database.settings
        let plain = "postgresql://postgres@127.0.0.1:\(settings["port"] ?? "")/\(database.name)"
        let environments = [
          ["DATABASE_URL": database.url],
          ["DATABASE_URL": plain, "PGPASSWORD": Self.password],
          ["DATABASE_URL": "\(plain)?password=wrong-pl4nted"],
        ]
        try await body(project, database, environments)
      }
    }
  }

  @Test func `come out of no checklist: output, evidence, document, errors`() async throws {
    try await withSecrets { project, database, environments in
      for command in ["migrate up", "seed", "backup", "backup verify latest --restore", "maintain"] {
        try await project.done(command, environment: environments[0])
      }
      try await database.execute(Self.rows)
      let list = try String(
        contentsOfFile: "\(`The deployment checklist`.root)/docs/checklists/deployment.es.md", encoding: .utf8
      )
      try project.write(
        "./list.md",
        list
          + "\n## Primera Hora\n- [ ] x <!-- tsdb: command env -->\n- [ ] y <!-- tsdb: command printenv PGPASSWORD -->\n"
          + "- [ ] z <!-- tsdb: command printenv DATABASE_URL -->\n"
          + "- [ ] u <!-- tsdb: url http://127.0.0.1:1/${MY_TOKEN} timeout=1s -->\n"
          + "- [ ] who <!-- tsdb: command cat who.txt -->\n- [ ] role <!-- tsdb: database.reachable role=nobody-there -->\n"
      )
      try project.write("./who.txt", "written to \(Self.address)\n")
      var number = 0
      for environment in environments {
        for arguments in [["--json", "--verbose"], ["--verbose"], ["--quiet", "--strict"]] {
          number += 1
          var environment = environment
          environment["MY_TOKEN"] = Self.secret
          environment["PATH"] = "/usr/bin:/bin"
          let result = try await project.tsdb(
            ["checklist", "run", "list.md", "--evidence", "e\(number).jsonl", "--output", "o\(number).md"]
              + arguments, environment: environment)
          #expect(result.exitStatus == 2, "\(result)")
          expectNone(result.description, arguments.joined(separator: " "))
          let evidence = try String(
            contentsOfFile: project.directory.path("e\(number).jsonl"), encoding: .utf8)
          // They were there to be found.
          #expect(evidence.contains("written to …@…") && evidence.contains("status 0: ***"), "\(evidence)")
          for file in ["e\(number).jsonl", "o\(number).md"] {
            expectNone(try String(contentsOfFile: project.directory.path(file), encoding: .utf8), file)
          }
          expectNone(
            try await project.tsdb("checklist verify e\(number).jsonl", environment: environment).description,
            "verify")
        }
      }
      expectNone(
        try await project.tsdb("checklist list list.md", environment: environments[0]).description, "list")
      try expectNone(inFilesBelow: project.directory.path(".tsdb"))
      let own = try await database.rows(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'tsdb'")
      #expect(own.count >= 6)
      for table in own.compactMap({ $0[0] }) {
        expectNone(
          try await database.value("select '-' || coalesce(string_agg(t::text, ' '), '') from \(table) as t")
            ?? "",
          table)
      }
    }
  }

  @Test func `come out of no erasure: output, record, errors`() async throws {
    try await withSecrets { project, database, environments in
      for command in ["migrate up", "seed"] {
        try await project.done(command, environment: environments[0])
      }
      try await database.execute(Self.rows)
      try project.write("./key", Self.key + "\n")
      func erase(_ arguments: [String], _ environment: [String: String], _ status: Int32) async throws {
        let result = try await project.tsdb(
          ["erase"] + arguments, environment: environment, input: Self.address)
        #expect(result.exitStatus == status, "\(result)")
        expectNone(result.description, arguments.first ?? "")
      }
      let address = ["--email", Self.address]
      try await erase(address + ["--dry-run", "--json", "--verbose"], environments[0], 2)
      try await erase(["--email-file", "-", "--dry-run", "--verbose"], environments[1], 2)
      try await erase(address + ["--yes", "--key-file", "key"], environments[2], 1)
      try await erase(address + ["--yes"], environments[0], 64)
      try await erase(["--email=\(Self.address)x y", "--yes"], environments[0], 64)
      try await erase([Self.address], environments[0], 64)
      try await database.execute("begin; lock table support_troubleshooting_sessions in exclusive mode")
      try await erase(
        address + ["--yes", "--json", "--key-file", "key", "--lock-timeout", "50ms", "--lock-attempts", "1"],
        environments[0], 75)
      try await database.execute(
        """
        rollback;
        create function refuse() returns trigger language plpgsql as
          $$ begin raise exception 'not %', old using detail = old::text, hint = old.customer_email; end $$;
        create trigger refuse before update on support_troubleshooting_sessions for each row execute function refuse()
        """)
      try await erase(address + ["--yes", "--verbose", "--key-file", "key"], environments[0], 1)
      try await database.execute("drop trigger refuse on support_troubleshooting_sessions")
      try await erase(address + ["--yes", "--verbose", "--key-file", "key"], environments[0], 2)
      let record = try await database.value("select string_agg(t::text, ' ') from tsdb.erasures as t")
      expectNone(record ?? "", "record")
      try expectNone(inFilesBelow: project.directory.path(".tsdb"))
    }
  }
}
