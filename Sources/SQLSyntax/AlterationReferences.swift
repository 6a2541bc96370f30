/// The statements that change, move, rename, describe and drop objects.
extension ReferenceCollector {
  func visitAlteration(_ message: ProtobufMessage) -> Bool {
    switch message.type {
    case .alterTableStmt: alterTable(message)
    case .dropStmt: dropObjects(message)
    case .dropRoleStmt:
      for role in message.messages("roles") {
        drop(role.name("rolename").map { ObjectReference(.role, name: $0) })
        if !message.bool("missing_ok") { visit(role) }
      }
    case .renameStmt: rename(message)
    case .alterObjectSchemaStmt: move(message)
    case .commentStmt, .secLabelStmt: useObject(message, type: message.enumName("objtype"))
    case .alterOwnerStmt:
      useObject(message, type: message.enumName("object_type"))
      visit(message.message("newowner"))
    case .alterExtensionContentsStmt:
      use(message.name("extname").map { ObjectReference(.extension, name: $0) })
      useObject(message, type: message.enumName("objtype"))
    case .grantStmt: grant(message)
    case .grantRoleStmt:
      for role in message.messages("granted_roles") {
        use(role.name("priv_name").map { ObjectReference(.role, name: $0) })
      }
      visitChildren(of: message, except: ["granted_roles"])
    case .variableSetStmt: setVariable(message)
    default: return false
    }
    return true
  }

  private func alterTable(_ statement: ProtobufMessage) {
    guard let relation = statement.message("relation") else { return }
    let isType = statement.enumName("objtype") == "OBJECT_TYPE"
    let table = ObjectReference(isType ? .type : .relation, rangeVar: relation)
    if !statement.bool("missing_ok") { use(table) }
    for command in statement.messages("cmds") {
      let subtype = command.enumName("subtype")
      if !isType, subtype == "AT_AddColumn" || subtype == "AT_AddConstraint",
        let element = command.message("def")
      {
        createImpliedObjects(element, of: table)
      }
      if subtype == "AT_ClusterOn", let index = command.name("name") { use(table.renamed(to: index)) }
      visitChildren(of: command)
    }
  }

  private func dropObjects(_ statement: ProtobufMessage) {
    let type = statement.enumName("remove_type")
    for object in statement.messages("objects") {
      guard let named = NamedObject(type: type, object: object) else {
        visitChildren(of: object)
        continue
      }
      if named.isWhole { dropWithRowType(named.reference, type: type) }
      if !statement.bool("missing_ok") { use(named.reference) }
    }
  }

  private func dropWithRowType(_ reference: ObjectReference, type: String) {
    drop(reference)
    guard Self.typesWithRows.contains(type) else { return }
    drop(ObjectReference(.type, schema: reference.schema, name: reference.name))
  }

  private static let typesWithRows: Set<String> = [
    "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE",
  ]

  private func rename(_ statement: ProtobufMessage) {
    let type = statement.enumName("rename_type")
    let newName = statement.string("newname")
    if let relation = statement.message("relation") {
      let table = ObjectReference(.relation, rangeVar: relation)
      let isMissingAllowed = statement.bool("missing_ok")
      if !isMissingAllowed { use(table) }
      // Columns, constraints, triggers and policies are renamed in a relation that stays.
      guard NamedObject.kinds[type] == .relation else { return }
      dropWithRowType(table, type: type)
      if Self.typesWithRows.contains(type) {
        createWithRowType(table.renamed(to: newName))
      } else {
        create(table.renamed(to: newName))
      }
      return
    }
    // Schemas, roles and databases are named by a field of their own.
    if let kind = NamedObject.kinds[type], let oldName = statement.name("subname"),
      statement.message("object") == nil
    {
      replace(ObjectReference(kind, name: oldName), with: ObjectReference(kind, name: newName))
    } else if let object = statement.message("object"), let named = NamedObject(type: type, object: object) {
      if named.isWhole {
        replace(named.reference, with: named.reference.renamed(to: newName))
      } else {
        use(named.reference)
      }
    }
  }

  private func move(_ statement: ProtobufMessage) {
    let type = statement.enumName("object_type")
    let newSchema = statement.string("newschema")
    use(ObjectReference(.schema, name: newSchema))
    if let relation = statement.message("relation") {
      let table = ObjectReference(.relation, rangeVar: relation)
      if !statement.bool("missing_ok") { use(table) }
      dropWithRowType(table, type: type)
      if Self.typesWithRows.contains(type) {
        createWithRowType(table.moved(to: newSchema))
      } else {
        create(table.moved(to: newSchema))
      }
    } else if let object = statement.message("object"), let named = NamedObject(type: type, object: object) {
      guard named.reference.kind != .extension else { return use(named.reference) }
      replace(named.reference, with: named.reference.moved(to: newSchema))
    }
  }

  private func replace(_ old: ObjectReference, with new: ObjectReference) {
    use(old)
    drop(old)
    create(new)
  }

  private func useObject(_ statement: ProtobufMessage, type: String) {
    if let relation = statement.message("relation") {
      use(ObjectReference(.relation, rangeVar: relation))
    } else if let object = statement.message("object") {
      guard let named = NamedObject(type: type, object: object) else { return visitChildren(of: object) }
      use(named.reference)
      if object.type == .objectWithArgs { visitChildren(of: object, except: ["objname"]) }
    }
  }

  private func grant(_ statement: ProtobufMessage) {
    let type = statement.enumName("objtype")
    let isAllInSchema = statement.enumName("targtype") == "ACL_TARGET_ALL_IN_SCHEMA"
    for object in statement.messages("objects") {
      if isAllInSchema {
        use(object.name("sval").map { ObjectReference(.schema, name: $0) })
      } else if let named = NamedObject(type: type, object: object) {
        use(named.reference)
      }
    }
    visitChildren(of: statement, except: ["objects", "privileges"])
  }

  /// A schema on the search path is where the unqualified names behind it are looked up.
  private func setVariable(_ statement: ProtobufMessage) {
    guard statement.string("name") == "search_path" else { return }
    for argument in statement.messages("args") {
      guard let name = argument.stringConstant, name != "$user", !name.isEmpty else { continue }
      use(ObjectReference(.schema, name: name))
    }
  }
}
