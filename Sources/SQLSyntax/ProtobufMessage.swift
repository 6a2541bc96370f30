import CPgQuery

/// A message of the parser's result, read by its descriptor.
///
/// `Node`, the oneof around everything, is looked through: a child that is a node appears as what it holds.
/// Valid only inside the closure it is given to (`ParseTree.with`).
struct ProtobufMessage {
  private let address: UnsafeRawPointer
  private let shape: MessageShape
  private let shapes: MessageShapes

  var type: NodeType { shape.type }

  fileprivate init?(at address: UnsafeRawPointer?, shapes: MessageShapes) {
    guard var address else { return nil }
    var shape = shapes.shape(of: address)
    while shape.isNode {
      guard let field = shape.fields.first else { return nil }
      let choice = address.load(fromByteOffset: field.quantifierOffset, as: UInt32.self)
      guard let chosen = shape.field(withNumber: choice),
        let held = address.load(fromByteOffset: chosen.offset, as: UnsafeRawPointer?.self)
      else { return nil }
      address = held
      shape = shapes.shape(of: held)
    }
    self.address = address
    self.shape = shape
    self.shapes = shapes
  }

  /// A string field; empty when it is not set.
  func string(_ name: String) -> String {
    guard let field = field(name, type: PROTOBUF_C_TYPE_STRING), !field.isRepeated, isSet(field),
      let pointer = address.load(fromByteOffset: field.offset, as: UnsafePointer<CChar>?.self)
    else { return "" }
    return String(cString: pointer)
  }

  /// A string field, `nil` when it is empty or not set.
  func name(_ fieldName: String) -> String? {
    let value = string(fieldName)
    return value.isEmpty ? nil : value
  }

  func bool(_ name: String) -> Bool {
    guard let field = field(name, type: PROTOBUF_C_TYPE_BOOL), isSet(field) else { return false }
    return address.load(fromByteOffset: field.offset, as: protobuf_c_boolean.self) != 0
  }

  func int(_ name: String) -> Int {
    guard let field = field(name, type: PROTOBUF_C_TYPE_INT32), isSet(field) else { return 0 }
    return Int(address.load(fromByteOffset: field.offset, as: Int32.self))
  }

  /// The name of an enum field's value, such as `OBJECT_TABLE`.
  func enumName(_ name: String) -> String {
    guard let field = field(name, type: PROTOBUF_C_TYPE_ENUM), isSet(field) else { return "" }
    let value = address.load(fromByteOffset: field.offset, as: Int32.self)
    return field.enumNames[value] ?? ""
  }

  func message(_ name: String) -> ProtobufMessage? {
    guard let field = field(name, type: PROTOBUF_C_TYPE_MESSAGE), !field.isRepeated, isSet(field) else {
      return nil
    }
    return child(in: field)
  }

  func messages(_ name: String) -> [ProtobufMessage] {
    guard let field = field(name, type: PROTOBUF_C_TYPE_MESSAGE), field.isRepeated else { return [] }
    var result: [ProtobufMessage] = []
    forEach(in: field) { result.append($0) }
    return result
  }

  /// Calls `body` for every message directly below this one, in the order of the fields.
  func forEachChild(except skipped: [String] = [], _ body: (ProtobufMessage) -> Void) {
    for field in shape.messageFields where skipped.isEmpty || !skipped.contains(field.name) {
      if field.isRepeated {
        forEach(in: field, body)
      } else if isSet(field), let child = child(in: field) {
        body(child)
      }
    }
  }

  private func field(_ name: String, type: ProtobufCType) -> MessageShape.Field? {
    guard let field = shape.field(named: name) else { return nil }
    assert(field.type == type, "\(shape.name).\(name) is of another type")
    return field.type == type ? field : nil
  }

  private func isSet(_ field: MessageShape.Field) -> Bool {
    guard field.isChoice else { return true }
    return address.load(fromByteOffset: field.quantifierOffset, as: UInt32.self) == field.number
  }

  private func child(in field: MessageShape.Field) -> ProtobufMessage? {
    ProtobufMessage(
      at: address.load(fromByteOffset: field.offset, as: UnsafeRawPointer?.self), shapes: shapes)
  }

  private func forEach(in field: MessageShape.Field, _ body: (ProtobufMessage) -> Void) {
    let count = address.load(fromByteOffset: field.quantifierOffset, as: Int.self)
    guard count > 0,
      let elements = address.load(
        fromByteOffset: field.offset, as: UnsafePointer<UnsafeRawPointer?>?.self)
    else { return }
    for index in 0..<count {
      if let element = ProtobufMessage(at: elements[index], shapes: shapes) { body(element) }
    }
  }
}

