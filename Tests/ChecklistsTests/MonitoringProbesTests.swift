import Checklists
import Postgres
import TestSupport
import Testing
import Timekeeping

@Suite struct `Probes of what monitoring shows` {
  private func answer(
    _ name: String, on database: TestDatabase, deploymentStart: UTCTime? = nil
  ) async throws -> ProbeAnswer {
    try await #require(ProbeCase.all.first { $0.type.name == name })
      .run(on: database, deploymentStart: deploymentStart)
  }

  @Test func `webhooks without recorded calls are unknown, with accepted ones proved`() async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      try await database.execute(
        """
        insert into public.support_webhooks (webhook_id, url, events)
        values ('w', 'https://hooks.customers.example/', '["session_started"]')
        """)
      for name in ["webhooks.fired", "webhooks.working"] {
        let answer = try await answer(name, on: database)
        #expect(answer.state == .unknown && answer.observed.contains("no data yet"), "\(answer)")
      }
      try await database.execute(
        """
        insert into public.support_webhook_events (webhook_id, event_type, payload, success)
        values ('w', 'session_started', '{}', true), ('w', 'session_started', '{}', false)
        """)
      for name in ["webhooks.fired", "webhooks.working"] {
        #expect(try await answer(name, on: database).state == .proved)
      }
    }
  }

  @Test func `errors from before the deployment do not count against it`() async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      try await database.execute(
        """
        insert into public.support_troubleshooting_errors (error_type, error_message, severity, category, occurred_at)
        select 'e', 'e', 'critical', 'database', now() - interval '10 minutes' from generate_series(1, 50)
        """)
      #expect(try await answer("metrics.errors", on: database).state == .failed)
      #expect(try await answer("metrics.errors", on: database, deploymentStart: .now + -60).state == .proved)
    }
  }

  @Test func `real figures are told`() async throws {
    try await withDatabase { database in
      try await SmokeDatabase.install(on: database)
      try await database.execute(SmokeDatabase.customers)
      for (name, told) in [
        ("sessions.created", "30 sessions, of which 0 without a problem, 0 without a title, 0 without steps"),
        ("resolution.rate", "30 sessions, 50 % resolved"),
        ("feedback.received", "30 opinions, on average 4, 100 %"),
        ("metrics.weekly", "30 sessions in 28 days, 15 resolved"),
        ("problems.common", "1 problem of 30 sessions; the most frequent, …, has 30"),
        ("notifications.sent", "1 pending"), ("logs.collected", "newest error: 20"),
      ] {
        let answer = try await answer(name, on: database)
        #expect(answer.state == .proved && answer.observed.contains(told), "\(name): \(answer)")
      }
    }
  }

  @Test func `the limit of the dashboard is an argument`() async throws {
    let type = try #require(ProbeCase.all.first { $0.type.name == "metrics.dashboard" }).type
    _ = try type.init(arguments: ["max": "500ms"])
    for text in ["", "0", "soon", "-1s"] {
      #expect(throws: ChecklistError.self) { _ = try type.init(arguments: ["max": text]) }
    }
  }
}
