/// Something in a backup that is not what its manifest says.
public struct VerificationFinding: Sendable, Hashable, Comparable {
  /// Of the file, relative to the backup.
  public let path: String
  /// One line.
  public let problem: String

  public init(path: String, problem: String) {
    self.path = path
    self.problem = problem
  }

  public static func < (a: VerificationFinding, b: VerificationFinding) -> Bool {
    (a.path, a.problem) < (b.path, b.problem)
  }
}

/// What a verification found.
public struct VerificationResult: Sendable, Equatable {
  /// Every fault, in order of the files; empty for a backup that is whole.
  public let findings: [VerificationFinding]
  /// nil when the manifest itself is damaged; then nothing else could be looked at.
  public let manifestSHA256: String?
  public let files: Int
  /// In the files, not decoded.
  public let bytes: Int64
  public let tables: Int
  /// Decoded and compared.
  public let rows: Int64
  public let durationMilliseconds: Int64

  public var isWhole: Bool { findings.isEmpty }
}

/// How far a verification has come.
public struct VerificationProgress: Sendable, Equatable {
  /// Bytes of files that were hashed or decoded; each data file counts twice.
  public let done: Int64
  public let total: Int64
}
