import Postgres

/// Follows a catalogue through transactions, reading only what each of them changed.
///
/// A change is read inside the transaction that made it, and applied to the tracker once that has
/// been committed; a change of a transaction that was rolled back is dropped. Two things are not seen:
/// what other sessions do to the schema meanwhile, and what statements outside of a transaction
/// block have done. After those, use ``init(reading:excludingSchemas:)`` again or ``reread(on:)``.
public struct CatalogTracker: Sendable {
  /// The fingerprint after the last applied change.
  public private(set) var fingerprint: CatalogFingerprint

  private let reader: CatalogReader
  private var groups: [CatalogGroup: [CatalogRow]]
  /// Which objects are members of extensions: membership comes and goes without other changes.
  private var members: String

  /// Reads the whole catalogue; see ``CatalogSnapshot/read(on:excludingSchemas:)``.
  public init(
    reading connection: borrowing Connection, excludingSchemas schemas: [String] = []
  ) throws(PostgresError) {
    reader = CatalogReader(excludedSchemas: schemas)
    let rows = try reader.readEverything(on: connection)
    groups = Dictionary(grouping: rows, by: \.group)
    fingerprint = CatalogFingerprint(of: rows.lazy.flatMap(\.objects))
    members = try ChangedCatalogs.members(on: connection)
  }

  /// All objects after the last applied change.
  public var snapshot: CatalogSnapshot {
    CatalogSnapshot(objects: groups.values.flatMap { $0.flatMap(\.objects) })
  }

  /// What the open transaction of `connection` has changed so far.
  ///
  /// Costs one short query when that is nothing. The result equals that of a full read, and a full
  /// read is what happens whenever less might not be enough; see ``CatalogChange/fullReadReason``.
  ///
  /// - Parameter onlyCreatesRelations: whether the transaction's statements are known to do nothing but
  ///   create tables, indexes, views and sequences; what they created is then found without looking
  ///   through the catalogue, whose size otherwise counts.
  public func change(
    on connection: borrowing Connection, onlyCreatesRelations: Bool = false
  ) throws(PostgresError) -> CatalogChange {
    if onlyCreatesRelations, let created = try CreatedRelations.read(on: connection) {
      var dirty = ChangedGroups()
      dirty.groups = created.groups
      return try change(of: dirty, preparedStatements: created.preparedStatements, on: connection)
    }
    let changed = try ChangedCatalogs.read(on: connection)
    switch changed.extent(members: members) {
    case .nothing:
      return unchanged
    case .everything(let reason):
      return try reread(on: connection, reason: reason)
    case .rows(let catalogs):
      let dirty = try ChangedGroups.read(
        catalogs, preparedStatements: changed.preparedStatements, on: connection)
      if let reason = dirty.fullReadReason { return try reread(on: connection, reason: reason) }
      return try change(of: dirty, preparedStatements: changed.preparedStatements, on: connection)
    }
  }

  /// What has changed since the last applied change, by a full read: for statements that ran outside
  /// of a transaction block.
  public func reread(on connection: borrowing Connection) throws(PostgresError) -> CatalogChange {
    try reread(on: connection, reason: "asked for")
  }

  /// Takes over a change whose transaction has been committed.
  ///
  /// The change must have been read by this tracker since the last one was applied.
  public mutating func apply(_ change: CatalogChange) {
    fingerprint = change.fingerprint
    switch change.rows {
    case .unchanged: break
    case .groups(let groups): self.groups.merge(groups) { $1 }
    case .everything(let groups, let members):
      self.groups = groups
      self.members = members
    }
  }

  private var unchanged: CatalogChange {
    CatalogChange(
      from: [], to: [], of: fingerprint, rows: .unchanged, fullReadReason: nil)
  }

  private func change(
    of dirty: ChangedGroups, preparedStatements: Set<String>, on connection: borrowing Connection
  ) throws(PostgresError) -> CatalogChange {
    if dirty.groups.isEmpty { return unchanged }
    let rows = try reader.read(
      dirty.groups, preparedStatements: preparedStatements, on: connection)
    let read = Dictionary(grouping: rows, by: \.group)
    if let reason = reasonAgainst(read, dirty) { return try reread(on: connection, reason: reason) }
    let before = dirty.groups.lazy.compactMap { groups[$0] }.joined()
    return CatalogChange(
      from: before, to: rows, of: fingerprint, rows: .groups(read), fullReadReason: nil)
  }

  /// Why reading the changed groups is not enough, because other objects' text may have changed.
  private func reasonAgainst(_ read: [CatalogGroup: [CatalogRow]], _ dirty: ChangedGroups) -> String? {
    for group in dirty.groups {
      guard let known = groups[group] else {
        if group.kind == .schema, dirty.hasUpdatedSchema { return "a schema may have been renamed" }
        // A partition is left out of the catalogue; what is built on it is not.
        if group.kind == .relation, read[group, default: []].isEmpty,
          dirty.relationsInUse.contains(group.id)
        {
          return "a relation that is left out, and that others are built on, was changed"
        }
        continue
      }
      let after = Dictionary((read[group] ?? []).map { ($0.key, $0.name) }, uniquingKeysWith: { $1 })
      for row in known where after[row.key] != row.name {
        return after[row.key] == nil ? "\(row.name) is gone" : "\(row.name) was renamed"
      }
      let knownKeys = Set(known.map(\.key))
      let hasNewColumn = after.keys.contains { $0.column > 0 && !knownKeys.contains($0) }
      if hasNewColumn, group.kind == .relation, dirty.relationsInUse.contains(group.id) {
        return "a relation that others are built on has new columns"
      }
    }
    return nil
  }

  private func reread(
    on connection: borrowing Connection, reason: String
  ) throws(PostgresError) -> CatalogChange {
    let rows = try reader.readEverything(on: connection)
    let members = try ChangedCatalogs.members(on: connection)
    return CatalogChange(
      from: groups.values.joined(), to: rows, of: fingerprint,
      rows: .everything(Dictionary(grouping: rows, by: \.group), members: members),
      fullReadReason: reason)
  }
}
