import Checklists

/// All probes that a checklist can be bound to.
public enum ProbeRegistry {
  /// By area; names are unique.
  public static let all: [any Probe.Type] =
    ConnectionProbes.all + SchemaProbes.all + ConfigurationProbes.all + SecurityProbes.all + SmokeProbes.all
    + MonitoringProbes.all + OperationProbes.all

  /// Asks a probe; one on backups, migrations or maintenance gets the project.
  public static func ask(
    _ probe: any Probe, _ context: ProbeContext, in access: DatabaseAccess
  ) async -> ProbeAnswer {
    if let probe = probe as? any ProjectProbe { return await probe.run(context, in: access) }
    return await probe.run(context)
  }
}

/// A probe that needs the project: its repository, its migrations, its jobs.
public protocol ProjectProbe: Probe {
  /// Asks. What goes wrong while asking is `unknown`, never `proved`.
  func run(_ context: ProbeContext, in access: DatabaseAccess) async -> ProbeAnswer
}

extension ProjectProbe {
  public func run(_ context: ProbeContext) async -> ProbeAnswer {
    ProbeAnswer(.unknown, asked: Self.name, observed: "it needs a project, and was asked without one")
  }
}
