/// The verdict of a check, with the numbers of the Monitoring Plugins guidelines.
public enum HealthStatus: Int, Sendable, CaseIterable {
  case ok = 0
  case warning = 1
  case critical = 2
  /// What the check asks could not be seen.
  case unknown = 3

  /// Such as `CRITICAL`.
  public var word: String { "\(self)".uppercased() }

  /// Ascending: what is known to be bad comes before what is not known, and that before a warning.
  var severity: Int {
    switch self {
    case .ok: 0
    case .warning: 1
    case .unknown: 2
    case .critical: 3
    }
  }

  /// The worst of them; `ok` of none.
  public static func worst(_ statuses: some Sequence<HealthStatus>) -> HealthStatus {
    statuses.max { $0.severity < $1.severity } ?? .ok
  }
}

extension HealthStatus: Encodable {
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode("\(self)")
  }
}
