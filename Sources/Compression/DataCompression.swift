#if canImport(CISAL)
  import CISAL
#endif

/// How table data is compressed in its file. Whatever the choice but `none`, the file is one ordinary
/// gzip member.
public enum DataCompression: Sendable, Equatable {
  case none
  /// Intel's ISA-L, level 0 to 3: five times as fast as zlib's level 1, and smaller from level 1 on.
  case isal(level: Int)
  /// zlib, level 1 to 9.
  case gzip(level: Int)

  /// The fastest that is smaller than zlib's level 1: ISA-L's level 2, or zlib's level 1 where ISA-L
  /// is not built in.
  public static var fastest: DataCompression {
    #if canImport(CISAL)
      .isal(level: 2)
    #else
      .gzip(level: 1)
    #endif
  }

  /// Reads `none`, `isal`, `isal:2`, `gzip` or `gzip:6`; nil for anything else.
  ///
  /// Without a level, ISA-L is used at 2 and zlib at 6.
  public init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var level: Int?
    if parts.count == 2 {
      guard parts[1].utf8.count == 1, let digit = Int(parts[1]) else { return nil }
      level = digit
    }
    switch parts.first {
    case "none" where parts.count == 1: self = .none
    case "isal": self = .isal(level: level ?? 2)
    case "gzip": self = .gzip(level: level ?? 6)
    default: return nil
    }
    guard isAvailable else { return nil }
  }

  /// Whether the level exists and the library is built in.
  public var isAvailable: Bool {
    switch self {
    case .none: true
    case .gzip(let level): (1...9).contains(level)
    case .isal(let level):
      #if canImport(CISAL)
        (0...3).contains(level)
      #else
        false
      #endif
    }
  }

  /// What a data file's name ends in: `.gz` or nothing.
  public var fileSuffix: String { self == .none ? "" : ".gz" }
}

extension DataCompression: CustomStringConvertible {
  /// As ``init(argument:)`` reads it, with the level: `isal:2`.
  public var description: String {
    switch self {
    case .none: "none"
    case .isal(let level): "isal:\(level)"
    case .gzip(let level): "gzip:\(level)"
    }
  }
}
