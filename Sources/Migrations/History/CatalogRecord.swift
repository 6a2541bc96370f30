import Catalog
import Crypto
import Postgres

/// What the migrations left: the schema objects as `tsdb.catalog_objects` holds them.
///
/// Each migration writes its own difference only, so a change made by hand stays visible until it is
/// undone or accepted.
final class CatalogRecord {
  /// The catalogue's change in one transaction, as SQL that records it in the same transaction.
  struct Change {
    let fingerprintBefore: String?
    let fingerprint: String
    let sql: String
  }

  private let schema: HistorySchema
  private let ignoredDrift: [String]
  private var tracker: CatalogTracker?
  /// Whether the whole catalogue must be written with the next change: nothing is recorded yet.
  private var isBaselineMissing = false
  /// What the open transaction changed, until it is committed.
  private var pending: CatalogChange?

  init(schema: HistorySchema, ignoredDrift: [String]) {
    self.schema = schema
    self.ignoredDrift = ignoredDrift
  }

  /// The fingerprint of the live catalogue as last read.
  var fingerprint: String? { tracker.map { $0.fingerprint.description } }

  /// Reads the catalogue as it is before a migration, unless it is known already.
  ///
  /// - Parameter isAlone: whether no other run can have applied a file since the last read. Behind a
  ///   pooler runs take turns file by file, so each reads anew.
  func prepare(on connection: borrowing Connection, isAlone: Bool) throws {
    if tracker != nil, isAlone { return }
    tracker = try CatalogTracker(reading: connection, excludingSchemas: [schema.name])
    isBaselineMissing = try !connection.query(
      "select exists (select from \(schema.table("catalog_objects")))"
    ).isTrue(0, 0)
  }

  /// What the current transaction changed.
  ///
  /// - Parameters:
  ///   - isComplete: reads the whole catalogue again, for changes made in other transactions.
  ///   - onlyCreatesRelations: see `CatalogTracker.change`.
  func change(
    on connection: borrowing Connection, isComplete: Bool = false, onlyCreatesRelations: Bool = false
  ) throws -> Change {
    guard let tracker else {
      throw MigrationError(.failed, "the catalogue was not read before the migration")
    }
    let change =
      try isComplete
      ? tracker.reread(on: connection)
      : tracker.change(on: connection, onlyCreatesRelations: onlyCreatesRelations)
    pending = change
    let baseline = isBaselineMissing ? upserts(tracker.snapshot.objects) : ""
    return Change(
      fingerprintBefore: tracker.fingerprint.description, fingerprint: change.fingerprint.description,
      sql: baseline + upserts(change.written) + deletions(change.removed))
  }

  /// What the live catalogue has that is not recorded, for a file that an interrupted run began:
  /// nobody noted what was there before it.
  func changeSinceRecord(on connection: borrowing Connection) throws -> Change {
    let drift = try drift(on: connection)
    guard let tracker, !isBaselineMissing else { return try change(on: connection, isComplete: true) }
    return Change(
      fingerprintBefore: nil, fingerprint: tracker.fingerprint.description, sql: recording(drift))
  }

  /// Makes the last change the known state; call after the commit.
  func committed() {
    if let pending { tracker?.apply(pending) }
    pending = nil
    isBaselineMissing = false
  }

  /// How the live catalogue differs from what the migrations left, without what is ignored.
  ///
  /// Nothing where nothing was recorded.
  func drift(on connection: borrowing Connection) throws -> CatalogDifference {
    let live = try CatalogTracker(reading: connection, excludingSchemas: [schema.name])
    tracker = live
    guard let recorded = try recordedObjects(on: connection) else { return CatalogDifference() }
    var difference = CatalogDifference(from: recorded, to: live.snapshot.objects)
    difference.added.removeAll { isIgnored($0.identity) }
    difference.missing.removeAll { isIgnored($0.identity) }
    difference.changed.removeAll { isIgnored($0.name.identity) || Self.isIndexCompletion($0) }
    return difference
  }

  /// SQL that makes the record agree with the live catalogue.
  func recording(_ drift: CatalogDifference) -> String {
    upserts(drift.added + drift.changed.map(\.after)) + deletions(drift.missing.map(\.name))
  }

  /// The recorded objects; nil where the history is absent or nothing was recorded.
  private func recordedObjects(on connection: borrowing Connection) throws -> [CatalogObject]? {
    guard try schema.exists(on: connection) else { return nil }
    let result = try connection.query(
      "select kind, identity, definition from \(schema.table("catalog_objects"))")
    isBaselineMissing = result.rowCount == 0
    guard result.rowCount > 0 else { return nil }
    return (0..<result.rowCount).compactMap { row in
      // A kind that this build does not know was written by a newer one, which the history's version tells.
      CatalogKind(rawValue: result.text(row, 0)).map {
        CatalogObject(kind: $0, identity: result.text(row, 1), definition: result.text(row, 2))
      }
    }
  }

  /// Whether an index that was still being built when it was recorded has become valid.
  private static func isIndexCompletion(_ change: CatalogDifference.Change) -> Bool {
    change.name.kind == .index && change.before.definition == change.after.definition + "\ninvalid"
  }

  private func isIgnored(_ identity: String) -> Bool {
    ignoredDrift.contains { Wildcard.matches(identity, pattern: $0) }
  }

  private func upserts(_ objects: [CatalogObject]) -> String {
    guard !objects.isEmpty else { return "" }
    let rows = objects.map { object in
      let values = [key(of: object.name), object.kind.rawValue, object.identity, object.definition].map {
        Quoting.literal($0)
      }
      return "(\(values.joined(separator: ", ")))"
    }
    return """
      insert into \(schema.table("catalog_objects")) (key, kind, identity, definition) values
      \(rows.joined(separator: ",\n"))
      on conflict (key) do update set definition = excluded.definition;

      """
  }

  private func deletions(_ names: [CatalogObject.Name]) -> String {
    guard !names.isEmpty else { return "" }
    let list = names.map { Quoting.literal(key(of: $0)) }.joined(separator: ", ")
    return "delete from \(schema.table("catalog_objects")) where key in (\(list));\n"
  }

  /// Of fixed length: an identity may be longer than an index entry may be.
  private func key(of name: CatalogObject.Name) -> String {
    Checksum(ofText: "\(name.kind.rawValue)\u{0}\(name.identity)").value
  }
}

/// Matches names against patterns in which `*` stands for any characters.
enum Wildcard {
  static func matches(_ text: String, pattern: String) -> Bool {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false).map(Array.init)
    let text = Array(text)
    guard let first = parts.first, let last = parts.last else { return text.isEmpty }
    if parts.count == 1 { return text == first }
    guard text.count >= first.count + last.count, text.starts(with: first),
      text.suffix(last.count).elementsEqual(last)
    else { return false }
    var rest = text[first.count..<(text.count - last.count)]
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let start = rest.indices.first(where: { rest[$0...].starts(with: part) }) else { return false }
      rest = rest[(start + part.count)...]
    }
    return true
  }
}
