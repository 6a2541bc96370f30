import Digests

/// A Markdown document with boxes.
///
/// Items are the boxes of task lists, and the numbered steps below a heading such as "Rollback Plan". What stands in
/// code and in comments is no item.
public struct ChecklistDocument: Sendable {
  /// As it was given, for messages.
  public let path: String
  public let bytes: [UInt8]
  /// In their order.
  public let items: [ChecklistItem]
  /// The offset of each box's mark, by line.
  let marks: [Int: Int]

  /// - Throws: ``ChecklistError`` of kind `invalidInput` with the place of a comment that is no binding.
  public init(parsing bytes: [UInt8], path: String) throws(ChecklistError) {
    self.path = path
    self.bytes = bytes
    var reader = DocumentReader(bytes, path: path)
    for (index, line) in DocumentLine.all(of: bytes).enumerated() {
      try reader.read(line, number: index + 1)
    }
    try reader.finish()
    items = reader.items
    marks = reader.marks
  }

  /// The SHA-256 of its bytes, lower-case hexadecimal.
  public var digest: String { SHA256Digest.digest(of: bytes) }

  /// The document with its boxes set: `[x]` for what is proved, `[ ]` for what is not. Every other byte stays, and so
  /// does the box of a line that `states` has not.
  ///
  /// - Parameter states: by line.
  public func filled(_ states: [Int: ProbeState]) -> [UInt8] {
    var result = bytes
    for (line, state) in states {
      guard let mark = marks[line] else { continue }
      let isTicked = bytes[mark] != 0x20
      if isTicked != (state == .proved) { result[mark] = state == .proved ? UInt8(ascii: "x") : 0x20 }
    }
    return result
  }
}
