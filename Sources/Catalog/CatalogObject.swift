/// One schema object in canonical text.
public struct CatalogObject: Sendable, Hashable {
  /// What names an object: no two objects of one database share it.
  public struct Name: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let kind: CatalogKind
    /// The qualified name, such as `public.orders.total`; parts that are no plain lower-case names
    /// stand in double quotes. Of a comment, an owner or privileges: kind and name of what they
    /// belong to, such as `table public.orders`.
    public let identity: String

    public init(kind: CatalogKind, identity: String) {
      self.kind = kind
      self.identity = identity
    }

    /// By kind, then identity, both as UTF-8 bytes: the same on every server and client.
    public static func < (left: Self, right: Self) -> Bool {
      left.kind == right.kind
        ? left.identity.utf8.lexicographicallyPrecedes(right.identity.utf8)
        : left.kind.rawValue.utf8.lexicographicallyPrecedes(right.kind.rawValue.utf8)
    }

    // Canonically equivalent strings are different names to the server, but equal to `==`.
    public static func == (left: Self, right: Self) -> Bool {
      left.kind == right.kind && left.identity.utf8.elementsEqual(right.identity.utf8)
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(kind)
      var identity = identity
      identity.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    public var description: String { "\(kind.rawValue) \(identity)" }
  }

  public let name: Name
  /// Everything about the object that is schema: independent of session settings, object ids,
  /// privileges and contents.
  public let definition: String

  public var kind: CatalogKind { name.kind }
  public var identity: String { name.identity }

  public init(kind: CatalogKind, identity: String, definition: String) {
    self.name = Name(kind: kind, identity: identity)
    self.definition = definition
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.name == right.name && left.definition.utf8.elementsEqual(right.definition.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
  }
}
