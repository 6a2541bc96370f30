/// Names of files in a directory archive.
public enum ArchiveFileName {
  /// The longest name that a file system takes, bytes; Linux and macOS alike.
  public static let maximumLength = 255

  /// Whether `name` can only mean a file directly in the archive's directory.
  ///
  /// pg_restore before the fixes of November 2026 follows a name with a slash out of the directory.
  public static func isValid(_ name: [UInt8]) -> Bool {
    guard (1...maximumLength).contains(name.count) else { return false }
    guard !name.contains(UInt8(ascii: "/")), !name.contains(0) else { return false }
    return name != Array(".".utf8) && name != Array("..".utf8)
  }

  /// `text` for a message: one line, at most 80 bytes of it, what is not printable replaced by `?`.
  public static func printable(_ text: [UInt8]) -> String {
    let shown = String(decoding: text.prefix(80), as: UTF8.self).unicodeScalars.map { scalar in
      scalar.properties.isPrintable ? Character(scalar) : "?"
    }
    return String(shown) + (text.count > 80 ? "…" : "")
  }
}

extension Unicode.Scalar.Properties {
  fileprivate var isPrintable: Bool {
    switch generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
    default: true
    }
  }
}
