/// What became of a catalogue between two reads, by a ``CatalogTracker``.
public struct CatalogChange: Sendable {
  /// Objects that are new or have a new definition, sorted by name.
  public let written: [CatalogObject]
  /// Objects that are gone, sorted by name.
  public let removed: [CatalogObject.Name]
  /// The fingerprint of the whole catalogue after the change.
  public let fingerprint: CatalogFingerprint
  /// Why everything had to be read again; nil where the changed parts were enough.
  public let fullReadReason: String?

  public var isEmpty: Bool { written.isEmpty && removed.isEmpty }

  /// The rows that take the place of the tracker's.
  let rows: Rows

  enum Rows: Sendable {
    case unchanged
    case groups([CatalogGroup: [CatalogRow]])
    case everything([CatalogGroup: [CatalogRow]], members: String)
  }
}

extension CatalogChange {
  /// Compares the objects of `before` with those of `after`, which replace them.
  init(
    from before: some Sequence<CatalogRow>, to after: some Sequence<CatalogRow>,
    of fingerprint: CatalogFingerprint, rows: Rows, fullReadReason: String?
  ) {
    var old: [CatalogObject.Name: CatalogObject] = [:]
    for row in before {
      for object in row.objects { old[object.name] = object }
    }
    var fingerprint = fingerprint
    var written: [CatalogObject] = []
    for row in after {
      for object in row.objects {
        let previous = old.removeValue(forKey: object.name)
        if previous == object { continue }
        if let previous { fingerprint.remove(previous) }
        fingerprint.add(object)
        written.append(object)
      }
    }
    for object in old.values { fingerprint.remove(object) }
    self.written = written.sorted { $0.name < $1.name }
    self.removed = old.keys.sorted()
    self.fingerprint = fingerprint
    self.rows = rows
    self.fullReadReason = fullReadReason
  }
}
