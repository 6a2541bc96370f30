/// How an actual catalogue differs from an expected one; each list is sorted by name.
public struct CatalogDifference: Sendable, Equatable {
  /// An object that is on both sides with different definitions.
  public struct Change: Sendable, Equatable {
    public let before: CatalogObject
    public let after: CatalogObject
    public var name: CatalogObject.Name { after.name }

    public init(before: CatalogObject, after: CatalogObject) {
      self.before = before
      self.after = after
    }
  }

  /// Objects that were not expected.
  public var added: [CatalogObject] = []
  /// Objects that were expected and are not there.
  public var missing: [CatalogObject] = []
  public var changed: [Change] = []

  public init() {}

  public var isEmpty: Bool { added.isEmpty && missing.isEmpty && changed.isEmpty }

  /// Compares two catalogues.
  ///
  /// A table whose columns came or went is not itself reported as changed: its columns are.
  public init(from expected: some Sequence<CatalogObject>, to actual: some Sequence<CatalogObject>) {
    var remaining = Dictionary(expected.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for after in actual {
      guard let before = remaining.removeValue(forKey: after.name) else {
        added.append(after)
        continue
      }
      if before != after, !TableColumns.isOnlyAdditionOrRemoval(before, after) {
        changed.append(Change(before: before, after: after))
      }
    }
    missing = remaining.values.sorted { $0.name < $1.name }
    added.sort { $0.name < $1.name }
    changed.sort { $0.name < $1.name }
  }
}

/// The order of a table's columns, which the table's definition ends with.
enum TableColumns {
  /// Starts the last part of a table's definition; a column's name is preceded by a line break.
  static let heading = "\ncolumns in order"

  static func isOnlyAdditionOrRemoval(_ before: CatalogObject, _ after: CatalogObject) -> Bool {
    guard before.kind == .table || before.kind == .foreignTable else { return false }
    guard let (oldRest, oldColumns) = split(before), let (newRest, newColumns) = split(after) else {
      return false
    }
    guard oldRest.utf8.elementsEqual(newRest.utf8) else { return false }
    let common = Set(oldColumns).intersection(newColumns)
    return oldColumns.filter(common.contains) == newColumns.filter(common.contains)
  }

  private static func split(_ object: CatalogObject) -> (rest: Substring, columns: [String])? {
    guard let range = object.definition.firstRange(of: heading) else { return nil }
    // A name may hold a line break, but then it is quoted and goes on as part of the same comparison.
    let columns = object.definition[range.upperBound...].split(separator: "\n").map(String.init)
    return (object.definition[..<range.lowerBound], columns)
  }
}

extension CatalogDifference {
  /// How many objects differ.
  public var count: Int { added.count + missing.count + changed.count }

  /// One line an object: what happened to it, its kind and its name.
  public var lines: [String] {
    added.map { "added \($0.name)" } + missing.map { "missing \($0.name)" }
      + changed.map { "changed \($0.name)" }
  }
}
