/// How table data is compressed, as a person writes it: `none`, `isal:2`, `gzip:6`.
struct BackupCompression: Sendable, Equatable {
  /// With its level.
  let text: String

  /// nil for anything that is not known. Without a level ISA-L is used at 2 and zlib at 6.
  init?(text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let levels: ClosedRange<Int>
    let standard: Int
    switch parts[0] {
    case "none" where parts.count == 1:
      self.text = text
      return
    case "isal": (levels, standard) = (0...3, 2)
    case "gzip": (levels, standard) = (1...9, 6)
    default: return nil
    }
    guard let level = parts.count == 2 ? Int(parts[1]) : standard, levels.contains(level) else { return nil }
    self.text = "\(parts[0]):\(level)"
  }
}
