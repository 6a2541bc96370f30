/// A place in a source text.
public struct SourcePosition: Sendable, Hashable {
  /// 1 for the first line.
  public let line: Int
  /// 1 for the first character of the line. A character is a Unicode scalar, as in the positions
  /// PostgreSQL reports; a tab counts one.
  public let column: Int
  /// Bytes of UTF-8 before this place.
  public let byteOffset: Int

  /// A position as it stands; `SourceText` computes consistent ones.
  public init(line: Int, column: Int, byteOffset: Int) {
    self.line = line
    self.column = column
    self.byteOffset = byteOffset
  }
}

extension SourcePosition: CustomStringConvertible {
  /// `line:column`, as compilers write it after the file name.
  public var description: String { "\(line):\(column)" }
}

extension SourcePosition: Comparable {
  /// Ordered by place in the text.
  public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
    left.byteOffset < right.byteOffset
  }
}

/// The bytes of an SQL file with an index of its lines.
///
/// A line ends at LF, CR LF or a lone CR, the line ends PostgreSQL's scanner knows. A leading byte
/// order mark is dropped, and byte offsets count from behind it.
public struct SourceText: Sendable {
  /// The text without a leading byte order mark.
  public let utf8: [UInt8]
  /// The byte offset of the first character of each line; never empty.
  private let lineStarts: [Int]
  /// How many characters stand before each multiple of `stride` bytes, so that a column in a very
  /// long line does not cost its length.
  private let charactersBefore: [Int]

  private static let stride = 1024

  /// The source text of a string.
  public init(_ text: String) {
    self.init(utf8: Array(text.utf8))
  }

  /// The source text of a file's bytes. They are kept as they are: `SQLScript.parse` refuses invalid UTF-8.
  public init(utf8 bytes: [UInt8]) {
    let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
    utf8 = hasMark ? Array(bytes.dropFirst(3)) : bytes
    var starts = [0]
    var counts: [Int] = []
    counts.reserveCapacity(utf8.count / Self.stride + 1)
    var characters = 0
    utf8.withUnsafeBufferPointer { buffer in
      for offset in 0..<buffer.count {
        if offset % Self.stride == 0 { counts.append(characters) }
        let byte = buffer[offset]
        if byte & 0xC0 != 0x80 { characters += 1 }
        if byte == 0x0A || (byte == 0x0D && !(offset + 1 < buffer.count && buffer[offset + 1] == 0x0A)) {
          starts.append(offset + 1)
        }
      }
    }
    lineStarts = starts
    charactersBefore = counts
  }

  /// The number of lines; an empty text has one.
  public var lineCount: Int { lineStarts.count }

  /// The whole text; bytes that are not UTF-8 appear as replacement characters.
  public var text: String { String(decoding: utf8, as: UTF8.self) }

  /// The text of a byte range, cut to what exists.
  public func text(in range: Range<Int>) -> String {
    String(decoding: utf8[range.clamped(to: 0..<utf8.count)], as: UTF8.self)
  }

  /// The place of a byte offset. Offsets outside the text are moved to its ends, and one inside a
  /// character to the character's first byte.
  public func position(at byteOffset: Int) -> SourcePosition {
    var offset = max(0, min(byteOffset, utf8.count))
    while offset > 0, offset < utf8.count, utf8[offset] & 0xC0 == 0x80 { offset -= 1 }
    let line = lineIndex(containing: offset)
    let column = characters(before: offset) - characters(before: lineStarts[line]) + 1
    return SourcePosition(line: line + 1, column: column, byteOffset: offset)
  }

  /// The place of a character counted from a byte offset: what PostgreSQL reports as the position of an
  /// error (1-based, in characters) within a statement that starts at `byteOffset`.
  public func position(ofCharacter character: Int, from byteOffset: Int) -> SourcePosition {
    position(at: self.byteOffset(ofCharacter: character, from: byteOffset))
  }

  func byteOffset(ofCharacter character: Int, from start: Int) -> Int {
    var offset = max(0, min(start, utf8.count))
    var remaining = character - 1
    while remaining > 0, offset < utf8.count {
      offset += 1
      while offset < utf8.count, utf8[offset] & 0xC0 == 0x80 { offset += 1 }
      remaining -= 1
    }
    return offset
  }

  /// The text of a line (1-based) without its line end; empty when there is no such line.
  public func line(_ number: Int) -> String {
    guard let range = byteRange(ofLine: number) else { return "" }
    return text(in: range)
  }

  /// The bytes of a line (1-based) without its line end; nil when there is no such line.
  public func byteRange(ofLine number: Int) -> Range<Int>? {
    guard number >= 1, number <= lineStarts.count else { return nil }
    let start = lineStarts[number - 1]
    var end = number < lineStarts.count ? lineStarts[number] : utf8.count
    while end > start, utf8[end - 1] == 0x0A || utf8[end - 1] == 0x0D { end -= 1 }
    return start..<end
  }

  private func lineIndex(containing offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle - 1 }
    }
    return low
  }

  private func characters(before offset: Int) -> Int {
    guard offset > 0 else { return 0 }
    let block = min(offset / Self.stride, charactersBefore.count - 1)
    var count = charactersBefore[block]
    for index in (block * Self.stride)..<offset where utf8[index] & 0xC0 != 0x80 { count += 1 }
    return count
  }
}
