import Checklists
import SystemPackage

/// Reads evidence back and checks its chain.
public struct ChecklistVerify: Sendable {
  public let file: String

  public init(file: String) {
    self.file = file
  }

  public struct Result: Sendable, Encodable {
    public let evidence: String
    public let header: EvidenceHeader
    public let items: Int
    public let counts: [String: Int]
    public let ended: String
    /// Of the last line.
    public let sha256: String
  }

  /// - Throws: ``ChecklistError`` with the first line that does not follow the one before.
  public func run() throws -> Result {
    let bytes: [UInt8]
    do {
      bytes = try FileBytes.read(FilePath(Project.absolute(file)), limit: 64 << 20)
    } catch {
      throw ChecklistError(.invalidInput, "\"\(file)\" cannot be read: \(error)")
    }
    let chain = try EvidenceChain(verifying: bytes, path: file)
    return Result(
      evidence: file, header: chain.header, items: chain.items.count, counts: chain.end.counts,
      ended: chain.end.time, sha256: chain.digest)
  }
}
