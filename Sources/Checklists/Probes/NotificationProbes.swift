import Postgres
import Timekeeping

/// Notifications, as far as the database knows of them.
///
/// The application marks a notification as sent without sending it: this is about the record only.
struct NotificationsSentProbe: Probe {
  static let name = "notifications.sent"
  static let summary = "whether notifications are recorded and marked as sent; delivery is outside"
  static let defects = [
    ProbeDefect(
      "the status of a sent notification is refused",
      sql: """
        alter table public.support_troubleshooting_notifications
          add constraint tsdb_never check (status <> 'sent') not valid
        """),
    ProbeDefect(
      "all notifications failed",
      sql: """
        insert into public.support_troubleshooting_sessions (session_id, customer_email, problem_description)
        values ('tsdb-defect', 'tsdb-defect@example.invalid', '');
        insert into public.support_troubleshooting_notifications
          (session_id, notification_type, recipient, message, status)
        select 'tsdb-defect', 'email', 'tsdb-defect@example.invalid', '', 'failed' from generate_series(1, 3)
        """),
  ]

  init(arguments: [String: String]) throws(ChecklistError) {
    try SmokeArguments.refuseUnknown(arguments, probe: Self.name)
  }

  func run(_ context: ProbeContext) async -> ProbeAnswer {
    let window = MonitoringWindow(context, hours: 24)
    return await SmokeTransaction(context).answer(
      asked:
        "a notification stored, marked as sent and read back (rolled back); those \(window.words) by status"
    ) { connection in
      let real = try connection.query(
        """
        select status, count(*) from public.support_troubleshooting_notifications
         where created_at >= $1::timestamptz group by status order by status
        """, [window.start.description]
      ).rows()
      let scene = SmokeScene()
      try scene.insertSession(on: connection)
      let stored = try connection.query(
        """
        insert into public.support_troubleshooting_notifications
          (session_id, notification_type, recipient, subject, message, metadata)
        values ($1, 'email', $2, 'tsdb', 'tsdb', '{}') returning id, status
        """, [scene.session, SmokeScene.email])
      guard stored[0, 1] == "pending" else { throw SmokeFailure("a new notification is not pending") }
      _ = try connection.query(
        """
        update public.support_troubleshooting_notifications set status = 'sent', sent_at = now() where id = $1
        """, [stored[0, 0]])
      let read = try connection.query(
        """
        select status, sent_at = now() from public.support_troubleshooting_notifications
         where session_id = $1 order by created_at desc
        """, [scene.session]
      ).rows()
      guard read == [["sent", "t"]] else { throw SmokeFailure("the notification was not read back as sent") }
      let words = real.map { "\($0[1] ?? "0") \($0[0] ?? "")" }.joined(separator: ", ")
      guard real.isEmpty || real.contains(where: { $0[0] != "failed" }) else {
        throw SmokeFailure("all notifications \(window.words) failed: \(words)")
      }
      return "recorded, marked as sent, read back; \(window.words): \(real.isEmpty ? "no data yet" : words); "
        + "whether they arrive is outside the database"
    }
  }
}
