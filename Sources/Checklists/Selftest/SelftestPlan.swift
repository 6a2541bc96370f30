/// What a probe is put through.
public enum SelftestControl: Sendable, Equatable {
  /// Not red on the scratch database, then broken, then red.
  case defect(ProbeDefect)
  /// Not proved by a database with nothing in it.
  case emptyDatabase
  /// Not proved, and not called inapplicable, where there is no server.
  case noServer
  /// It names no defect, which fails.
  case missingDefect

  /// As in ``SelftestResult/control``.
  public var name: String {
    switch self {
    case .defect: "defect"
    case .emptyDatabase: "empty-database"
    case .noServer: "no-server"
    case .missingDefect: "missing-defect"
    }
  }
}

/// One control of one probe.
public struct SelftestStep: Sendable {
  public let probe: any Probe.Type
  public let control: SelftestControl
}

/// Which controls probes are put through, in their order.
public struct SelftestPlan: Sendable {
  public let steps: [SelftestStep]

  public init(probes: [any Probe.Type]) {
    steps = probes.flatMap { probe in
      var controls = probe.defects.map { SelftestControl.defect($0) }
      if controls.isEmpty { controls.append(.missingDefect) }
      if !probe.isProvedByEmptyDatabase { controls.append(.emptyDatabase) }
      controls.append(.noServer)
      return controls.map { SelftestStep(probe: probe, control: $0) }
    }
  }
}
