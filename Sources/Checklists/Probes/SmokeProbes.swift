import Postgres
import Timekeeping

/// Probes that go the application's own way, in a transaction that is rolled back.
public enum SmokeProbes {
  public static let all: [any Probe.Type] = [
    SmokeStatementsProbe.self, SmokeAPIProbe.self, SmokeSessionProbe.self, SmokeStepProbe.self,
    SmokeFeedbackProbe.self,
  ]
}

/// Every statement of the application, and every function.
struct SmokeStatementsProbe: Probe {
  static let name = "smoke.statements"
  static let summary = "whether every statement of the application runs and every function answers"
  static let defects = [
    ProbeDefect(
      "a function of the application is missing",
      sql: "drop function public.verify_prediction(uuid, character varying)"),
    ProbeDefect(
      "the events of a webhook are a text array, which the client's JSON text does not fit",
      sql: """
        alter table public.support_webhooks drop constraint support_webhooks_events_check,
          alter column events type text[] using '{}'
        """),
    ProbeDefect(
      "a view cannot be refreshed concurrently",
      sql: "drop index public.mv_feedback_summary_problem_detected_id_idx"),
    ProbeDefect(
      "a function of the maintenance does nothing",
      sql: """
        create or replace function public.cleanup_expired_cache() returns integer language sql as 'select 1'
        """),
    ProbeDefect(
      "the retention says what it deletes, and deletes nothing",
      sql: """
        create or replace function public.cleanup_old_troubleshooting_data(
          p_days_to_keep integer default 90, p_dry_run boolean default false)
        returns table (table_name character varying, deleted_count bigint) language sql as $$
          select t, 1::bigint from unnest(array['support_troubleshooting_attempts',
            'support_troubleshooting_feedback', 'support_troubleshooting_notifications',
            'support_troubleshooting_sessions']::varchar[]) as u (t)
        $$
        """),
    ProbeDefect(
      "a trigger fires on replicas alone",
      sql: """
        alter table public.support_webhooks enable replica trigger support_webhooks_touch_updated_at
        """),
    ProbeDefect(
      "a trigger waits for another event",
      sql: """
        drop trigger support_troubleshooting_config_touch_updated_at on public.support_troubleshooting_config;
        create trigger support_troubleshooting_config_touch_updated_at
          before insert on public.support_troubleshooting_config
          for each row execute function public.troubleshooting_touch_updated_at()
        """),
    ProbeDefect(
      "a view has its columns and shows nothing",
      sql: """
        create or replace view public.vw_troubleshooting_feedback_summary as
          select f.collected_at::date as date, 0::integer as total_feedback, 0::double precision as average_rating,
            0::integer as helpful_count, 0::integer as resolved_count, 0::integer as positive_feedback_count
          from public.support_troubleshooting_feedback as f where false
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    await SmokeTransaction(context).answer(
      asked: "\(SmokeStatements.all.count) statements of the application, run and rolled back"
    ) { connection in
      var run = SmokeRun()
      let statements = SmokeStatements.all
      let split = statements.count - SmokeStatements.maintenance.count
      try run.run(Array(statements[..<split]), on: connection)
      let tickets = try SmokeTickets.check(run.scene, on: connection)
      try run.run(Array(statements[split...]), on: connection)
      try run.requireSuccess()
      return
        "\(run.done) statements and \(run.functions.count) functions as expected; \(tickets); rolled back"
    }
  }
}

/// The part of the smoke test that concerns the table of another part of the application.
enum SmokeTickets {
  /// What the ticket's key does with a ticket that does not exist, or that there is none.
  static func check(_ scene: SmokeScene, on connection: borrowing Connection) throws -> String {
    let facts = try connection.query(
      """
      select pg_catalog.to_regclass('public.support_tickets') is not null,
        exists (select from pg_catalog.pg_constraint as c
          where c.contype = 'f' and c.conrelid = 'public.support_troubleshooting_sessions'::regclass
            and c.confrelid = pg_catalog.to_regclass('public.support_tickets'))
      """)
    let update = """
      update public.support_troubleshooting_sessions set ticket_id = $2 where session_id = $1
      """
    let unknown = [scene.session, "TKT-tsdb-\(scene.mark)"]
    guard facts.isTrue(0, 1) else {
      _ = try connection.query(update, unknown)
      return facts.isTrue(0, 0)
        ? "support_tickets is there without the key to it" : "support_tickets is absent, any ticket is taken"
    }
    try scene.expectRefusal(of: "a ticket that does not exist", with: ["23503"], on: connection) {
      _ = try $0.query(update, unknown)
    }
    guard
      try connection.query(
        "select pg_catalog.has_column_privilege('public.support_tickets', 'ticket_id', 'select')"
      ).isTrue(0, 0)
    else { return "the key to support_tickets refuses an unknown ticket" }
    let linked = try connection.query(
      """
      update public.support_troubleshooting_sessions as s set ticket_id = t.ticket_id
        from (select ticket_id from public.support_tickets limit 1) as t
       where s.session_id = $1 returning 1
      """, [scene.session])
    return "the key to support_tickets refuses an unknown ticket"
      + (linked.rowCount == 1 ? " and takes a known one" : "; there is no ticket yet")
  }
}

/// The statements behind each endpoint.
struct SmokeAPIProbe: Probe {
  static let name = "smoke.api"
  static let summary = "whether the statements behind each endpoint of the interface run; HTTP is outside"
  static let defects = [
    ProbeDefect(
      "the analytics function takes times without zone",
      sql: """
        alter function public.get_troubleshooting_stats(timestamp with time zone, timestamp with time zone)
          rename to get_troubleshooting_stats_old;
        create function public.get_troubleshooting_stats(timestamp, timestamp) returns integer
          language sql as 'select 1'
        """),
    ProbeDefect(
      "a column that the notifications need is missing",
      sql: "alter table public.support_troubleshooting_notifications drop column metadata"),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let endpoints = SmokeStatement.Endpoint.allCases
    return await SmokeTransaction(context).answer(
      asked:
        "the statements behind the endpoints \(endpoints.map(\.rawValue).joined(separator: ", ")), rolled back"
    ) { connection in
      var run = SmokeRun()
      try run.run(SmokeStatements.all.filter { $0.endpoint != nil }, on: connection)
      try run.requireSuccess()
      return
        "\(run.done) statements of \(endpoints.count) endpoints as expected; HTTP was not asked; rolled back"
    }
  }
}
