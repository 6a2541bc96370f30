import Digests
import FoundationEssentials

/// Evidence that was read back and is whole.
public struct EvidenceChain: Sendable, Equatable {
  public let header: EvidenceHeader
  public let items: [ItemOutcome]
  public let end: EvidenceEnd
  /// Of the last line.
  public let digest: String

  /// Checks every line against the one before.
  ///
  /// - Throws: ``ChecklistError`` of kind `failed` with the first line that does not fit.
  public init(verifying bytes: [UInt8], path: String) throws(ChecklistError) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    func broken(_ number: Int, _ reason: String) -> ChecklistError {
      ChecklistError(
        .failed, "the evidence is broken at line \(number): \(reason)", location: "\(path):\(number):1")
    }
    guard lines.popLast()?.isEmpty == true else {
      throw broken(lines.count + 1, "the line was not written to its end")
    }
    var digest = EvidenceLine.origin
    var header: EvidenceHeader?
    var items: [ItemOutcome] = []
    var end: EvidenceEnd?
    for (index, bytes) in lines.enumerated() {
      let number = index + 1
      guard let line = try? JSONDecoder().decode(EvidenceLine.self, from: Data(bytes)) else {
        throw broken(number, "it is no evidence")
      }
      guard line.previous == digest else {
        throw broken(number, "it does not follow the line before, which was changed, or one was taken out")
      }
      guard end == nil else { throw broken(number, "it stands behind the end") }
      switch (line.header, line.item, line.end) {
      case (let value?, nil, nil) where number == 1: header = value
      case (nil, let value?, nil) where number > 1: items.append(value)
      case (nil, nil, let value?) where number > 1: end = value
      default: throw broken(number, number == 1 ? "it is no header" : "it is out of place")
      }
      digest = SHA256Digest.digest(of: Array(bytes))
    }
    guard let header, let end else { throw broken(lines.count + 1, "the end is missing") }
    guard end.counts == items.counts else {
      throw broken(lines.count, "its counts are not those of the lines above")
    }
    self.header = header
    self.items = items
    self.end = end
    self.digest = digest
  }
}

extension [ItemOutcome] {
  /// How many stand in each state, by its name; states that do not occur are left out.
  public var counts: [String: Int] {
    reduce(into: [:]) { $0[$1.state.rawValue, default: 0] += 1 }
  }
}
