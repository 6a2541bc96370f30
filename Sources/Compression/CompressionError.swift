/// Why compressed bytes cannot be read or made.
public struct CompressionError: Error, Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// The bytes are not what their format asks for, or a checksum differs.
    case damaged
    /// The bytes end before their format says that they do.
    case incomplete
    /// Something follows the end of the compressed bytes.
    case trailingGarbage
    /// A variant of the format that is not read, or a setting that does not exist.
    case unsupported
    /// The library could not get its memory.
    case outOfMemory
  }

  public let kind: Kind
  /// In one line, such as `the gzip data is damaged: the checksum differs`.
  public let message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}
