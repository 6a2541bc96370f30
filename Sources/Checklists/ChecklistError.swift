/// A reason why a checklist cannot be read, bound or run.
///
/// `message` says what happened in one line, `detail` the facts and what was kept, `hint` what to type
/// next.
public struct ChecklistError: Error, Sendable, Equatable {
  /// What kind of failure this is; the executable maps it to an exit status.
  public enum Kind: Sendable, Equatable {
    /// The request, the document or a binding cannot be used; nothing was done.
    case invalidInput
    case failed
    /// The server is away, or another run is in the way; trying again may help.
    case tryAgain
    case interrupted
  }

  public let kind: Kind
  public let message: String
  /// `file:line:column`, where the document is at fault.
  public let location: String?
  public let detail: String?
  public let hint: String?
  /// The line at fault, and a second one with a caret below the place.
  public let excerpt: String?

  public init(
    _ kind: Kind, _ message: String, location: String? = nil, detail: String? = nil, hint: String? = nil,
    excerpt: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.location = location
    self.detail = detail
    self.hint = hint
    self.excerpt = excerpt
  }
}
