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
      nesting.add(kind)
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
/// A chain of operators, casts, joins or unions nests once per link, parentheses nest what is in them, and a
/// comma starts afresh. Names, constants and dots add nothing by themselves.
struct NestingEstimate {
  private var chains: [Int] = [0]
  private var current = 0
  private(set) var maximum = 0

  mutating func add(_ kind: Token.Kind) {
    switch kind {
    case .openParenthesis:
      chains.append(0)
      current += 1
    case .closeParenthesis:
      guard chains.count > 1 else { return }
      current -= chains.removeLast() + 1
    case .comma, .semicolon:
      current -= chains[chains.count - 1]
      chains[chains.count - 1] = 0
    case .word, .symbol:
      chains[chains.count - 1] += 1
      current += 1
    case .quotedIdentifier, .string, .dot, .backslash, .comment, .constant: return
    }
    maximum = max(maximum, current)
  }
}
