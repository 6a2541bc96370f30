import Checklists
import Foundation
import Postgres
import TestSupport
import Testing
import Timekeeping

/// A probe, for a table of tests.
struct ProbeCase: Sendable, CustomTestStringConvertible {
  let type: any Probe.Type
  var defect: ProbeDefect?
  var name: String { type.name }

  var testDescription: String { [type.name, defect?.summary].compactMap { $0 }.joined(separator: ": ") }

  static let all = (SmokeProbes.all + MonitoringProbes.all).map { ProbeCase(type: $0) }
  static let defects = all.flatMap { probe in
    probe.type.defects.map { ProbeCase(type: probe.type, defect: $0) }
  }

  func run(on database: TestDatabase, user: String = "postgres", deploymentStart: UTCTime? = nil) async throws
    -> ProbeAnswer
  {
    try await type.init(arguments: [:]).run(
      ProbeContext(
        settings: database.settings, session: database.connect(user: user), now: .now, schema: "tsdb",
        deploymentStart: deploymentStart))
  }
}

/// What the application's files and its initial configuration make.
enum SmokeDatabase {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  static let files = [
    "migrations/support_troubleshooting_schema", "migrations/support_troubleshooting_feedback_schema",
    "migrations/support_webhooks_schema", "migrations/support_troubleshooting_advanced_schema",
    "migrations/support_troubleshooting_performance_schema", "seeds/support_troubleshooting_config",
  ]

  /// The external table, with a ticket.
  static let tickets = """
    create table public.support_tickets (ticket_id character varying(128) primary key, customer_email text);
    insert into public.support_tickets values ('TKT-1', 'ticket@customers.example')
    """

  /// What customers left.
  static let customers = """
    insert into public.support_troubleshooting_sessions
      (session_id, customer_email, customer_name, problem_description, detected_problem_id, detected_problem_title,
       status, total_steps)
    select 'S' || n, 'customer' || n || '@customers.example', 'Name ' || n, 'describe ' || n,
      'leak@customers.example', 'Title', case when n % 2 = 0 then 'resolved' else 'started' end, 3
    from generate_series(1, 30) as n;
    insert into public.support_troubleshooting_feedback
      (session_id, customer_email, rating, was_helpful, problem_detected_id, feedback_text)
    select session_id, customer_email, 4, true, detected_problem_id, 'said' from public.support_troubleshooting_sessions;
    insert into public.support_troubleshooting_notifications (session_id, notification_type, recipient, message)
    values ('S1', 'email', 'customer1@customers.example', 'hello');
    insert into public.support_webhooks (webhook_id, url, events, secret)
    values ('wh_1', 'https://hooks.customers.example/', '["session_started"]', 'planted-secret');
    insert into public.support_troubleshooting_cache values ('k', '{}', now() - interval '3 hours');
    insert into public.support_troubleshooting_rate_limits (identifier, limit_type, window_start)
    values ('i', 't', now() - interval '30 days');
    insert into public.support_troubleshooting_performance_metrics (metric_name, metric_value, recorded_at)
    values ('m', 1, now() - interval '100 days');
    insert into public.support_troubleshooting_errors (error_type, error_message, severity, category)
    values ('e', 'customer1@customers.example planted-secret', 'low', 'unknown');
    select public.refresh_troubleshooting_views()
    """

  static func install(on database: TestDatabase, withTickets: Bool = false) async throws {
    if withTickets { try await database.execute(tickets) }
    for file in files {
      try await database.execute(
        "set client_min_messages = error;\n" + String(contentsOfFile: "\(root)/\(file).sql", encoding: .utf8))
    }
  }

  /// Rows and contents of every table and materialized view.
  static func contents(of database: TestDatabase) async throws -> [String] {
    let relations = try await database.rows(
      """
      select c.oid::regclass::text from pg_class as c
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm') order by 1
      """)
    var lines: [String] = []
    for relation in relations.compactMap({ $0[0] }) {
      let line = try await database.value(
        "select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from \(relation) as t"
      )
      lines.append("\(relation) \(line ?? "")")
    }
    return lines
  }
}

@Suite struct `Probes of the application` {
  @Test(arguments: ProbeCase.all)
  func `none is red on a database that was just made, with and without support_tickets`(probe: ProbeCase)
    async throws
  {
    for withTickets in [false, true] {
      try await withDatabase { database in
        try await SmokeDatabase.install(on: database, withTickets: withTickets)
        let answer = try await probe.run(on: database)
        let isWebhook = probe.type.name.hasPrefix("webhooks.")
        #expect(answer.state == (isWebhook ? .notApplicable : .proved), "\(answer)")
        #expect(!answer.asked.isEmpty && !answer.observed.isEmpty)
      }
    }
  }

