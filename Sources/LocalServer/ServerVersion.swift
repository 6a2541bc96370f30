/// A PostgreSQL server version, as `postgres --version` prints it.
public struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: Int
  /// The minor release; zero for a development version.
  public let minor: Int
  /// "beta2", "rc1" or "devel" for a version that is not a release, otherwise empty.
  public let preRelease: String

  public init(major: Int, minor: Int, preRelease: String = "") {
    self.major = major
    self.minor = minor
    self.preRelease = preRelease
  }

  /// Reads `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`; nil for anything else.
  public init?(programOutput: String) {
    let words = programOutput.split(whereSeparator: \.isWhitespace)
    guard let product = words.firstIndex(of: "(PostgreSQL)"), product + 1 < words.endIndex else { return nil }
    self.init(words[product + 1])
  }

  private init?(_ word: Substring) {
    let majorDigits = word.prefix(while: \.isASCIIDigit)
    guard let major = Int(majorDigits) else { return nil }
    var rest = word.dropFirst(majorDigits.count)
    var minor = 0
    if rest.first == "." {
      let minorDigits = rest.dropFirst().prefix(while: \.isASCIIDigit)
      guard let number = Int(minorDigits) else { return nil }
      minor = number
      rest = rest.dropFirst(1 + minorDigits.count)
    }
    self.init(major: major, minor: minor, preRelease: String(rest))
  }

  /// Every release is newer than every pre-release: only a release is chosen unasked.
  public static func < (left: ServerVersion, right: ServerVersion) -> Bool {
    if left.preRelease.isEmpty != right.preRelease.isEmpty { return !left.preRelease.isEmpty }
    return (left.major, left.minor, left.preRelease) < (right.major, right.minor, right.preRelease)
  }

  public var description: String {
    preRelease.isEmpty ? "\(major).\(minor)" : "\(major)\(preRelease)"
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
