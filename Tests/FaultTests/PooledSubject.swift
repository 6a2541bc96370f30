import TestSupport

/// `migrate up` on the mixed project, through PgBouncer in transaction mode.
struct PooledUp: FaultSubject {
  static let command = ["migrate", "up"]

  let target: FaultTarget
  let pooler: PgBouncer
  var cluster: PostgresCluster { target.base.cluster }
  var database: String { target.base.name }
  var project: TemporaryDirectory { target.project }
  var url: String { pooler.url(database: database) }

  /// A pooler of its own for each round: what one leaves in its sessions is not the next one's.
  static func prepare(on cluster: PostgresCluster) async throws -> PooledUp {
    let pooler = try await PgBouncer.start(
      .transaction, for: cluster, poolSize: 5, configuration: ["server_login_retry = 1"])
    return PooledUp(target: try await .mixed(on: cluster, hasSettings: false), pooler: pooler)
  }

  func checkInterrupted() async throws {
    try await target.fresh().expectWholeFiles()
  }

  func checkFinished() async throws {
    try await target.expectAllApplied(isPooled: true)
    await pooler.stop()
  }
}
