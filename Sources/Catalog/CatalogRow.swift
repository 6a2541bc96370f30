/// Catalogue rows that are read together, because they belong to one relation, routine, type or schema.
struct CatalogGroup: Hashable, Sendable {
  enum Kind: String, Sendable {
    case relation = "r"
    case routine = "f"
    case type = "t"
    case schema = "n"
    /// Everything that is only ever read as a whole.
    case other = "x"
  }

  let kind: Kind
  let id: UInt32
}

/// Where a row of the answer comes from: stays the same while the object is renamed or changed.
struct CatalogKey: Hashable, Sendable {
  let catalog: UInt32
  let object: UInt32
  let column: Int32
}

/// One row of a ``CatalogQuery``'s answer: an object with its owner, privileges and comment.
struct CatalogRow: Sendable {
  let group: CatalogGroup
  let key: CatalogKey
  let name: CatalogObject.Name
  /// None, where the row only carries a name, privileges or a comment, as a view's columns do.
  let objects: [CatalogObject]

  init(
    group: CatalogGroup, key: CatalogKey, kind: CatalogKind, identity: String, definition: String?,
    owner: String?, privileges: String?, comment: String?
  ) {
    self.group = group
    self.key = key
    self.name = CatalogObject.Name(kind: kind, identity: identity)
    let attached = "\(kind.rawValue) \(identity)"
    var objects: [CatalogObject] = []
    if let definition {
      objects.append(CatalogObject(kind: kind, identity: identity, definition: definition))
    }
    if let owner { objects.append(CatalogObject(kind: .owner, identity: attached, definition: owner)) }
    if let privileges {
      objects.append(CatalogObject(kind: .privileges, identity: attached, definition: privileges))
    }
    if let comment { objects.append(CatalogObject(kind: .comment, identity: attached, definition: comment)) }
    self.objects = objects
  }
}
