import Postgres

/// Replication slots that keep WAL until the disk is full.
enum ReplicationSlotsCheck: HealthCheck {
  static let retained = HealthThreshold(
    "slot-wal", "WAL that the server keeps for a slot", .bytes, warning: 1_073_741_824,
    critical: 10_737_418_240)
  static let description = HealthCheckDescription(
    "replication-slots", looksAt: "replication slots: in use, WAL kept for them, not lost",
    thresholds: [retained])

  struct Slot: Sendable, Equatable {
    let name: String
    let isActive: Bool
    /// Bytes; nil where it keeps none.
    let retained: Int64?
    /// `reserved`, `extended`, `unreserved` or `lost`.
    let state: String?
  }

  static func facts(_ context: HealthContext, on connection: borrowing Connection) throws -> [Slot] {
    // A slot that a standby keeps in step with its primary's is never active there (from 17).
    let result = try connection.query(
      """
      select s.slot_name, s.active, pg_wal_lsn_diff(
          case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
        )::bigint, s.wal_status
      from pg_replication_slots as s
      where not s.temporary and not coalesce((to_jsonb(s) ->> 'synced')::boolean, false) order by 1
      """)
    return (0..<result.rowCount).map {
      Slot(
        name: result.text($0, 0), isActive: result.isTrue($0, 1),
        retained: result[$0, 2].flatMap { Int64($0) },
        state: result[$0, 3])
    }
  }

  static func verdict(_ slots: [Slot], _ context: HealthContext) -> HealthFinding {
    let limit = context.limit(retained)
    let problems = slots.compactMap { slot -> HealthProblem? in
      let drop = "select pg_drop_replication_slot(\(Quoting.literal(slot.name).drop { $0 == " " }));"
      if slot.state == "lost" {
        return HealthProblem(
          .critical, "replication slot \(slot.name) has lost WAL that it needs",
          detail: "Its subscriber or standby has to be set up anew.", remedy: drop)
      }
      let bytes = slot.retained ?? 0
      let status = HealthStatus.worst([
        limit.status(of: Double(bytes)), slot.state == "unreserved" ? .critical : .ok,
        slot.isActive ? .ok : .warning,
      ])
      guard status != .ok else { return nil }
      return HealthProblem(
        status,
        slot.isActive
          ? "replication slot \(slot.name) keeps \(HealthText.bytes(bytes)) of WAL"
          : "replication slot \(slot.name) is used by nobody",
        detail: "It keeps \(HealthText.bytes(bytes)) of WAL"
          + (slot.state == "unreserved" ? ", which the next checkpoint removes." : "."),
        remedy: slot.isActive
          ? "see why its receiver is behind (pg_stat_replication)" : "connect its receiver, or: " + drop)
    }
    return HealthFinding(
      name, problems: problems, several: "replication slots in trouble",
      fine: HealthText.count(Int64(slots.count), "replication slot", "replication slots"),
      performance: [limit.performance(Double(slots.compactMap(\.retained).max() ?? 0))])
  }
}
