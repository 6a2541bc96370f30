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
    case .createOpClassItem:
      // Item type 1 is an operator, 2 a function.
      if message.int("itemtype") == 1 {
        use(ObjectReference(.operator, names: message.message("name")?.messages("objname") ?? []))
        visitChildren(of: message, except: ["name"])
      } else {
        visitChildren(of: message)
      }
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
    guard let text = try? Tokenizer.tokenize(source) else { return }
    guard StatementBoundaries.isShallow(text, limit: ParserThread.shared.nestingLimit) else {
      return readTokens(ofBody: body)
    }
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
    for reference in inner.uses.references where !own.contains(reference) {
      useInBody(reference)
      // The server checks the body when it creates the function (`check_function_bodies`).
      use(reference)
    }
  }

  /// Names in a body that is not parsed: behind the words that introduce a relation, and before a parenthesis.
  private func readTokens(ofBody body: String) {
    guard let text = try? Tokenizer.tokenize(SourceText(body)) else { return }
    var reader = BodyNames(text: text)
    for reference in reader.references() { useInBody(reference) }
  }
}
