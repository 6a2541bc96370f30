extension ArchiveEntry {
  /// Whether the entry makes a partitioned table, which has an access method but no storage.
  var isPartitionedTable: Bool { relationKind == Int32(UInt8(ascii: "p")) }

  /// How `ALTER … OWNER TO` names the entry's object, as pg_restore does; nil for what has no owner of
  /// its own.
  ///
  /// Source: `_getObjectDescription` of PostgreSQL's `pg_backup_archiver.c`.
  ///
  /// - Throws: ``ArchiveError`` for a kind of object that pg_dump gives no owner, and for a DROP
  ///   statement that drops something else than the entry makes.
  func ownedObject(drop: [UInt8]) throws(ArchiveError) -> [UInt8]? {
    let kind = kind
    if Self.named.contains(kind) {
      return SQLBytes("\(kind.utf8) \(SQLIdentifier.quoted(namespace, tag ?? []))").bytes
    }
    if kind == "BLOB" {
      guard let tag, UInt32(String(decoding: tag, as: UTF8.self)) != nil else {
        throw ArchiveError(.damaged, "entry \(dumpID) does not name a large object by its oid")
      }
      return SQLBytes("LARGE OBJECT \(tag)").bytes
    }
    if Self.namedByDrop.contains(kind) {
      guard let object = Self.object(ofDrop: drop, kind: kind) else {
        throw ArchiveError(
          .damaged, "the DROP statement of entry \(dumpID) does not fit its kind",
          detail: "The entry makes a \(kind); its statement is \"\(ArchiveFileName.printable(drop))\".")
      }
      return object
    }
    guard Self.ownerless.contains(kind) else {
      throw ArchiveError(
        .unsupported, "entry \(dumpID) has an owner and is of an unknown kind",
        detail: "Its kind is \"\(ArchiveFileName.printable(Array(kind.utf8)))\".")
    }
    return nil
  }

  private static let named: Set = [
    "COLLATION", "CONVERSION", "DOMAIN", "FOREIGN TABLE", "MATERIALIZED VIEW", "SEQUENCE", "STATISTICS",
    "TABLE", "TEXT SEARCH DICTIONARY", "TEXT SEARCH CONFIGURATION", "TYPE", "VIEW", "DATABASE",
    "PROCEDURAL LANGUAGE", "SCHEMA", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "SERVER", "PUBLICATION",
    "SUBSCRIPTION",
  ]

  /// Their names need arguments, or an access method, which only the DROP statement has.
  private static let namedByDrop: Set = [
    "AGGREGATE", "FUNCTION", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURE",
  ]

  private static let ownerless: Set = [
    "CAST", "CHECK CONSTRAINT", "CONSTRAINT", "DATABASE PROPERTIES", "DEFAULT", "FK CONSTRAINT", "INDEX",
    "RULE", "TRIGGER", "ROW SECURITY", "POLICY", "USER MAPPING",
  ]

  /// `FUNCTION app.f(integer)` of `DROP FUNCTION app.f(integer);` and a newline; nil when the statement
  /// drops another kind of object or is more than one command.
  private static func object(ofDrop drop: [UInt8], kind: String) -> [UInt8]? {
    guard drop.starts(with: "DROP \(kind) ".utf8) else { return nil }
    var object = drop.dropFirst("DROP ".utf8.count)
    while let last = object.last, last == UInt8(ascii: ";") || last == UInt8(ascii: "\n") {
      object.removeLast()
    }
    var isQuoted = false
    for byte in object {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if byte == UInt8(ascii: ";"), !isQuoted { return nil }
    }
    return isQuoted ? nil : Array(object)
  }
}
