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

  init(schema: HistorySchema, ignoredDrift: [String]) {
    self.schema = schema
    self.ignoredDrift = ignoredDrift
  }

  /// The fingerprint of the live catalogue as last read.
  var fingerprint: String? { tracker.map { $0.snapshot.fingerprint.description } }

  /// Reads the catalogue as it is before a migration, unless it is known already.
  func prepare(on connection: borrowing Connection) throws {
    guard tracker == nil else { return }
    tracker = try CatalogTracker(excludingSchemas: [schema.name], on: connection)
    isBaselineMissing = try !connection.query(
      "select exists (select from \(schema.table("catalog_objects")))"
    ).isTrue(0, 0)
  }

  /// What the current transaction changed.
  ///
  /// - Parameter isComplete: reads the whole catalogue again, for changes made in other transactions.
  func change(on connection: borrowing Connection, isComplete: Bool = false) throws -> Change {
    guard var tracker else {
      throw MigrationError(.failed, "the catalogue was not read before the migration")
    }
    let before = tracker.snapshot.fingerprint.description
    let update = try isComplete ? tracker.reload(on: connection) : tracker.update(on: connection)
    pending = tracker
    let sql =
      isBaselineMissing
      ? upserts(tracker.snapshot.objects) : upserts(update.written) + deletions(update.removed)
    return Change(
      fingerprintBefore: before, fingerprint: tracker.snapshot.fingerprint.description, sql: sql)
  }

  private var pending: CatalogTracker?

  /// Makes the last change the known state; call after the commit.
  func committed() {
    if let pending { tracker = pending }
    pending = nil
    isBaselineMissing = false
  }

  /// How the live catalogue differs from what the migrations left, without what is ignored.
  ///
  /// Nothing where nothing was recorded.
  func drift(on connection: borrowing Connection) throws -> [CatalogDifference] {
    let live = try CatalogTracker(excludingSchemas: [schema.name], on: connection)
    tracker = live
    guard let recorded = try recordedObjects(on: connection) else { return [] }
    return live.snapshot.differences(from: recorded).filter { !isIgnored($0.identity) }
  }

  /// SQL that makes the record agree with the live catalogue.
  func recording(_ drift: [CatalogDifference]) -> String {
    var written: [CatalogObject] = []
    var removed: [CatalogObject.Key] = []
    for difference in drift {
      switch difference {
      case .added(let object), .changed(_, let object): written.append(object)
      case .missing(let object): removed.append(object.key)
      }
    }
    return upserts(written) + deletions(removed)
  }

  /// The recorded objects; nil where the history is absent or nothing was recorded.
  private func recordedObjects(on connection: borrowing Connection) throws -> CatalogSnapshot? {
    guard try schema.exists(on: connection) else { return nil }
    let result = try connection.query(
      "select kind, identity, definition from \(schema.table("catalog_objects"))")
    isBaselineMissing = result.rowCount == 0
    guard result.rowCount > 0 else { return nil }
    return CatalogSnapshot(
      (0..<result.rowCount).map {
        CatalogObject(kind: result.text($0, 0), identity: result.text($0, 1), definition: result.text($0, 2))
      })
  }

  private func isIgnored(_ identity: String) -> Bool {
    ignoredDrift.contains { Wildcard.matches(identity, pattern: $0) }
  }

  private func upserts(_ objects: [CatalogObject]) -> String {
    guard !objects.isEmpty else { return "" }
    let rows = objects.map { object in
      let values = [key(of: object.key), object.kind, object.identity, object.definition].map {
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

  private func deletions(_ keys: [CatalogObject.Key]) -> String {
    guard !keys.isEmpty else { return "" }
    let list = keys.map { Quoting.literal(key(of: $0)) }.joined(separator: ", ")
    return "delete from \(schema.table("catalog_objects")) where key in (\(list));\n"
  }

  /// Of fixed length: an identity may be longer than an index entry may be.
  private func key(of key: CatalogObject.Key) -> String {
    Checksum(ofText: "\(key.kind)\u{0}\(key.identity)").value
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
