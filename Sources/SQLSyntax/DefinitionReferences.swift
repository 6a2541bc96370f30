/// The statements that define objects.
extension ReferenceCollector {
  /// Records what a definition creates and uses. False when the message is not one that needs treatment.
  func visitDefinition(_ message: ProtobufMessage) -> Bool {
    visitRelationDefinition(message) || visitRoutineDefinition(message) || visitTypeDefinition(message)
      || visitServerObject(message) || visitAlteration(message)
  }

  private func visitRelationDefinition(_ message: ProtobufMessage) -> Bool {
    switch message.type {
    case .createStmt: createTable(message)
    case .createForeignTableStmt:
      use(message.name("servername").map { ObjectReference(.foreignServer, name: $0) })
      visitChildren(of: message)
    case .viewStmt:
      createWithRowType(message.message("view").map { ObjectReference(.relation, rangeVar: $0) })
      visitChildren(of: message, except: ["view"])
    case .createTableAsStmt:
      // The query first: a table is not made from itself.
      visit(message.message("query"))
      visit(message.message("into"))
    case .indexStmt:
      if let relation = message.message("relation") {
        let schema = relation.name("schemaname")
        create(message.name("idxname").map { ObjectReference(.relation, schema: schema, name: $0) })
      }
      visitChildren(of: message)
    case .createSeqStmt, .alterSeqStmt:
      let sequence = message.message("sequence").map { ObjectReference(.relation, rangeVar: $0) }
      if message.type == .createSeqStmt {
        create(sequence)
      } else if !message.bool("missing_ok") {
        use(sequence)
      }
      useOwner(ofSequence: message)
    case .createStatsStmt:
      create(ObjectReference(.statistics, names: message.messages("defnames")))
      visitChildren(of: message, except: ["defnames"])
    case .createSchemaStmt: createSchema(message)
    default: return false
    }
    return true
  }

  private func createTable(_ statement: ProtobufMessage) {
    guard let relation = statement.message("relation") else { return }
    let table = ObjectReference(.relation, rangeVar: relation)
    createWithRowType(table)
    for element in statement.messages("table_elts") { createImpliedObjects(element, of: table) }
    visitChildren(of: statement, except: ["relation"])
  }

  /// The sequences and indexes PostgreSQL makes for a column or a constraint, with the names it chooses when
  /// they are free and short enough.
  func createImpliedObjects(_ element: ProtobufMessage, of table: ObjectReference) {
    switch element.type {
    case .columnDef:
      let column = element.string("colname")
      let typeName = element.message("type_name")?.messages("names").last?.string("sval") ?? ""
      let serials: Set<String> = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"]
      let constraints = element.messages("constraints")
      let isIdentity = constraints.contains { $0.enumName("contype") == "CONSTR_IDENTITY" }
      if serials.contains(typeName) || isIdentity {
        create(table.renamed(to: "\(table.name)_\(column)_seq"))
      }
      for constraint in constraints { createIndex(of: constraint, columns: [column], table: table) }
    case .constraint:
      createIndex(of: element, columns: element.messages("keys").map { $0.string("sval") }, table: table)
    default: break
    }
  }

  private func createIndex(of constraint: ProtobufMessage, columns: [String], table: ObjectReference) {
    // "using index" adopts one that exists.
    if let adopted = constraint.name("indexname") { use(table.renamed(to: adopted)) }
    let chosen: String
    switch constraint.enumName("contype") {
    case "CONSTR_PRIMARY": chosen = "\(table.name)_pkey"
    case "CONSTR_UNIQUE": chosen = ([table.name] + columns + ["key"]).joined(separator: "_")
    case "CONSTR_EXCLUSION": chosen = ([table.name] + columns + ["excl"]).joined(separator: "_")
    default: return
    }
    create(table.renamed(to: constraint.name("conname") ?? chosen))
  }

  private func useOwner(ofSequence statement: ProtobufMessage) {
    for option in statement.messages("options") {
      if option.string("defname") == "owned_by" {
        let names = option.message("arg")?.messages("items") ?? []
        // "owned by none" has a single name.
        use(ObjectReference(.relation, names: names.dropLast()))
      } else {
        visitChildren(of: option)
      }
    }
  }

  private func createSchema(_ statement: ProtobufMessage) {
    visit(statement.message("authrole"))
    let authorization = statement.message("authrole")?.name("rolename")
    guard let name = statement.name("schemaname") ?? authorization else { return }
    create(ObjectReference(.schema, name: name))
    let outer = defaultSchema
    defaultSchema = name
    for element in statement.messages("schema_elts") { visit(element) }
    defaultSchema = outer
  }

