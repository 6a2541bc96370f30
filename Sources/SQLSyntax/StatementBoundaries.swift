/// A stretch of tokens that is one statement as far as tokens can tell.
struct StatementPiece {
  /// Indices of its tokens, without the semicolon. Empty for an empty statement.
  let tokens: Range<Int>
  /// Where the next piece starts.
  let next: Int
  /// The index of `atomic`, when it is a routine with a body in standard SQL.
  let atomicBody: Int?
  /// An upper bound for how deeply its tree nests.
  let nesting: Int
}

/// Finds the ends of statements in the scanner's tokens.
///
/// `pg_query_split_with_scanner` is not used: it leaves out a statement without any keyword (`selec 1;`)
/// without a word, and cuts a `begin atomic` body at its first semicolon. The tokens are the same; the grammar has the last word
/// wherever it accepts the text.
struct StatementBoundaries {
  let text: TokenizedText

  /// The piece that starts at a token. A semicolon ends it, except inside `begin atomic … end` of a routine
  /// and inside the parentheses of `create rule`, the only places where the grammar has one.
  func piece(from start: Int) -> StatementPiece {
    let mayHaveBody = isRoutine(start)
    let isRule = isCreate("rule", at: start)
    var bodyDepth = 0
    var atomicBody: Int?
    var parentheses = 0
    var nesting = NestingEstimate()
    var index = start
    while index < text.tokens.count {
      let kind = text.tokens[index].kind
      nesting.add(token: index, of: text)
      switch kind {
      case .semicolon where bodyDepth == 0 && (parentheses == 0 || !isRule):
        return StatementPiece(
          tokens: start..<index, next: index + 1, atomicBody: atomicBody, nesting: nesting.maximum)
      case .openParenthesis: parentheses += 1
      case .closeParenthesis: parentheses -= 1
      case .word where mayHaveBody:
        bodyDepth += bodyChange(at: index, depth: bodyDepth)
        if bodyDepth == 1, atomicBody == nil { atomicBody = index }
      default: break
      }
      index += 1
    }
    return StatementPiece(
      tokens: start..<index, next: index, atomicBody: atomicBody, nesting: nesting.maximum)
  }

  /// The rule psql follows: `case` opens and `end` closes inside a body. Where a column is called so, after
  /// `as` or a dot, they do not count.
  private func bodyChange(at index: Int, depth: Int) -> Int {
    if depth == 0 {
      return text.isWord("atomic", at: index) && text.isWord("begin", at: index - 1) ? 1 : 0
    }
    let isName = text.isWord("as", at: index - 1) || text.kind(at: index - 1) == .dot
    if isName { return 0 }
    if text.isWord("case", at: index) { return 1 }
    if text.isWord("end", at: index) { return -1 }
    return 0
  }

  private func isRoutine(_ start: Int) -> Bool {
    isCreate("function", at: start) || isCreate("procedure", at: start)
  }

  private func isCreate(_ object: StaticString, at start: Int) -> Bool {
    guard text.isWord("create", at: start) else { return false }
    if text.isWord("or", at: start + 1), text.isWord("replace", at: start + 2) {
      return text.isWord(object, at: start + 3)
    }
    return text.isWord(object, at: start + 1)
  }
}

/// An upper bound for the depth of a statement's tree, from its tokens.
///
/// A chain of operators, casts, joins or unions nests once per link, parentheses and brackets nest what is in
/// them, and a comma starts afresh, except for a chain of unions, whose links have commas of their own. Names and
/// constants add nothing by themselves, truth values
/// neither, and the grammar keeps a chain of `and` or `or` flat.
struct NestingEstimate {
  private struct Level {
    var links = 0
    var unions = 0
  }

  private var levels = [Level()]
  private var current = 0
  private(set) var maximum = 0

  mutating func add(token index: Int, of text: TokenizedText) {
    let top = levels.count - 1
    switch text.tokens[index].kind {
    case .openParenthesis, .openBracket:
      levels.append(Level())
      current += 1
    case .closeParenthesis, .closeBracket:
      guard top > 0 else { return }
      let closed = levels.removeLast()
      current -= closed.links + closed.unions + 1
      // What is closed may be a link itself: a function call, a subscript.
      levels[top - 1].links += 1
      current += 1
    case .comma, .semicolon:
      current -= levels[top].links
      levels[top].links = 0
    case .symbol:
      levels[top].links += 1
      current += 1
    case .word where text.tokens[index].isKeyword:
      if isFlat(index, of: text) { return }
      let isUnion =
        text.isWord("union", at: index) || text.isWord("except", at: index)
        || text.isWord("intersect", at: index)
      if isUnion { levels[top].unions += 1 } else { levels[top].links += 1 }
      current += 1
    case .word, .quotedIdentifier, .string, .dot, .backslash, .comment, .constant: return
    }
    maximum = max(maximum, current)
  }

  private func isFlat(_ index: Int, of text: TokenizedText) -> Bool {
    text.isWord("and", at: index) || text.isWord("or", at: index) || text.isWord("true", at: index)
      || text.isWord("false", at: index) || text.isWord("null", at: index)
  }
}
