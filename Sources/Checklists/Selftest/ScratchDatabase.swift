import Postgres

/// A database that a control may break, and what belongs to it; its maker drops it.
public struct ScratchDatabase: Sendable {
  public enum Kind: Sendable, Equatable, CaseIterable {
    /// With the application's migrations, its initial configuration and refreshed views, as a deployment leaves it.
    case application
    /// With nothing in it, and nothing done to it yet.
    case empty
    /// Settings that lead to no server, with all else as for `application`.
    case unreachable
  }

  public typealias Asking = @Sendable (any Probe, ProbeContext) async -> ProbeAnswer

  /// Settings that lead to no server.
  public static let nowhere = ConnectionSettings(parameters: ConnectionProbes.nowhere)

  public let settings: ConnectionSettings
  /// How a probe is asked; what needs more than a connection gets it here.
  public let ask: Asking
  /// Changes the files of the project.
  public let change: @Sendable ([ScratchChange]) throws -> Void
  /// Ends what is still connected, and drops it.
  public let drop: @Sendable () async -> Void

  /// - Parameter change: without one, a defect in files cannot be made.
  public init(
    settings: ConnectionSettings, ask: @escaping Asking = { await $0.run($1) },
    change: @escaping @Sendable ([ScratchChange]) throws -> Void = { _ in
      throw ChecklistError(.failed, "the scratch database has no project")
    },
    drop: @escaping @Sendable () async -> Void = {}
  ) {
    self.settings = settings
    self.ask = ask
    self.change = change
    self.drop = drop
  }
}
