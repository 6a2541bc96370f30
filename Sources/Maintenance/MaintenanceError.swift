/// A reason why maintenance cannot be planned, run, scheduled or checked.
///
/// `message` says what happened in one line, `detail` the facts and what was kept, `hint` what to type
/// next.
public struct MaintenanceError: Error, Sendable, Equatable {
  /// What kind of failure this is; the executable maps it to an exit status.
  public enum Kind: Sendable, Equatable {
    /// The request or the configuration cannot be used; nothing was done.
    case invalidInput
    /// Something was refused or is not as it should be.
    case failed
    /// Another run or another session is in the way, or the server is away; trying again may help.
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
