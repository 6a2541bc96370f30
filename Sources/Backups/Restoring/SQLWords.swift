/// The words of SQL that pg_dump wrote, enough of them to find names and the ends of statements.
///
/// Works on bytes, in any encoding that a server can have: in all of them the bytes of quotes, backslash
/// and semicolon mean nothing else.
struct SQLWords: Sequence, IteratorProtocol {
  enum Word: Equatable {
    /// A bare word or number, as it stands.
    case bare([UInt8])
    /// A name from double quotes, without them.
    case quoted([UInt8])
    /// A constant, without its quotes; escapes of `E'…'` are kept as they stand.
    case constant([UInt8])
    case symbol(UInt8)
  }

  private let text: [UInt8]
  /// Where the next word is looked for.
  private(set) var position = 0

  init(_ text: [UInt8]) { self.text = text }

  mutating func next() -> Word? {
    skipBlanks()
    guard position < text.count else { return nil }
    let byte = text[position]
    switch byte {
    case UInt8(ascii: "\""): return .quoted(takeQuoted(byte, escapes: false))
    case UInt8(ascii: "'"): return .constant(takeQuoted(byte, escapes: false))
    case UInt8(ascii: "E"), UInt8(ascii: "e"):
      guard position + 1 < text.count, text[position + 1] == UInt8(ascii: "'") else {
        return .bare(takeBare())
      }
      position += 1
      return .constant(takeQuoted(UInt8(ascii: "'"), escapes: true))
    case UInt8(ascii: "$"):
      if let body = takeDollarQuoted() { return .constant(body) }
      position += 1
      return .symbol(byte)
    case _ where Self.isWordByte(byte): return .bare(takeBare())
    default:
      position += 1
      return .symbol(byte)
    }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    byte >= 0x80 || byte == UInt8(ascii: "_") || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
      || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
  }

  private mutating func skipBlanks() {
    while position < text.count {
      if [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) {
        position += 1
      } else if text[position...].starts(with: "--".utf8) {
        position = text[position...].firstIndex(of: 0x0A) ?? text.count
      } else {
        return
      }
    }
  }

  private mutating func takeBare() -> [UInt8] {
    let start = position
    while position < text.count, Self.isWordByte(text[position]) || text[position] == UInt8(ascii: "$") {
      position += 1
    }
    return Array(text[start..<position])
  }

  private mutating func takeQuoted(_ quote: UInt8, escapes: Bool) -> [UInt8] {
    var value: [UInt8] = []
    position += 1
    while position < text.count {
      let byte = text[position]
      position += 1
      if escapes, byte == UInt8(ascii: "\\"), position < text.count {
        value += [byte, text[position]]
        position += 1
      } else if byte != quote {
        value.append(byte)
      } else if position < text.count, text[position] == quote {
        value.append(byte)
        position += 1
      } else {
        break
      }
    }
    return value
  }

  private mutating func takeDollarQuoted() -> [UInt8]? {
    let rest = text[(position + 1)...]
    let tag = rest.prefix { Self.isWordByte($0) }
    guard tag.endIndex < text.count, text[tag.endIndex] == UInt8(ascii: "$") else { return nil }
    let mark = Array(text[position...tag.endIndex])
    var index = tag.endIndex + 1
    let start = index
    while index + mark.count <= text.count {
      if text[index] == mark[0], text[index..<(index + mark.count)].elementsEqual(mark) {
        position = index + mark.count
        return Array(text[start..<index])
      }
      index += 1
    }
    return nil
  }
}

extension SQLWords {
  /// The statements in `text`, each with its words and without its semicolon.
  static func statements(in text: [UInt8]) -> [(text: [UInt8], words: [Word])] {
    var result: [(text: [UInt8], words: [Word])] = []
    var scanner = SQLWords(text)
    var words: [Word] = []
    var start = 0
    while let word = scanner.next() {
      guard word == .symbol(UInt8(ascii: ";")) else {
        words.append(word)
        continue
      }
      if !words.isEmpty { result.append((Array(text[start..<(scanner.position - 1)]), words)) }
      words = []
      start = scanner.position
    }
    if !words.isEmpty { result.append((Array(text[start...]), words)) }
    return result
  }
}

extension SQLWords.Word {
  /// Whether it is this keyword, in whatever case.
  func isKeyword(_ keyword: String) -> Bool {
    guard case .bare(let bytes) = self else { return false }
    return String(decoding: bytes, as: UTF8.self).uppercased() == keyword
  }

  /// The name that it is when used as one.
  var name: [UInt8]? {
    switch self {
    case .bare(let bytes), .quoted(let bytes): bytes
    default: nil
    }
  }
}
