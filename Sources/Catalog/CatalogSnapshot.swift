import Postgres

/// All schema objects of a database at one moment.
public struct CatalogSnapshot: Sendable, Equatable {
  /// Sorted by name.
  public let objects: [CatalogObject]
  public let fingerprint: CatalogFingerprint

  public init(objects: [CatalogObject]) {
    self.objects = objects.sorted { $0.name < $1.name }
    self.fingerprint = CatalogFingerprint(of: objects)
  }

  /// Reads the catalogue in one round trip, inside a transaction block or outside of one.
  ///
  /// Takes no lock beyond those of reading system catalogues, needs no privilege, and leaves the
  /// session's settings as they were. Left out are system schemas, temporary objects, `schemas`,
  /// members of extensions, and partitions other than default ones.
  public static func read(
    on connection: borrowing Connection, excludingSchemas schemas: [String] = []
  ) throws(PostgresError) -> CatalogSnapshot {
    let rows = try CatalogReader(excludedSchemas: schemas).readEverything(on: connection)
    return CatalogSnapshot(objects: rows.flatMap(\.objects))
  }

  /// What is different in this catalogue from an expected one.
  public func difference(from expected: CatalogSnapshot) -> CatalogDifference {
    CatalogDifference(from: expected.objects, to: objects)
  }
}
