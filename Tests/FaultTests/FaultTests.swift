import TestSupport
import Testing

/// Each case kills or disturbs a command at many moments; see ``FaultHarness``.
///
/// `TSDB_FAULTS` says how many times, `TSDB_TEST_SEED` which moments.
@Suite(.serialized, .seeded) struct `Faults` {
  @Suite(.serialized) struct `No dirty state` {
    @Test(arguments: Fault.allCases)
    func `migrate up finishes what a fault interrupted`(fault: Fault) async throws {
      try await disturb(MixedUp.self, by: fault)
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
      try await PostgresCluster.with { cluster in
        let tally = try await FaultHarness<Subject>(fault, on: cluster, share: scale * fault.share).run()
        #expect(tally.hit > 0 || !FaultCount.isFull, "no fault met a running command")
      }
    }
  }
}

extension Fault {
  /// Recovery of the server takes seconds, so those faults get a smaller share.
  fileprivate var share: Double {
    switch self {
    case .killTool: 1
    case .killBackend, .interruptTool: 0.35
    case .terminateTool, .terminateBackend, .cutConnection, .killServer: 0.2
    }
  }
}
