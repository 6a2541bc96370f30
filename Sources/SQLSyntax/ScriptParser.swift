/// Builds the statements of a script. Runs on the parser thread.
///
/// The text is parsed in batches of whole statements, so that memory stays small for a big file, and one
/// statement unknown to the grammar costs only its own batch a second, statement by statement, pass.
struct ScriptParser {
  private let source: SourceText
  private let text: TokenizedText
  private let boundaries: StatementBoundaries
  private let shapes: MessageShapes
  private let nestingLimit = ParserThread.shared.nestingLimit
  private var statements: [SQLStatement] = []

  private static let batchBytes = 128 << 10
  /// How far the end of a `begin atomic` body is looked for when the first guess does not parse.
  private static let bodyAttempts = 100

  init(source: SourceText, text: TokenizedText, shapes: MessageShapes) {
    self.source = source
    self.shapes = shapes
    self.text = text
    boundaries = StatementBoundaries(text: text)
  }

  mutating func parse() -> [SQLStatement] {
    var cursor = 0
    while cursor < text.tokens.count {
      let batch = nextBatch(from: cursor)
      if batch.isEmpty {
        // Nothing to parse in it, or something too deep to be parsed.
        cursor = parseSingly(from: cursor)
      } else if parseTokens(batch) == nil {
        cursor = batch.upperBound
      } else {
        while cursor < batch.upperBound { cursor = parseSingly(from: cursor) }
      }
    }
    return statements
  }

  /// The tokens of the next whole statements, up to one that nests too deeply.
  private func nextBatch(from start: Int) -> Range<Int> {
    var end = start
    while end < text.tokens.count, text.tokens[end].start - text.tokens[start].start < Self.batchBytes {
      let piece = boundaries.piece(from: end)
      if piece.nesting > nestingLimit { break }
      end = piece.next
    }
    return start..<end
  }

  /// Parses one statement and returns where the next one starts.
  private mutating func parseSingly(from start: Int) -> Int {
    let piece = boundaries.piece(from: start)
    guard !piece.tokens.isEmpty else { return piece.next }
    guard piece.nesting <= nestingLimit else {
      appendUnknown(
        piece.tokens, ParseTree.Failure(message: "nested too deeply to be analysed", character: 0))
      return piece.next
    }
    guard let failure = parseTokens(piece.tokens) else { return piece.next }
    if let atomic = piece.atomicBody, let next = parseRoutine(from: start, atomic: atomic) { return next }
    appendUnknown(piece.tokens, failure)
    return piece.next
  }

  /// Looks for the end of a body that the tokens alone misled about: every semicolon in turn is tried as the end.
  private mutating func parseRoutine(from start: Int, atomic: Int) -> Int? {
    var attempts = 0
    for index in atomic..<text.tokens.count where text.tokens[index].kind == .semicolon {
      attempts += 1
      if attempts > Self.bodyAttempts { return nil }
      guard text.tokens[index].start - text.tokens[start].start < Self.batchBytes else { return nil }
      if parseTokens(start..<index, onlyIfSingle: true) == nil { return index + 1 }
    }
    return nil
  }

  /// Parses a stretch of tokens and appends its statements, or returns why it does not parse.
  private mutating func parseTokens(_ range: Range<Int>, onlyIfSingle: Bool = false) -> ParseTree.Failure? {
    let start = text.tokens[range.lowerBound].start
    let end = text.tokens[range.upperBound - 1].end
    do throws(ParseTree.Failure) {
      let parsed = try ParseTree.with(text.parserInput[start..<end], shapes: shapes) {
        trees -> [SQLStatement]? in
        if onlyIfSingle && trees.count != 1 { return nil }
        var token = range.lowerBound
        return trees.compactMap { tree in
          let from = start + tree.location
          let upTo = tree.length == 0 ? end : min(end, from + tree.length)
          while token < range.upperBound, text.tokens[token].start < from { token += 1 }
          let first = token
          while token < range.upperBound, text.tokens[token].start < upTo { token += 1 }
          var last = token
          while last > first, text.tokens[last - 1].kind == .semicolon { last -= 1 }
          return first < last ? analysed(tree.tree, tokens: first..<last) : nil
        }
      }
      guard let parsed else { return ParseTree.Failure(message: "more than one statement", character: 0) }
      statements += parsed
      return nil
    } catch {
      return error
    }
  }

