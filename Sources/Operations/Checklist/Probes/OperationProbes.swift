import Checklists

/// The probes on backups, migrations and maintenance.
public enum OperationProbes {
  public static let all: [any Probe.Type] = []
}
