import Postgres

/// A relation as the catalogue has it.
public struct CataloguedRelation: Sendable, Hashable {
  public let oid: UInt32
  public let schema: String
  public let name: String

  public init(oid: UInt32, schema: String, name: String) {
    self.oid = oid
    self.schema = schema
    self.name = name
  }

  /// Qualified, for SQL.
  public var quoted: String { Quoting.identifier(schema, name) }

  /// Qualified, for people: quoted where SQL needs it.
  public var display: String { Self.display(schema, name) }

  static func display(_ schema: String, _ name: String) -> String {
    [schema, name].map { isPlain($0) ? $0 : Quoting.identifier($0) }.joined(separator: ".")
  }

  private static func isPlain(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      return false
    }
    return name.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }
  }

  /// The two parts of `schema.name`, unquoted as in the configuration; nil where there are not two.
  static func parts(of text: String) -> (schema: String, name: String)? {
    guard let dot = text.firstIndex(of: ".") else { return nil }
    let (schema, name) = (text[..<dot], text[text.index(after: dot)...])
    guard !schema.isEmpty, !name.isEmpty else { return nil }
    return (String(schema), String(name))
  }
}
