import Postgres

public struct CatalogObject: Sendable, Hashable {
  public struct Key: Sendable, Hashable { public var kind: String; public var identity: String }
  public var kind: String
  public var identity: String
  public var definition: String
  public var key: Key { Key(kind: kind, identity: identity) }
  public init(kind: String, identity: String, definition: String) {
    self.kind = kind; self.identity = identity; self.definition = definition
  }
}
public struct CatalogFingerprint: Sendable, CustomStringConvertible {
  public var description = "catalog-v1:0"
}
public struct CatalogSnapshot: Sendable {
  public var objects: [CatalogObject] = []
  public var fingerprint = CatalogFingerprint()
  public init(_ objects: [CatalogObject] = []) { self.objects = objects }
  public func differences(from other: CatalogSnapshot) -> [CatalogDifference] { [] }
}
public enum CatalogDifference: Sendable, Equatable, CustomStringConvertible {
  case added(CatalogObject)
  case missing(CatalogObject)
  case changed(before: CatalogObject, after: CatalogObject)
  public var identity: String { "" }
  public var description: String { "" }
}
public struct CatalogUpdate {
  public var written: [CatalogObject] = []; public var removed: [CatalogObject.Key] = []
}
public struct CatalogTracker {
  public var snapshot = CatalogSnapshot()
  public init(excludingSchemas: [String], on: borrowing Connection) throws {}
  public mutating func update(on: borrowing Connection) throws -> CatalogUpdate { CatalogUpdate() }
  public mutating func reload(on: borrowing Connection) throws -> CatalogUpdate { CatalogUpdate() }
}
