/// Finds lines and columns in the bytes of a document, for errors that point at it.
struct DocumentPlace {
  let bytes: [UInt8]
  let path: String

  /// An error about the byte at `offset`.
  func error(_ message: String, at offset: Int, hint: String? = nil) -> ChecklistError {
    let (line, start, end) = line(at: offset)
    let before = String(decoding: bytes[start..<max(start, min(offset, end))], as: UTF8.self)
    let text = Self.printable(String(decoding: bytes[start..<end], as: UTF8.self))
    let padding = before.map { character -> Character in character == "\t" ? "\t" : " " }
    return ChecklistError(
      .invalidInput, message, location: "\(path):\(line):\(before.count + 1)", hint: hint,
      excerpt: text + "\n" + String(padding) + "^")
  }

  private func line(at offset: Int) -> (number: Int, start: Int, end: Int) {
    let lines = DocumentLine.all(of: bytes)
    let index = lines.lastIndex { $0.start <= offset } ?? 0
    guard lines.indices.contains(index) else { return (1, 0, 0) }
    return (index + 1, lines[index].start, lines[index].end)
  }

  private static func printable(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let isControl = scalar.value < 0x20 && scalar != "\t" || (0x7F...0x9F).contains(scalar.value)
      result.append(isControl ? "\u{FFFD}" : scalar)
    }
    return String(result)
  }
}

/// The bytes of a line, without its end.
struct DocumentLine: Equatable {
  let start: Int
  let end: Int

  /// Lines end with LF, CR LF or CR, as CommonMark has it; a byte order mark is no part of the first.
  static func all(of bytes: [UInt8]) -> [DocumentLine] {
    var lines: [DocumentLine] = []
    var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    var place = start
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      guard byte == 0x0A || byte == 0x0D else { continue }
      lines.append(DocumentLine(start: start, end: place - 1))
      if byte == 0x0D, place < bytes.count, bytes[place] == 0x0A { place += 1 }
      start = place
    }
    if start < bytes.count { lines.append(DocumentLine(start: start, end: bytes.count)) }
    return lines
  }
}
