import TestSupport
import Testing

/// Rules of retention that need a verified backup, and what `--plan` says of them.
@Suite struct `A rule that needs a verified backup` {
  private static let job = """
    retention:
      \(yearly)
      rules:
        - { table: public.support_troubleshooting_performance_metrics, column: recorded_at, keep: 90d,
            needs_backup: 1d }
        - { table: public.support_troubleshooting_cache, column: expires_at, keep: 0 }
    """

  @Test func `deletes nothing without one, and its plan says so; the other rules are followed`() async throws
  {
    try await withMaintained(Self.job) { project, database in
      try await database.addMetrics(old: 20)
      let plan = try await project.done("maintain retention --plan")
      #expect(
        plan.contains("metrics: refuse: the rule needs a verified backup of the last 1d"),
        "\(plan)")
      #expect(plan.contains("support_troubleshooting_cache: delete: 0 rows"), "\(plan)")
      try await project.tsdb("maintain").expect(
        1, "needs a verified backup of the last 1d, and there is none", "tsdb backup verify")
      #expect(try await database.metrics() == "new 10, old 20")

      try await project.done("backup")
      try await project.tsdb("maintain retention").expect(1, "and there is none")
      #expect(try await database.metrics() == "new 10, old 20")

      try await project.done("backup verify latest")
      let allowed = try await project.done("maintain retention --plan")
      #expect(allowed.contains("metrics: delete: 20 rows"), "\(allowed)")
      try await project.done("maintain retention")
      #expect(try await database.metrics() == "new 10")
    }
  }

  @Test func `and a plan that may read whole tables counts where no index helps`() async throws {
    let job = """
      retention:
        \(yearly)
        rules:
          - { table: public.logs, column: at, keep: 1d }
      """
    try await withMaintained(job) { project, database in
      try await database.execute(
        "create table public.logs (at timestamptz); insert into public.logs select now() - interval '2 days' from generate_series(1, 5)"
      )
      let refused = try await project.done("maintain retention --plan")
      #expect(refused.contains("public.logs: refuse: public.logs has no usable index"), "\(refused)")
      let allowed = try await project.done("maintain retention --plan --allow-seqscan")
      #expect(allowed.contains("public.logs: delete: 5 rows"), "\(allowed)")
    }
  }
}
