import Maintenance

/// What `maintain` in `tsdb.yaml` says.
public struct MaintenanceConfiguration: Sendable, Equatable {
  /// In the order in which they are tried.
  public var jobs: [JobDefinition] = []
  public var timeZone = "UTC"
  /// How long runs are remembered.
  public var history = Duration.seconds(90 * 86_400)
  public var gates = GateLimits()
  /// Of a file for Prometheus; relative to the project's directory.
  public var metrics: String?
  /// Of a file of JSON lines; relative to the project's directory.
  public var log: String?
  /// Of a file that holds the URL to ping, which is a secret; relative to the project's directory.
  public var pingURLFile: String?

  public init() {}
}
