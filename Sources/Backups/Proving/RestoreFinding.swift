/// One thing that keeps a restored database from being made, or from being equal to its archive.
public struct RestoreFinding: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The archive is not, or does not become, what it says.
    case difference
    /// The server or the machine lacks something; nothing is said about the archive.
    case obstacle
  }

  public let kind: Kind
  /// One sentence without a full stop.
  public let problem: String
  /// What helps.
  public let remedy: String?

  public init(_ kind: Kind, _ problem: String, remedy: String? = nil) {
    self.kind = kind
    self.problem = problem
    self.remedy = remedy
  }
}