  private func analysed(_ tree: ProtobufMessage, tokens: Range<Int>) -> SQLStatement {
    let kind = StatementKind(tree: tree)
    let collector = ReferenceCollector(shapes: shapes)
    collector.visit(tree)
    let range = byteRange(of: tokens)
    return SQLStatement(
      byteRange: range, text: source.text(in: range), start: source.position(at: range.lowerBound),
      kind: kind,
      commandTag: commandTag(tree, kind: kind, tokens: tokens), analysis: .analysed,
      cannotRunInTransaction: TransactionRestrictions.reason(tree: tree, kind: kind),
      creates: collector.creates.references, drops: collector.drops.references,
      uses: collector.uses.references, bodyUses: collector.bodyUses.references, isOpaque: collector.isOpaque,
      changesRowsInWith: Self.changesRowsInWith(tree), createsTemporary: Self.createsTemporary(tree))
  }

  private mutating func appendUnknown(_ tokens: Range<Int>, _ failure: ParseTree.Failure) {
    let range = byteRange(of: tokens)
    let words = LeadingWords(text, tokens: tokens)
    let start = source.position(at: range.lowerBound)
    let place =
      failure.character > 0
      ? source.position(ofCharacter: failure.character, from: range.lowerBound) : start
    statements.append(
      SQLStatement(
        byteRange: range, text: source.text(in: range), start: start, kind: words.guessedKind,
        commandTag: words.commandTag,
        analysis: .notAnalysed(ParseProblem(message: failure.message, position: place)),
        cannotRunInTransaction: TransactionRestrictions.reason(words: words), creates: [], drops: [],
        uses: [],
        bodyUses: [], isOpaque: true, changesRowsInWith: false, createsTemporary: false))
  }

  private static func changesRowsInWith(_ tree: ProtobufMessage) -> Bool {
    (tree.message("with_clause")?.messages("ctes") ?? []).contains { table in
      switch table.message("ctequery")?.type {
      case .insertStmt, .updateStmt, .deleteStmt, .mergeStmt: true
      default: false
      }
    }
  }

  private static func createsTemporary(_ tree: ProtobufMessage) -> Bool {
    let relation: ProtobufMessage? =
      switch tree.type {
      case .createStmt: tree.message("relation")
      case .createTableAsStmt: tree.message("into")?.message("rel")
      case .selectStmt: tree.message("into_clause")?.message("rel")
      case .viewStmt: tree.message("view")
      case .createSeqStmt: tree.message("sequence")
      default: nil
      }
    return relation.map { $0.string("relpersistence") == "t" || $0.string("schemaname") == "pg_temp" }
      ?? false
  }

  private func byteRange(of tokens: Range<Int>) -> Range<Int> {
    text.tokens[tokens.lowerBound].start..<text.tokens[tokens.upperBound - 1].end
  }

  /// The tag by the first words, but by the tree where a `with` clause, a parenthesis or `as` hides the command.
  private func commandTag(_ tree: ProtobufMessage, kind: StatementKind, tokens: Range<Int>) -> String {
    switch tree.type {
    case .selectStmt: tree.message("into_clause") == nil ? "SELECT" : "SELECT INTO"
    case .insertStmt: "INSERT"
    case .updateStmt: "UPDATE"
    case .deleteStmt: "DELETE"
    case .mergeStmt: "MERGE"
    case .createTableAsStmt:
      if case .createMaterializedView = kind { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" }
    default: LeadingWords(text, tokens: tokens).commandTag
    }
  }
}

extension StatementBoundaries {
  /// Whether no statement of a text nests deeper than the limit.
  static func isShallow(_ text: TokenizedText, limit: Int) -> Bool {
    let boundaries = StatementBoundaries(text: text)
    var cursor = 0
    while cursor < text.tokens.count {
      let piece = boundaries.piece(from: cursor)
      if piece.nesting > limit { return false }
      cursor = piece.next
    }
    return true
  }
}
