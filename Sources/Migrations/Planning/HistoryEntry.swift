/// A migration as the history of a database knows it.
public struct HistoryEntry: Sendable, Equatable {
  public enum State: String, Sendable {
    case applied
    /// A `transaction off` file that began and has not ended.
    case running
  }

  public let name: String
  public let version: String?
  public let checksum: String
  public let tokenChecksum: String
  public let state: State
  public let isRepeatable: Bool
  public let requirements: [String]
  /// As the server prints it in ISO style, UTC.
  public let appliedAt: String
  public let appliedBy: String
  public let durationMilliseconds: Int
  public let fingerprint: String?
  /// Increases in the order of application.
  public let ordinal: Int

  public init(
    name: String, version: String? = nil, checksum: String, tokenChecksum: String, state: State = .applied,
    isRepeatable: Bool = false, requirements: [String] = [], appliedAt: String = "",
    appliedBy: String = "", durationMilliseconds: Int = 0, fingerprint: String? = nil, ordinal: Int = 0
  ) {
    self.name = name
    self.version = version
    self.checksum = checksum
    self.tokenChecksum = tokenChecksum
    self.state = state
    self.isRepeatable = isRepeatable
    self.requirements = requirements
    self.appliedAt = appliedAt
    self.appliedBy = appliedBy
    self.durationMilliseconds = durationMilliseconds
    self.fingerprint = fingerprint
    self.ordinal = ordinal
  }
}