  @Test(arguments: ProbeCase.defects)
  func `each is red on each of its defects`(probe: ProbeCase) async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      try await database.execute(try #require(probe.defect).sql)
      let answer = try await probe.run(on: database)
      #expect(answer.state == .failed, "\(answer)")
    }
  }

  @Test func `names are their own, and each has a defect`() {
    #expect(Set(ProbeCase.all.map { $0.name }).count == ProbeCase.all.count)
    for probe in ProbeCase.all { #expect(!probe.type.defects.isEmpty, "\(probe.type.name)") }
  }

  @Test(arguments: [false, true])
  func `rows and contents of every table are afterwards what they were`(withTickets: Bool) async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database, withTickets: withTickets)
      try await database.execute(SmokeDatabase.customers)
      let before = try await SmokeDatabase.contents(of: database)
      #expect(before.count > 18)
      for probe in ProbeCase.all {
        let answer = try await probe.run(on: database)
        #expect(answer.state != .failed, "\(probe.testDescription): \(answer)")
      }
      #expect(try await SmokeDatabase.contents(of: database) == before)
    }
  }

  @Test(arguments: ProbeCase.all)
  func `an empty database proves nothing`(probe: ProbeCase) async throws {
    try await withDatabase { database in
      let answer = try await probe.run(on: database)
      // After a first deployment was rolled back there is nothing that an application could do.
      let expected: ProbeState = probe.name == "rollback.services" ? .notApplicable : .failed
      #expect(answer.state == expected, "\(answer)")
    }
  }

  @Test(arguments: ProbeCase.all)
  func `a server that is away proves nothing`(probe: ProbeCase) async throws {
    let settings = ConnectionSettings(parameters: [
      "host": "/nonexistent", "user": "postgres", "dbname": "postgres",
    ])
    let answer = try await probe.type.init(arguments: [:]).run(
      ProbeContext(
        settings: settings, session: Session(settings, applicationName: "tsdb tests"), now: .now,
        schema: "tsdb"))
    #expect(answer.state == .unknown, "\(answer)")
  }

  @Test(arguments: ProbeCase.all)
  func `what it may not look at is unknown, and the grant is named`(probe: ProbeCase) async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      let role = "\(database.name)_reader"
      try await database.execute("create role \(role) login")
      let answer = try await probe.run(on: database, user: role)
      try await database.execute("drop role \(role)")
      #expect(answer.state == .unknown, "\(answer)")
      #expect(answer.remedy?.contains("grant ") == true && answer.remedy?.contains(role) == true, "\(answer)")
    }
  }

  @Test func `answers hold no address, no secret and no word of a customer`() async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database, withTickets: true)
      try await database.execute(SmokeDatabase.customers)
      for probe in ProbeCase.all + ProbeCase.defects {
        if let defect = probe.defect { try? await database.execute("begin; \(defect.sql); rollback") }
        let answer = try await probe.run(on: database)
        let text = [answer.asked, answer.observed, answer.remedy ?? ""].joined(separator: " ")
        for planted in [
          "@", "planted-secret", "customers.example", "Name 1", "describe", "said", "tsdb-probe-secret",
        ] {
          #expect(!text.contains(planted), "\(probe.testDescription): \(text)")
        }
      }
    }
  }

  @Test(arguments: ProbeCase.all)
  func `the session keeps no transaction and no setting`(probe: ProbeCase) async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      let session = database.connect()
      let settings = "select name, setting from pg_settings where name not like 'plpgsql.%' order by name"
      let before = try await session.run { try $0.query(settings).rows() }
      _ = try await probe.type.init(arguments: [:]).run(
        ProbeContext(settings: database.settings, session: session, now: .now, schema: "tsdb"))
      let (after, isInTransaction) = try await session.run {
        (try $0.query(settings).rows(), $0.isInTransaction)
      }
      #expect(after == before)
      #expect(!isInTransaction)
    }
  }

  @Test(arguments: ProbeCase.all)
  func `an argument it does not know is refused`(probe: ProbeCase) {
    #expect(throws: ChecklistError.self) { _ = try probe.type.init(arguments: ["colour": "red"]) }
  }

  @Test func `a lock held by others makes it unknown, not red`() async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      try await database.execute(
        "begin; lock table public.support_troubleshooting_sessions in access exclusive mode")
      let probe = try #require(ProbeCase.all.first { $0.type.name == "smoke.session" })
      let answer = try await probe.run(on: database)
      #expect(answer.state == .unknown, "\(answer)")
      try await database.execute("rollback")
      #expect(try await probe.run(on: database).state == .proved)
    }
  }

  /// What an owner puts on a table runs with the rights of the session that writes its rows.
  @Test(arguments: ProbeCase.all)
  func `a superuser runs nothing that belongs to others`(probe: ProbeCase) async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      let owner = "\(database.name)_owner"
      try await database.execute(
        """
        create role \(owner) login;
        grant create, usage on schema public to \(owner);
        create function public.see_rights() returns trigger language plpgsql as
        'begin
          perform set_config(''role'', ''none'', true);
          copy (select 1) to program ''true'';
          return new;
        end';
        alter function public.see_rights() owner to \(owner);
        alter table public.support_troubleshooting_sessions owner to \(owner);
        create trigger see_rights before insert or update or delete on public.support_troubleshooting_sessions
        for each row execute function public.see_rights()
        """)
      let answer = try await probe.run(on: database)
      #expect(answer.state == .unknown, "\(answer)")
      #expect(answer.observed.contains(owner) && answer.remedy?.contains(owner) == true, "\(answer)")
      try await database.execute("drop owned by \(owner) cascade; drop role \(owner)")
    }
  }
}
