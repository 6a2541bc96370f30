/// A reason why a deployment or its way back cannot go on.
///
/// `message` says what happened in one line, `detail` the facts and in what state the database is, `hint` what to type
/// next.
public struct DeploymentError: Error, Sendable, Equatable {
  /// What kind of failure this is; the executable maps it to an exit status.
  public enum Kind: Sendable, Equatable {
    /// The request or a record cannot be used; nothing was done.
    case invalidInput
    case failed
    /// The server is away, or another run is in the way; trying again may help.
    case tryAgain
    case interrupted
  }

  public let kind: Kind
  public let message: String
  public let detail: String?
  public let hint: String?
  public let sqlState: String?

  public init(
    _ kind: Kind, _ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.detail = detail
    self.hint = hint
    self.sqlState = sqlState
  }
}
