/// The words of a line, and the comments among them.
struct InlineText {
  /// Without emphasis, marks of code, addresses of links, and comments.
  let text: String
  /// Where comments stand in the document, from `<` to behind `>`.
  let comments: [Range<Int>]

  /// - Parameter range: of a line's rest. A comment that does not end in it is text.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    var kept: [UInt8] = []
    var comments: [Range<Int>] = []
    var place = range.lowerBound
    // Where none ends any more, none is looked for again.
    var mayEnd = true
    while place < range.upperBound {
      if bytes[place] == UInt8(ascii: "`") {
        let span = Self.codeSpan(bytes, place..<range.upperBound)
        // Marks of emphasis are none in code.
        kept += bytes[span.content].flatMap { "*_[~\\".utf8.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }
        place = span.end
      } else if mayEnd, Self.isComment(bytes, place..<range.upperBound) {
        let end = Self.commentEnd(bytes, place..<range.upperBound)
        if let end { comments.append(place..<end) } else { kept.append(bytes[place]) }
        mayEnd = end != nil
        place = end ?? place + 1
      } else {
        kept.append(bytes[place])
        place += 1
      }
    }
    self.comments = comments
    text = Self.plain(String(decoding: kept, as: UTF8.self))
  }

  static func isComment(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    bytes[range].starts(with: "<!--".utf8)
  }

  /// Behind the end of the comment that begins where `range` does; nil where it does not end.
  ///
  /// `<!-->` is one, as in HTML.
  static func commentEnd(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
    bytes[range].dropFirst(2).firstRange(of: Array("-->".utf8))?.upperBound
  }

  private static func codeSpan(_ bytes: [UInt8], _ range: Range<Int>) -> (content: Range<Int>, end: Int) {
    let tick = UInt8(ascii: "`")
    let length = bytes[range].prefix { $0 == tick }.count
    let start = range.lowerBound + length
    var place = start
    while place < range.upperBound {
      guard bytes[place] == tick else {
        place += 1
        continue
      }
      let run = bytes[place..<range.upperBound].prefix { $0 == tick }.count
      if run == length { return (start..<place, place + run) }
      place += run
    }
    return (range.lowerBound..<start, start)
  }

  /// Longer lines are no words of people, and are left as they are.
  private static let longest = 10_000

  private static func plain(_ text: String) -> String {
    guard text.utf8.count <= longest else { return text }
    var result = ""
    var rest = Substring(text)
    while let character = rest.popFirst() {
      switch character {
      case "\\":
        if let next = rest.first, next.isASCII, next.isPunctuation || next.isSymbol {
          result.append(next)
          rest.removeFirst()
        } else {
          result.append(character)
        }
      case "*" where !isOperator(result.last, rest.first),
        "~" where rest.first == "~" || result.hasSuffix("~"):
        if character == "~", rest.first == "~" { rest.removeFirst() }
      case "_" where !(isWord(result.last) && isWord(rest.first)): break
      case "[":
        if let close = rest.firstIndex(of: "]"), rest[rest.index(after: close)...].first == "(",
          let end = rest[close...].firstIndex(of: ")")
        {
          result += rest[..<close]
          rest = rest[rest.index(after: end)...]
        } else {
          result.append(character)
        }
      default: result.append(character)
      }
    }
    return result.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// A star with blanks on both sides is no emphasis.
  private static func isOperator(_ before: Character?, _ after: Character?) -> Bool {
    (before?.isWhitespace ?? true) && (after?.isWhitespace ?? true)
  }

  private static func isWord(_ character: Character?) -> Bool {
    character.map { $0.isLetter || $0.isNumber } ?? false
  }
}
