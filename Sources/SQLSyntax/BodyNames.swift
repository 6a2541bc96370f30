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
    var verb = ""
    var atStatementStart = true
    var expectsRelation = false
    var depth = 0
    // The depth of the parentheses the list behind "from" is in; a comma there is followed by a table.
    var fromListDepth: Int?
    var index = 0
    while index < text.tokens.count {
      let kind = text.tokens[index].kind
      let word = text.kind(at: index - 1) == .dot ? nil : text.word(at: index)
      if let word, atStatementStart { verb = word }
      atStatementStart = kind == .semicolon || word.map(Self.beforeStatement.contains) ?? false
      switch kind {
      case .openParenthesis: depth += 1
      case .closeParenthesis: depth -= 1
      default: break
      }
      if let list = fromListDepth, depth < list || kind == .semicolon { fromListDepth = nil }
      if let word, introducesRelation(word, at: index, verb: verb) {
        expectsRelation = true
        if word == "from" { fromListDepth = depth }
      } else if let word, Self.neverNames.contains(word) {
        // Between "from only", "table if exists" and the name to come; ends what "for update" seemed to begin.
        expectsRelation = expectsRelation && Self.beforeName.contains(word)
        if Self.afterFromList.contains(word), fromListDepth == depth { fromListDepth = nil }
      } else if kind == .word || kind == .quotedIdentifier {
        let (path, next) = name(at: index)
        if text.kind(at: next) == .openParenthesis, !expectsRelation || fromListDepth != nil {
          insert(.function, path)
        } else if expectsRelation {
          insert(.relation, path)
        }
        expectsRelation = false
        index = next
        continue
      } else {
        expectsRelation = kind == .comma && fromListDepth == depth
      }
      index += 1
    }
    return found.references
  }

  /// Words after which a statement of a PL/pgSQL block starts.
  private static let beforeStatement: Set<String> = ["begin", "then", "else", "loop"]
  private static let afterFromList: Set<String> = [
    "where", "group", "order", "limit", "set", "returning", "select", "loop", "then", "when",
  ]
  private static let beforeName: Set<String> = [
    "only", "lateral", "if", "not", "exists", "concurrently", "table",
  ]
  private static let neverNames: Set<String> = beforeName.union([
    "select", "set", "of", "values", "where", "true", "false", "null", "default", "nowait", "skip", "begin",
    "then",
    "else", "loop", "group", "order", "limit", "on", "using", "returning", "and", "or", "when", "end",
  ])

  private func introducesRelation(_ word: String, at index: Int, verb: String) -> Bool {
    switch word {
    case "join", "update", "table", "references", "view", "truncate": true
    case "from": !text.isWord("distinct", at: index - 1)
    // Elsewhere "into" fills variables, "using" passes values or joins, and "on" joins.
    case "into": text.isWord("insert", at: index - 1) || text.isWord("merge", at: index - 1)
    case "using": verb == "delete" || verb == "merge" || verb == "with"
    case "on": ["create", "drop", "comment", "grant", "revoke"].contains(verb)
    default: false
    }
  }

  private mutating func insert(_ kind: ObjectReference.Kind, _ path: [String]) {
    if kind == .relation, path.count == 1, commonTables.contains(path[0]) { return }
    if let reference = ObjectReference(kind, path: path) { found.insert(reference) }
  }

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