  private func visitTypeDefinition(_ message: ProtobufMessage) -> Bool {
    switch message.type {
    case .compositeTypeStmt:
      create(message.message("typevar").map { ObjectReference(.type, rangeVar: $0) })
      visitChildren(of: message, except: ["typevar"])
    case .createEnumStmt:
      create(ObjectReference(.type, names: message.messages("type_name")))
    case .createRangeStmt:
      create(ObjectReference(.type, names: message.messages("type_name")))
      visitFunctionOptions(message.messages("params"))
    case .createDomainStmt:
      create(ObjectReference(.type, names: message.messages("domainname")))
      visitChildren(of: message, except: ["domainname"])
    case .defineStmt:
      if let kind = NamedObject.kinds[message.enumName("kind")] {
        create(ObjectReference(kind, names: message.messages("defnames")))
      }
      for argument in message.messages("args") { visit(argument) }
      visitFunctionOptions(message.messages("definition"))
    case .alterEnumStmt, .alterTypeStmt:
      use(ObjectReference(.type, names: message.messages("type_name")))
    case .alterDomainStmt:
      use(ObjectReference(.type, names: message.messages("type_name")))
      visitChildren(of: message, except: ["type_name"])
    default: return false
    }
    return true
  }

  /// Options such as `sfunc = f` look like type names to the grammar; only these are types.
  private func visitFunctionOptions(_ options: [ProtobufMessage]) {
    let types: Set<String> = [
      "stype", "mstype", "basetype", "subtype", "leftarg", "rightarg", "element", "like",
    ]
    let words: Set<String> = [
      "sspace", "msspace", "parallel", "finalfunc_modify", "mfinalfunc_modify", "internallength", "alignment",
      "storage", "category", "delimiter", "passedbyvalue", "collatable", "preferred", "hashes", "merges",
      "initcond", "minitcond", "finalfunc_extra", "mfinalfunc_extra", "hypothetical", "provider", "locale",
      "lc_collate", "lc_ctype", "deterministic", "version", "multirange_type_name", "subtype_opclass",
      "commutator", "negator", "sortop", "default",
    ]
    for option in options {
      let name = option.string("defname")
      guard let value = option.message("arg"), !words.contains(name) else { continue }
      guard value.type == .typeName else { continue }
      if types.contains(name) {
        visit(value)
      } else if name == "collation" {
        use(ObjectReference(.collation, names: value.messages("names")))
      } else if ["template", "parser", "copy", "dictionary"].contains(name) {
        use(ObjectReference(.textSearch, names: value.messages("names")))
      } else {
        use(ObjectReference(.function, names: value.messages("names")))
      }
    }
  }

  private func visitServerObject(_ message: ProtobufMessage) -> Bool {
    func named(_ kind: ObjectReference.Kind, _ field: String) -> ObjectReference? {
      message.name(field).map { ObjectReference(kind, name: $0) }
    }
    switch message.type {
    case .createExtensionStmt:
      create(named(.extension, "extname"))
      for option in message.messages("options") where option.string("defname") == "schema" {
        use(option.message("arg")?.name("sval").map { ObjectReference(.schema, name: $0) })
      }
      return true
    case .alterExtensionStmt: use(named(.extension, "extname"))
    case .createRoleStmt: create(named(.role, "role"))
    case .createPublicationStmt: create(named(.publication, "pubname"))
    case .createSubscriptionStmt: create(named(.subscription, "subname"))
    case .createFdwStmt: create(named(.foreignDataWrapper, "fdwname"))
    case .createForeignServerStmt:
      create(named(.foreignServer, "servername"))
      use(named(.foreignDataWrapper, "fdwname"))
    case .alterForeignServerStmt, .createUserMappingStmt: use(named(.foreignServer, "servername"))
    case .importForeignSchemaStmt:
      // What it creates is known only to the other server.
      use(named(.foreignServer, "server_name"))
      use(named(.schema, "local_schema"))
      isOpaque = true
      return true
    case .createTableSpaceStmt: create(named(.tablespace, "tablespacename"))
    case .createdbStmt: create(named(.database, "dbname"))
    case .dropdbStmt: drop(named(.database, "dbname"))
    case .createAmStmt: create(named(.accessMethod, "amname"))
    case .createPLangStmt: create(named(.language, "plname"))
    case .publicationObjSpec:
      // Schemas are listed by name, tables below as range variables.
      if message.message("pubtable") == nil { use(named(.schema, "name")) }
    default: return false
    }
    visitChildren(of: message)
    return true
  }
}
