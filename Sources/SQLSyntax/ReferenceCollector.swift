/// What one statement creates, drops and uses, found by walking its whole tree.
final class ReferenceCollector {
  private(set) var creates = ReferenceList()
  private(set) var drops = ReferenceList()
  private(set) var uses = ReferenceList()
  private(set) var bodyUses = ReferenceList()
  var isOpaque = false

  let shapes: MessageShapes
  /// The names of the common table expressions in scope, innermost last.
  private var commonTables: [Set<String>] = []
  /// The schema of unqualified names inside `create schema … create table …`.
  var defaultSchema: String?
  /// Bodies are parsed with a collector of their own, which must not follow bodies for ever.
  let followsBodies: Bool

  init(shapes: MessageShapes, followsBodies: Bool = true) {
    self.shapes = shapes
    self.followsBodies = followsBodies
  }

  // MARK: Recording

  func create(_ reference: ObjectReference?) {
    guard let reference = reference.map(inDefaultSchema) else { return }
    creates.insert(reference)
    useSchema(of: reference)
  }

  /// A table, view or composite type exists as a relation and as a type, or only as the latter.
  func createWithRowType(_ relation: ObjectReference?) {
    guard let relation else { return }
    create(relation)
    create(ObjectReference(.type, schema: relation.schema, name: relation.name))
  }

  func drop(_ reference: ObjectReference?) {
    if let reference { drops.insert(reference) }
  }

  func use(_ reference: ObjectReference?) {
    guard let reference = reference.map(inDefaultSchema) else { return }
    uses.insert(reference)
    useSchema(of: reference)
  }

  func useInBody(_ reference: ObjectReference) {
    bodyUses.insert(reference)
    if let schema = reference.schema { bodyUses.insert(ObjectReference(.schema, name: schema)) }
  }

  private func useSchema(of reference: ObjectReference) {
    guard let schema = reference.schema, schema != defaultSchema, !reference.isSystemObject else { return }
    uses.insert(ObjectReference(.schema, name: schema))
  }

  private func inDefaultSchema(_ reference: ObjectReference) -> ObjectReference {
    guard let defaultSchema, reference.schema == nil, reference.kind == .relation || reference.kind == .type
    else { return reference }
    return creates.references.contains(reference.moved(to: defaultSchema)) || reference.kind == .relation
      ? reference.moved(to: defaultSchema) : reference
  }

  // MARK: Walking

  func visit(_ message: ProtobufMessage?) {
    guard let message else { return }
    switch message.type {
    case .selectStmt, .insertStmt, .updateStmt, .deleteStmt, .mergeStmt: visitQuery(message)
    case .rangeVar: useTable(message)
    case .funcCall: visitFunctionCall(message)
    case .typeCast: visitCast(message)
    case .typeName: useType(message)
    case .collateClause:
      use(ObjectReference(.collation, names: message.messages("collname")))
      visit(message.message("arg"))
    case .roleSpec:
      if message.enumName("roletype") == "ROLESPEC_CSTRING" {
        use(message.name("rolename").map { ObjectReference(.role, name: $0) })
      }
    case .intoClause:
      createWithRowType(message.message("rel").map { ObjectReference(.relation, rangeVar: $0) })
    case .objectWithArgs:
      use(ObjectReference(.function, names: message.messages("objname")))
      visitChildren(of: message, except: ["objname"])
    default:
      if !visitDefinition(message) { visitChildren(of: message) }
    }
  }

  func visitChildren(of message: ProtobufMessage, except skipped: [String] = []) {
    message.forEachChild(except: skipped) { visit($0) }
  }

  /// A query with its `with` clause. Without `recursive` a common table expression is known only behind its
  /// own definition. The target of a change is always a real table.
  private func visitQuery(_ query: ProtobufMessage) {
    commonTables.append([])
    defer { commonTables.removeLast() }
    let level = commonTables.count - 1
    if let with = query.message("with_clause") {
      let tables = with.messages("ctes")
      let isRecursive = with.bool("recursive")
      if isRecursive { commonTables[level].formUnion(tables.map { $0.string("ctename") }) }
      for table in tables {
        visitChildren(of: table)
        if !isRecursive { commonTables[level].insert(table.string("ctename")) }
      }
    }
    guard query.type != .selectStmt else {
      visitChildren(of: query, except: ["with_clause"])
      return
    }
    use(query.message("relation").map { ObjectReference(.relation, rangeVar: $0) })
    visitChildren(of: query, except: ["with_clause", "relation"])
  }

  private func useTable(_ rangeVar: ProtobufMessage) {
    let reference = ObjectReference(.relation, rangeVar: rangeVar)
    if reference.schema == nil, commonTables.contains(where: { $0.contains(reference.name) }) { return }
    use(reference)
  }

  private func useType(_ typeName: ProtobufMessage) {
    let names = typeName.messages("names")
    // "table.column%type" names a column.
    if typeName.bool("pct_type") {
      use(ObjectReference(.relation, names: names.dropLast()))
    } else {
      use(ObjectReference(.type, names: names))
    }
  }

  private func visitFunctionCall(_ call: ProtobufMessage) {
    let function = ObjectReference(.function, names: call.messages("funcname"))
    use(function)
    let takingRelation: Set<String> = ["nextval", "currval", "setval", "pg_get_serial_sequence"]
    if let function, takingRelation.contains(function.name),
      let literal = call.messages("args").first?.stringConstant
    {
      use(ObjectReference(.relation, literal: literal))
    }
    visitChildren(of: call, except: ["funcname"])
  }

  private func visitCast(_ cast: ProtobufMessage) {
    visitChildren(of: cast)
    guard let typeName = cast.message("type_name")?.messages("names").last?.string("sval"),
      let literal = cast.message("arg")?.stringConstant,
      let kind = Self.literalKinds[typeName]
    else { return }
    use(ObjectReference(kind, literal: literal))
  }

  /// The types whose constants name an object (object identifier types).
  private static let literalKinds: [String: ObjectReference.Kind] = [
    "regclass": .relation, "regproc": .function, "regprocedure": .function, "regtype": .type,
    "regnamespace": .schema, "regrole": .role, "regcollation": .collation, "regconfig": .textSearch,
    "regdictionary": .textSearch,
  ]
}

extension ProtobufMessage {
  /// The text of a string constant, also under a cast such as `'orders'::text`.
  var stringConstant: String? {
    switch type {
    case .constant: message("sval")?.string("sval")
    case .typeCast: message("arg")?.stringConstant
    default: nil
    }
  }
}
