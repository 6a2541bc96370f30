/// What sort of schema object an object of the catalogue is; the raw value reads in messages.
public enum CatalogKind: String, Sendable, CaseIterable {
  case schema
  case table
  case foreignTable = "foreign table"
  case column
  case constraint
  case index
  case view
  case materializedView = "materialized view"
  case sequence
  case function
  case procedure
  case aggregate
  case trigger
  case rule
  case policy
  case type
  case domain
  case statistics
  case collation
  case conversion
  case `operator` = "operator"
  case operatorClass = "operator class"
  case operatorFamily = "operator family"
  case cast
  case textSearchConfiguration = "text search configuration"
  case textSearchDictionary = "text search dictionary"
  case `extension` = "extension"
  case eventTrigger = "event trigger"
  case language
  case publication
  case foreignDataWrapper = "foreign-data wrapper"
  case foreignServer = "foreign server"
  case comment
  case owner
  case privileges
  case defaultPrivileges = "default privileges"

  /// Whether objects of this kind are part of the fingerprint.
  ///
  /// Roles belong to the server, and one schema is owned by different roles in different places, so
  /// owners and grants are compared but do not make two schemas different.
  public var isFingerprinted: Bool {
    switch self {
    case .owner, .privileges, .defaultPrivileges: false
    default: true
    }
  }
}
