/// A database object as a statement names it.
public struct ObjectReference: Sendable, Hashable {
  /// The kinds of object that are told apart. Objects in one kind share a name space, or nearly so.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Tables, views, materialized views, indexes, sequences and foreign tables.
    case relation
    /// Functions, procedures and aggregates, without their arguments.
    case function
    /// Types, domains, enums, ranges, and the row types of tables and views.
    case type
    case schema
    case `extension`
    case role
    case collation
    case `operator`
    /// Text search configurations, dictionaries, parsers and templates.
    case textSearch
    case foreignServer
    case foreignDataWrapper
    case language
    case publication
    case subscription
    case eventTrigger
    case statistics
    case accessMethod
    case tablespace
    case database
  }

  /// What it is.
  public let kind: Kind
  /// The schema it is qualified with; `nil` where the search path decides, and for objects outside schemas.
  public let schema: String?
  /// Its name, folded to lower case unless it was quoted.
  public let name: String

  /// A reference as it stands.
  public init(_ kind: Kind, schema: String? = nil, name: String) {
    self.kind = kind
    self.schema = schema
    self.name = name
  }

  /// Whether both can be the same object: equal kind and name, and no two different schemas.
  public func mayDenote(_ other: ObjectReference) -> Bool {
    guard kind == other.kind, name == other.name else { return false }
    guard let schema, let otherSchema = other.schema else { return true }
    return schema == otherSchema
  }

  var isSystemObject: Bool {
    guard let schema = kind == .schema ? name : schema else { return false }
    return schema == "pg_catalog" || schema == "information_schema"
  }
}

extension ObjectReference: CustomStringConvertible {
  /// `schema.name`, quoted where PostgreSQL would need it.
  public var description: String {
    let quotedName = Self.quoted(name)
    return schema.map { "\(Self.quoted($0)).\(quotedName)" } ?? quotedName
  }

  private static func quoted(_ name: String) -> String {
    let plain = name.utf8.enumerated().allSatisfy { index, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), 0x80...0xFF: true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "$"): index > 0
      default: false
      }
    }
    if plain && !name.isEmpty { return name }
    return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
      + "\""
  }
}

/// References in the order in which they were first met, each once.
struct ReferenceList {
  private(set) var references: [ObjectReference] = []
  private var seen: Set<ObjectReference> = []

  mutating func insert(_ reference: ObjectReference) {
    guard !reference.name.isEmpty, !reference.isSystemObject, seen.insert(reference).inserted else { return }
    references.append(reference)
  }
}
