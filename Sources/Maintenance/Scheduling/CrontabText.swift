/// A crontab, in which only our own lines are touched: everything else stays as it is, byte for byte.
public struct CrontabText: Sendable, Equatable {
  public let bytes: [UInt8]

  /// - Parameter bytes: of any encoding.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The text of our block, with its markers; nil where there is none.
  ///
  /// - Throws: ``MaintenanceError`` for markers that do not belong together.
  public func block(_ name: String) throws(MaintenanceError) -> [UInt8]? {
    try range(name).map { Array(bytes[$0]) }
  }

  /// The names of all blocks, in their order, also of damaged ones.
  public var names: [String] {
    let prefix = Array("# tsdb begin ".utf8)
    return lines.compactMap { line in
      let text = bytes[line.content]
      guard text.starts(with: prefix) else { return nil }
      return String(decoding: text.dropFirst(prefix.count), as: UTF8.self)
    }
  }

  /// With the block in the place of the one of its name; else at the beginning, where variables that others set
  /// further down do not reach it.
  ///
  /// - Throws: ``MaintenanceError`` for markers that do not belong together.
  public func replacing(with block: CrontabBlock) throws(MaintenanceError) -> CrontabText {
    let text = Array(block.text.utf8)
    guard let range = try range(block.name) else { return CrontabText(text + bytes) }
    return CrontabText(bytes[..<range.lowerBound] + text + bytes[range.upperBound...])
  }

  /// - Throws: ``MaintenanceError`` for markers that do not belong together.
  public func removing(_ name: String) throws(MaintenanceError) -> CrontabText {
    guard let range = try range(name) else { return self }
    return CrontabText(Array(bytes[..<range.lowerBound] + bytes[range.upperBound...]))
  }

  private struct Line {
    /// Without the line end.
    let content: Range<Int>
    /// With it, if there is one.
    let whole: Range<Int>
  }

  private var lines: [Line] {
    var lines: [Line] = []
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let next = min(end + 1, bytes.count)
      lines.append(Line(content: start..<end, whole: start..<next))
      start = next
    }
    return lines
  }

  private func range(_ name: String) throws(MaintenanceError) -> Range<Int>? {
    let (begin, end) = (Array(CrontabBlock.begin(name).utf8), Array(CrontabBlock.end(name).utf8))
    let lines = lines
    func places(_ marker: [UInt8]) -> [Int] {
      lines.indices.filter { bytes[lines[$0].content] == marker[...] }
    }
    let (begins, ends) = (places(begin), places(end))
    if begins.isEmpty, ends.isEmpty { return nil }
    guard begins.count == 1, ends.count == 1, begins[0] < ends[0] else {
      throw damaged(name, begins.count, ends.count)
    }
    let between = (begins[0] + 1)..<ends[0]
    // Another's marker within ours: taking our lines out would take theirs along.
    let foreign = between.contains { index in
      let text = bytes[lines[index].content]
      return text.starts(with: Array("# tsdb begin ".utf8)) || text.starts(with: Array("# tsdb end ".utf8))
    }
    guard !foreign else { throw damaged(name, 1, 1) }
    return lines[begins[0]].whole.lowerBound..<lines[ends[0]].whole.upperBound
  }

  private func damaged(_ name: String, _ begins: Int, _ ends: Int) -> MaintenanceError {
    MaintenanceError(
      .failed, "the markers of the entry \"\(name)\" in the crontab do not belong together",
      detail: "There are \(begins) lines \"\(CrontabBlock.begin(name))\" and \(ends) lines "
        + "\"\(CrontabBlock.end(name))\", so nobody can tell which lines are ours. Nothing was changed.",
      hint: "take these lines and what belongs to them out by hand (crontab -e), and run the command again")
  }
}
