extension ObjectReference {
  /// The object a `RangeVar` names.
  init(_ kind: Kind, rangeVar: ProtobufMessage) {
    self.init(kind, schema: rangeVar.name("schemaname"), name: rangeVar.string("relname"))
  }

  /// The object of a dotted name: the last part is its name, the one before its schema; a database before that
  /// is ignored. `nil` for an empty list.
  init?(_ kind: Kind, names: some BidirectionalCollection<ProtobufMessage>) {
    self.init(kind, path: names.map { $0.string("sval") })
  }

  init?(_ kind: Kind, path: some BidirectionalCollection<String>) {
    guard let name = path.last, !name.isEmpty else { return nil }
    self.init(kind, schema: path.dropLast().last, name: name)
  }

  /// The object a string such as `'app."Orders"'::regclass` names; arguments behind a function are cut off.
  init?(_ kind: Kind, literal: String) {
    var path: [String] = []
    var part = ""
    var isQuoted = false
    var rest = literal.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\"" where isQuoted && rest.first == "\"":
        rest.removeFirst()
        part.append("\"")
      case "\"": isQuoted.toggle()
      case "." where !isQuoted:
        path.append(part)
        part = ""
      case "(" where !isQuoted: rest = rest[rest.endIndex...]
      case " " where !isQuoted: continue
      default:
        let isUpper = scalar.isASCII && ("A"..."Z").contains(scalar)
        part.unicodeScalars.append(
          isUpper && !isQuoted ? Unicode.Scalar(lowercasedASCII(UInt8(ascii: scalar))) : scalar)
      }
    }
    path.append(part)
    // An object identifier written as a number names nothing that can be looked up.
    guard !part.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
    self.init(kind, path: path)
  }

  func renamed(to newName: String) -> ObjectReference { ObjectReference(kind, schema: schema, name: newName) }

  func moved(to newSchema: String) -> ObjectReference { ObjectReference(kind, schema: newSchema, name: name) }
}

/// How a statement that names an object with a word for its kind (`comment on …`, `drop …`, `alter … owner
/// to`) refers to it.
struct NamedObject {
  let reference: ObjectReference
  /// Whether the object itself is named, not a part of it such as a column, a trigger or a policy.
  let isWhole: Bool

  /// - Parameters:
  ///   - type: a value of the parser's `ObjectType`.
  ///   - object: a string, a list of strings, a type name or a function with arguments.
  init?(type: String, object: ProtobufMessage) {
    let partTypes: Set<String> = [
      "OBJECT_COLUMN", "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE",
    ]
    if partTypes.contains(type) {
      let names = object.messages("items").dropLast()
      guard let relation = ObjectReference(.relation, names: names) else { return nil }
      reference = relation
      isWhole = false
      return
    }
    if type == "OBJECT_DOMCONSTRAINT" {
      let typeNames = object.messages("items").first?.messages("names") ?? []
      guard let domain = ObjectReference(.type, names: typeNames) else { return nil }
      reference = domain
      isWhole = false
      return
    }
    guard let kind = Self.kinds[type], let found = Self.reference(kind, object: object) else { return nil }
    reference = found
    isWhole = true
  }

  private static func reference(_ kind: ObjectReference.Kind, object: ProtobufMessage) -> ObjectReference? {
    switch object.type {
    case .string: object.name("sval").map { ObjectReference(kind, name: $0) }
    case .list: ObjectReference(kind, names: object.messages("items"))
    case .typeName: ObjectReference(kind, names: object.messages("names"))
    case .objectWithArgs: ObjectReference(kind, names: object.messages("objname"))
    case .rangeVar: ObjectReference(kind, rangeVar: object)
    case .roleSpec: object.name("rolename").map { ObjectReference(kind, name: $0) }
    default: nil
    }
  }

  static let kinds: [String: ObjectReference.Kind] = [
    "OBJECT_TABLE": .relation, "OBJECT_VIEW": .relation, "OBJECT_MATVIEW": .relation,
    "OBJECT_INDEX": .relation, "OBJECT_SEQUENCE": .relation, "OBJECT_FOREIGN_TABLE": .relation,
    "OBJECT_FUNCTION": .function, "OBJECT_PROCEDURE": .function, "OBJECT_ROUTINE": .function,
    "OBJECT_AGGREGATE": .function, "OBJECT_TYPE": .type, "OBJECT_DOMAIN": .type, "OBJECT_SCHEMA": .schema,
    "OBJECT_EXTENSION": .extension, "OBJECT_ROLE": .role, "OBJECT_COLLATION": .collation,
    "OBJECT_OPERATOR": .operator, "OBJECT_TSCONFIGURATION": .textSearch, "OBJECT_TSDICTIONARY": .textSearch,
    "OBJECT_TSPARSER": .textSearch, "OBJECT_TSTEMPLATE": .textSearch, "OBJECT_FOREIGN_SERVER": .foreignServer,
    "OBJECT_FDW": .foreignDataWrapper, "OBJECT_LANGUAGE": .language, "OBJECT_PUBLICATION": .publication,
    "OBJECT_SUBSCRIPTION": .subscription, "OBJECT_EVENT_TRIGGER": .eventTrigger,
    "OBJECT_STATISTIC_EXT": .statistics, "OBJECT_ACCESS_METHOD": .accessMethod,
    "OBJECT_TABLESPACE": .tablespace, "OBJECT_DATABASE": .database,
  ]
}
