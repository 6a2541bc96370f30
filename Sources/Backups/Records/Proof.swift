import FoundationEssentials
import Timekeeping

/// The outcome of one check of a backup: a line of its `proofs.jsonl`.
public struct Proof: Codable, Sendable, Equatable {
  public enum Kind: String, Codable, Sendable {
    /// Every byte was read and is what the manifest says.
    case verified
    /// It was restored on a throwaway server, and the result was equal.
    case proven
    /// A check found that it is not whole.
    case failed
  }

  public var kind: Kind
  /// Of its end: UTC, ISO 8601 with seconds.
  public var time: String
  public var durationMilliseconds: Int64
  /// Of the manifest that was checked, lower-case hexadecimal. A proof of another manifest counts for nothing.
  public var manifestSHA256: String
  /// Such as `tsdb 0.1.0`.
  public var tool: String
  /// Of the server that the backup was restored on.
  public var serverVersion: String?
  public var detail: String?

  enum CodingKeys: String, CodingKey {
    case kind
    case time
    case durationMilliseconds = "duration_ms"
    case manifestSHA256 = "manifest_sha256"
    case tool
    case serverVersion = "server_version"
    case detail
  }

  public init(
    kind: Kind, time: UTCTime, durationMilliseconds: Int64, manifestSHA256: String, tool: String,
    serverVersion: String? = nil, detail: String? = nil
  ) {
    self.kind = kind
    self.time = time.description
    self.durationMilliseconds = durationMilliseconds
    self.manifestSHA256 = manifestSHA256
    self.tool = tool
    self.serverVersion = serverVersion
    self.detail = detail
  }
}

/// `proofs.jsonl` of a backup: one JSON object a line, in order of time, only added to.
public enum ProofLog {
  public static let fileName = "proofs.jsonl"
  private static let limit = 16 << 20

  /// The proofs of the manifest with the digest, oldest first.
  ///
  /// A line that is no proof, such as the last one of a run that was killed while it wrote, is left out.
  public static func read(in directory: HeldDirectory, manifestSHA256: String) throws(BackupError) -> [Proof]
  {
    guard try directory.attributes(fileName) != nil else { return [] }
    return parse(try directory.read(fileName, limit: limit)).filter { $0.manifestSHA256 == manifestSHA256 }
  }

  /// The proofs in the text of a log.
  static func parse(_ bytes: [UInt8]) -> [Proof] {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // Whatever follows the last line end was not written to its end.
    lines.removeLast()
    let decoder = JSONDecoder()
    return lines.compactMap { try? decoder.decode(Proof.self, from: Data($0)) }
      .filter { UTCTime($0.time) != nil }
  }

  /// Adds a proof, and makes it survive a power loss.
  public static func append(_ proof: Proof, in directory: HeldDirectory) throws(BackupError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let line = try? encoder.encode(proof) else {
      throw BackupError(.failed, "the proof cannot be written as JSON")
    }
    try directory.append(Array(line) + [UInt8(ascii: "\n")], to: fileName)
  }
}
