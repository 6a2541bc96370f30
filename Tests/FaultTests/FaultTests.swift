import Synchronization
import TestSupport
import Testing

/// Commands that are killed and disturbed, that meet one another, and that meet the application.
@Suite(.seeded) struct `Faults` {}

extension Faults {
  /// Each case disturbs a command at many moments; see ``FaultHarness``.
  ///
  /// `TSDB_FAULTS` says how many times, `TSDB_TEST_SEED` at which moments.
  @Suite(.serialized) struct `No dirty state` {
    @Test(arguments: Fault.allCases)
    func `migrate up finishes what a fault interrupted`(fault: Fault) async throws {
      try await disturb(MixedUp.self, by: fault)
    }

    @Test(
      .enabled(if: PgBouncer.isInstalled),
      arguments: [Fault.killTool, .interruptTool, .killBackend, .killServer])
    func `behind a transaction pool too`(fault: Fault) async throws {
      try await disturb(PooledUp.self, by: fault, scale: 0.5)
    }

    @Test(.enabled(if: ApplicationProject.isThere), arguments: Fault.allCases)
    func `the application's own files are whole or absent`(fault: Fault) async throws {
      try await disturb(ApplicationUp.self, by: fault, scale: 0.5)
    }

    @Test(arguments: [Fault.killTool, .terminateTool, .killBackend, .cutConnection, .killServer])
    func `migrate down finishes what a fault interrupted`(fault: Fault) async throws {
      try await disturb(MixedDown.self, by: fault, scale: 0.3)
    }

    @Test(arguments: [Fault.killTool, .interruptTool, .killBackend, .cutConnection, .killServer])
    func `seed finishes what a fault interrupted`(fault: Fault) async throws {
      try await disturb(MixedSeed.self, by: fault, scale: 0.3)
    }

    private func disturb<Subject: FaultSubject>(
      _: Subject.Type, by fault: Fault, scale: Double = 1
    ) async throws {
      let cluster = try await Self.cluster.value
      let measure = try await Self.measure(Subject.self, on: cluster)
      let harness = FaultHarness<Subject>(fault, on: cluster, measure: measure, share: scale * fault.share)
      let tally = try await harness.run()
      #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
    }

    /// One server for all cases, which run one after another: most of them crash it.
    private static let cluster = Task { try await PostgresCluster.create() }

    private static let measures = Mutex<[String: FaultMeasure]>([:])

    private static func measure<Subject: FaultSubject>(
      _: Subject.Type, on cluster: PostgresCluster
    ) async throws -> FaultMeasure {
      let name = "\(Subject.self)"
      if let measure = measures.withLock({ $0[name] }) { return measure }
      let measure = try await FaultHarness<Subject>.measureUndisturbed(on: cluster)
      measures.withLock { $0[name] = measure }
      return measure
    }
  }
}

extension Fault {
  /// Recovery of the server takes seconds, so those faults get a smaller share.
  fileprivate var share: Double {
    switch self {
    case .killTool: 1
    case .killBackend, .interruptTool: 0.35
    case .terminateTool, .terminateBackend, .cutConnection, .killServer, .killChild,
      .killThrowawayServer:
      0.2
    }
  }
}
