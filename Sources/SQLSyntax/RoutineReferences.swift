/// Functions, procedures, triggers and DO blocks.
extension ReferenceCollector {
  func visitRoutineDefinition(_ message: ProtobufMessage) -> Bool {
    switch message.type {
    case .createFunctionStmt: createRoutine(message)
    case .createTrigStmt, .createEventTrigStmt:
      if message.type == .createEventTrigStmt {
        create(message.name("trigname").map { ObjectReference(.eventTrigger, name: $0) })
      }
      use(ObjectReference(.function, names: message.messages("funcname")))
      visitChildren(of: message, except: ["funcname"])
    case .doStmt:
      isOpaque = true
      let language = language(of: message.messages("args")) ?? "plpgsql"
      readBody(message.messages("args"), language: language)
    case .executeStmt:
      isOpaque = true
      visitChildren(of: message)
    default: return false
    }
    return true
  }

  private func createRoutine(_ statement: ProtobufMessage) {
    create(ObjectReference(.function, names: statement.messages("funcname")))
    visitChildren(of: statement, except: ["funcname", "options"])
    let options = statement.messages("options")
    for option in options {
      switch option.string("defname") {
      case "language":
        use(option.message("arg")?.name("sval").map { ObjectReference(.language, name: $0) })
      case "support":
        use(ObjectReference(.function, names: option.message("arg")?.messages("items") ?? []))
      case "as": continue
      default: visitChildren(of: option)
      }
    }
    readBody(options, language: language(of: options) ?? "sql")
  }

  private func language(of options: [ProtobufMessage]) -> String? {
    options.last { $0.string("defname") == "language" }?.message("arg")?.string("sval")
  }

  private func readBody(_ options: [ProtobufMessage], language: String) {
    guard followsBodies, let option = options.last(where: { $0.string("defname") == "as" }),
      let value = option.message("arg")
    else { return }
    let body = value.type == .list ? value.messages("items").first?.string("sval") : value.string("sval")
    guard let body else { return }
    switch language.lowercased() {
    case "sql": readSQLBody(body)
    case "plpgsql": readTokens(ofBody: body)
    default: return
    }
  }

  private func readSQLBody(_ body: String) {
    let source = SourceText(body)
    guard let text = try? Tokenizer.tokenize(source),
      StatementBoundaries.isShallow(text, limit: ParserThread.shared.nestingLimit)
    else { return }
    let inner = ReferenceCollector(shapes: shapes, followsBodies: false)
    do throws(ParseTree.Failure) {
      try ParseTree.with(text.parserInput.dropLast(), shapes: shapes) { statements in
        for statement in statements { inner.visit(statement.tree) }
      }
    } catch {
      // Newer syntax, perhaps: the names are still there to be seen.
      return readTokens(ofBody: body)
    }
    let own = Set(inner.creates.references)
    for reference in inner.uses.references where !own.contains(reference) { useInBody(reference) }
  }

  /// Names in a body that is not parsed: behind the words that introduce a relation, and before a parenthesis.
  private func readTokens(ofBody body: String) {
    guard let text = try? Tokenizer.tokenize(SourceText(body)) else { return }
    var reader = BodyNames(text: text)
    for reference in reader.references() { useInBody(reference) }
  }
}

/// Finds the names of relations and functions in the tokens of a procedural body.
struct BodyNames {
  let text: TokenizedText
  private var found = ReferenceList()
  private var commonTables: Set<String> = []

  init(text: TokenizedText) {
    self.text = text
  }

  mutating func references() -> [ObjectReference] {
    commonTables = namesOfCommonTables()
    var expectsRelation = false
    var inFromList = false
    var index = 0
    while index < text.tokens.count {
      let kind = text.tokens[index].kind
      let word = text.word(at: index)
      if let word, Self.introducesRelation.contains(word), !isName(index) {
        expectsRelation = true
        inFromList = word == "from"
      } else if expectsRelation, let word, Self.betweenIntroductionAndName.contains(word) {
        // Still to come.
      } else if word != nil || kind == .quotedIdentifier {
        let (path, next) = name(at: index)
        if text.kind(at: next) == .openParenthesis, !expectsRelation || inFromList {
          insert(.function, path)
        } else if expectsRelation {
          insert(.relation, path)
        }
        expectsRelation = false
        index = next
        continue
      } else {
        expectsRelation = kind == .comma && inFromList
        if kind == .semicolon { inFromList = false }
      }
      index += 1
    }
    return found.references
  }

  private static let introducesRelation: Set<String> = [
    "from", "join", "into", "update", "table", "using", "references", "view", "on", "truncate",
  ]
  private static let betweenIntroductionAndName: Set<String> = [
    "only", "lateral", "if", "not", "exists", "concurrently", "strict", "table",
  ]

  private mutating func insert(_ kind: ObjectReference.Kind, _ path: [String]) {
    if kind == .relation, path.count == 1, commonTables.contains(path[0]) { return }
    if let reference = ObjectReference(kind, path: path) { found.insert(reference) }
  }

  private func isName(_ index: Int) -> Bool { text.kind(at: index - 1) == .dot }

  /// A dotted name and the index behind it.
  private func name(at start: Int) -> (path: [String], next: Int) {
    var path = [part(at: start)]
    var index = start + 1
    while text.kind(at: index) == .dot,
      text.kind(at: index + 1) == .word || text.kind(at: index + 1) == .quotedIdentifier
    {
      path.append(part(at: index + 1))
      index += 2
    }
    return (path, index)
  }

  private func part(at index: Int) -> String {
    if let word = text.word(at: index) { return word }
    let raw = String(decoding: text.bytes(of: text.tokens[index]).dropFirst().dropLast(), as: UTF8.self)
    return raw.split(separator: "\"\"", omittingEmptySubsequences: false).joined(separator: "\"")
  }

  /// The names before `as (`, with a column list or not.
  private func namesOfCommonTables() -> Set<String> {
    var names: Set<String> = []
    for index in text.tokens.indices where text.isWord("as", at: index) {
      var open = index + 1
      while text.isWord("not", at: open) || text.isWord("materialized", at: open) { open += 1 }
      guard text.kind(at: open) == .openParenthesis else { continue }
      var before = index - 1
      if text.kind(at: before) == .closeParenthesis {
        while before > 0, text.kind(at: before) != .openParenthesis { before -= 1 }
        before -= 1
      }
      if text.kind(at: before) == .word || text.kind(at: before) == .quotedIdentifier {
        names.insert(part(at: before))
      }
    }
    return names
  }
}
