/// A reason why an archive or a backup cannot be read or written.
///
/// `message` says what happened in one line, `detail` the facts, `hint` what to type next.
public struct ArchiveError: Error, Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The bytes are not what they should be: damaged, cut, or made to mislead.
    case damaged
    /// A version or compression that this tool does not know.
    case unsupported
    /// A file that is missing, not regular, or not inside the archive.
    case missing
    /// The operating system refused.
    case system
    /// No space is left on the device, or a quota is used up.
    case diskFull
  }

  public let kind: Kind
  public let message: String
  public let detail: String?
  public let hint: String?

  public init(_ kind: Kind, _ message: String, detail: String? = nil, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.detail = detail
    self.hint = hint
  }
}