/// The layout of one message type, from its protobuf-c descriptor.
final class MessageShape {
  struct Field {
    let name: String
    let number: UInt32
    let type: ProtobufCType
    let offset: Int
    let quantifierOffset: Int
    let isRepeated: Bool
    let isChoice: Bool
    let enumNames: [Int32: String]
  }

  let name: String
  let type: NodeType
  let isNode: Bool
  let fields: [Field]
  let messageFields: [Field]
  private let indexByName: [String: Int]
  private let indexByNumber: [UInt32: Int]

  fileprivate init(_ descriptor: ProtobufCMessageDescriptor) {
    let name = String(cString: descriptor.short_name)
    let fields = (0..<Int(descriptor.n_fields)).map { Self.field(descriptor.fields[$0]) }
    self.name = name
    self.fields = fields
    type = NodeType(rawValue: name.filter { $0 != "_" }) ?? .other
    isNode = name == "Node"
    messageFields = fields.filter { $0.type == PROTOBUF_C_TYPE_MESSAGE }
    indexByName = Dictionary(
      fields.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    indexByNumber = Dictionary(
      fields.enumerated().map { ($1.number, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func field(named name: String) -> Field? { indexByName[name].map { fields[$0] } }
  func field(withNumber number: UInt32) -> Field? { indexByNumber[number].map { fields[$0] } }

  private static func field(_ descriptor: ProtobufCFieldDescriptor) -> Field {
    var enumNames: [Int32: String] = [:]
    if descriptor.type == PROTOBUF_C_TYPE_ENUM,
      let values = descriptor.descriptor?.assumingMemoryBound(to: ProtobufCEnumDescriptor.self).pointee
    {
      for index in 0..<Int(values.n_values) {
        enumNames[values.values[index].value] = String(cString: values.values[index].name)
      }
    }
    return Field(
      name: String(cString: descriptor.name), number: descriptor.id, type: descriptor.type,
      offset: Int(descriptor.offset), quantifierOffset: Int(descriptor.quantifier_offset),
      isRepeated: descriptor.label == PROTOBUF_C_LABEL_REPEATED,
      isChoice: descriptor.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0,
      enumNames: enumNames)
  }
}

/// The shapes met so far.
final class MessageShapes {
  private var shapes: [UnsafePointer<ProtobufCMessageDescriptor>: MessageShape] = [:]

  fileprivate func shape(of address: UnsafeRawPointer) -> MessageShape {
    // Every message starts with the pointer to its descriptor.
    let descriptor = address.load(as: UnsafePointer<ProtobufCMessageDescriptor>.self)
    if let known = shapes[descriptor] { return known }
    let shape = MessageShape(descriptor.pointee)
    shapes[descriptor] = shape
    return shape
  }
}

/// One call of the parser.
enum ParseTree {
  struct Statement {
    let tree: ProtobufMessage
    /// Byte offset in the parsed text.
    let location: Int
    /// 0 when it reaches to the end of the text.
    let length: Int
  }

  /// What the parser says: its message, and the 1-based character it is about (0 when it names none).
  struct Failure: Error {
    let message: String
    let character: Int
  }

  /// Parses a text without zero bytes and calls `body` with its statements. Throws before `body` is called.
  static func with<Value>(
    _ text: ArraySlice<UInt8>, shapes: MessageShapes, _ body: ([Statement]) -> Value
  ) throws(Failure) -> Value {
    let input = Array(text) + [0]
    let result = input.withUnsafeBytes { raw in
      pg_query_parse_protobuf(raw.bindMemory(to: CChar.self).baseAddress)
    }
    defer { pg_query_free_protobuf_parse_result(result) }
    if let error = result.error {
      throw Failure(
        message: SQLSyntaxError.withoutContext(String(cString: error.pointee.message)),
        character: Int(error.pointee.cursorpos))
    }
    let packed = UnsafeRawBufferPointer(start: result.parse_tree.data, count: result.parse_tree.len)
    guard
      let root = pg_query__parse_result__unpack(
        nil, packed.count, packed.bindMemory(to: UInt8.self).baseAddress)
    else { throw Failure(message: "out of memory", character: 0) }
    defer { pg_query__parse_result__free_unpacked(root, nil) }
    let statements = (0..<root.pointee.n_stmts).compactMap { index -> Statement? in
      guard let raw = root.pointee.stmts[index]?.pointee,
        let tree = ProtobufMessage(at: UnsafeRawPointer(raw.stmt), shapes: shapes)
      else { return nil }
      return Statement(tree: tree, location: Int(raw.stmt_location), length: Int(raw.stmt_len))
    }
    return body(statements)
  }
}
