/// Reads a comment such as `<!-- tsdb: matview.fresh max=1h -->`.
struct BindingReader {
  private let bytes: [UInt8]
  private let comment: Range<Int>
  private let source: DocumentPlace

  private struct Word {
    let text: String
    let offset: Int
    /// Of `key=value`, with where the value begins.
    let key: String?
    let value: String
  }

  init(_ bytes: [UInt8], _ comment: Range<Int>, _ source: DocumentPlace) {
    self.bytes = bytes
    self.comment = comment
    self.source = source
  }

  /// The call; nil where the comment is none of ours.
  func read() throws(ChecklistError) -> ProbeCall? {
    let isClosed = bytes[comment].suffix(3).elementsEqual("-->".utf8) && comment.count >= 7
    let inside = (comment.lowerBound + 4)..<(isClosed ? comment.upperBound - 3 : comment.upperBound)
    guard let start = bytes[inside].firstIndex(where: { !Self.isSpace($0) }),
      bytes[start..<inside.upperBound].starts(with: "tsdb:".utf8)
    else { return nil }
    guard isClosed else {
      throw source.error("the comment is not closed", at: comment.lowerBound, hint: "end it with -->")
    }
    let words = try words(in: (start + 5)..<inside.upperBound)
    guard let name = words.first else {
      throw source.error(
        "the binding names no probe", at: start + 5, hint: "write a probe such as \"matview.fresh\"")
    }
    guard name.key == nil, Self.isName(name.text) else {
      throw source.error(
        "\"\(name.text)\" is not the name of a probe", at: name.offset,
        hint: "write area.question such as \"matview.fresh\", or command, url or attest")
    }
    return try call(name.text, at: name.offset, words.dropFirst())
  }

  private func call(
    _ name: String, at offset: Int, _ words: ArraySlice<Word>
  ) throws(ChecklistError) -> ProbeCall {
    var call = ProbeCall(name)
    for word in words {
      // What follows a program is its own.
      if let key = word.key, !(name == "command" && !call.operands.isEmpty) {
        guard call.arguments[key] == nil else {
          throw source.error("\"\(key)\" is given twice", at: word.offset)
        }
        call.arguments[key] = word.value
      } else {
        if !ProbeCall.withOperands.contains(name) {
          throw source.error(
            "a probe takes key=value, not \"\(word.text)\"", at: word.offset,
            hint: "words with blanks are quoted: key=\"two words\"")
        }
        call.operands.append(word.text)
      }
    }
    if name == "command", call.operands.isEmpty {
      throw source.error("the program is missing", at: offset, hint: "write: command PROGRAM ARGUMENT …")
    }
    if name == "url", call.operands.count != 1 {
      throw source.error("url takes one address", at: offset, hint: "write: url https://HOST/PATH expect=200")
    }
    return call
  }

  private func words(in range: Range<Int>) throws(ChecklistError) -> [Word] {
    var words: [Word] = []
    var place = range.lowerBound
    while place < range.upperBound {
      guard !Self.isSpace(bytes[place]) else {
        place += 1
        continue
      }
      words.append(try word(at: &place, end: range.upperBound))
    }
    return words
  }

  private func word(at place: inout Int, end: Int) throws(ChecklistError) -> Word {
    let start = place
    var text: [UInt8] = []
    var equals: Int?
    var quote: Int?
    while place < end, quote != nil || !Self.isSpace(bytes[place]) {
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        quote = quote == nil ? place - 1 : nil
      case UInt8(ascii: "\\") where quote != nil && place < end:
        text.append(bytes[place])
        place += 1
      case UInt8(ascii: "=") where quote == nil && equals == nil && bytes[start] != UInt8(ascii: "\""):
        equals = text.count
        text.append(byte)
      default: text.append(byte)
      }
    }
    if let quote { throw source.error("the quote is not closed", at: quote) }
    guard let whole = String(validating: text, as: UTF8.self), !text.contains(0) else {
      throw source.error("the binding is not valid UTF-8", at: start, hint: "save the document as UTF-8")
    }
    guard let equals, Self.isKey(text[..<equals]) else {
      return Word(text: whole, offset: start, key: nil, value: "")
    }
    return Word(
      text: whole, offset: start, key: String(decoding: text[..<equals], as: UTF8.self),
      value: String(decoding: text[(equals + 1)...], as: UTF8.self))
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

  private static func isKey(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else {
      return false
    }
    return bytes.allSatisfy(isWordByte)
  }

  private static func isName(_ text: String) -> Bool {
    if ProbeCall.withOperands.contains(text) { return true }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { isKey(Array($0.utf8)[...]) }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: "_")
  }
}

extension ProbeCall {
  /// Names that take words besides `key=value`.
  static let withOperands: Set = ["command", "url", "attest"]
}
