/// What one connection of a restore sends, entry after entry: it remembers the defaults that the
/// connection was given, as pg_restore does.
///
/// A session whose statement failed, or was rolled back, no longer has these defaults: begin a new one.
public struct RestoreSession: Sendable {
  private let script: RestoreScript
  private var tablespace: [UInt8]?
  private var tableAccessMethod: [UInt8]?

  /// For a connection that got the ``RestoreScript/sessionSettings(serverVersion:)`` and nothing else.
  public init(_ script: RestoreScript) { self.script = script }

  /// The statements of one of the script's entries, in order; each may be sent as it is and may hold
  /// several commands. For an entry with data: what comes before the data.
  ///
  /// - Throws: ``ArchiveError`` when the entry is not one that pg_dump writes.
  public mutating func statements(of entry: ArchiveEntry) throws(ArchiveError) -> [[UInt8]] {
    var statements = defaults(of: entry)
    // The definition of data is a comment at most.
    if entry.hasData { return statements }
    statements += try script.definition(of: entry)
    if let owner = entry.owner, !owner.isEmpty, !script.options.noOwner {
      statements += try script.changeOfOwner(of: entry, to: owner)
    }
    return statements
  }

  private mutating func defaults(of entry: ArchiveEntry) -> [[UInt8]] {
    var statements: [SQLBytes] = []
    if let wanted = entry.tablespace, wanted != tablespace, !script.options.noTablespaces {
      let value = wanted.isEmpty ? Array("''".utf8) : SQLIdentifier.quoted(wanted)
      statements.append("SET default_tablespace = \(value);")
      tablespace = wanted
    }
    if let wanted = entry.tableAccessMethod, wanted != tableAccessMethod, !entry.isPartitionedTable,
      !script.options.noTableAccessMethod
    {
      statements.append("SET default_table_access_method = \(SQLIdentifier.quoted(wanted));")
      tableAccessMethod = wanted
    }
    return statements.map(\.bytes)
  }
}

extension RestoreScript {
  fileprivate func definition(of entry: ArchiveEntry) throws(ArchiveError) -> [[UInt8]] {
    let definition = entry.definition ?? []
    let tag = entry.tag ?? []
    switch entry.kind {
    case "BLOB METADATA":
      return try entry.groupedLargeObjects().map { SQLBytes("SELECT pg_catalog.lo_create('\($0)');").bytes }
    case "ACL" where entry.hasTag("LARGE OBJECTS "):
      return try privilegesOfGroup(entry)
    case "SCHEMA" where options.noOwner && !definition.starts(with: "--".utf8):
      // Some releases write AUTHORIZATION into it.
      return [SQLBytes("CREATE SCHEMA \(SQLIdentifier.quoted(tag));").bytes]
    default: break
    }
    // Nothing but a comment where the object is there already, as the schema public is.
    let isComment =
      definition.starts(with: "--".utf8)
      && definition.firstIndex(of: UInt8(ascii: "\n")).map { $0 == definition.count - 1 } ?? true
    var statements = isComment || definition.isEmpty ? [] : [definition]
    if entry.isPartitionedTable, let method = entry.tableAccessMethod, !options.noTableAccessMethod {
      let table = SQLIdentifier.quoted(entry.namespace, tag)
      statements.append(
        SQLBytes("ALTER TABLE \(table) SET ACCESS METHOD \(SQLIdentifier.quoted(method));").bytes)
    }
    return statements
  }

  /// pg_restore's rule: what has no DROP statement has no owner of its own.
  fileprivate func changeOfOwner(
    of entry: ArchiveEntry, to owner: [UInt8]
  ) throws(ArchiveError) -> [[UInt8]] {
    guard let drop = entry.dropStatement, !drop.isEmpty else { return [] }
    let owner = SQLIdentifier.quoted(owner)
    if entry.kind == "BLOB METADATA" {
      return try entry.groupedLargeObjects().map {
        SQLBytes("ALTER LARGE OBJECT \($0) OWNER TO \(owner);").bytes
      }
    }
    guard let object = try entry.ownedObject(drop: drop) else { return [] }
    return [SQLBytes("ALTER \(object) OWNER TO \(owner);").bytes]
  }

  /// The commands on a group of large objects, which name only its first, for each of the group.
  private func privilegesOfGroup(_ entry: ArchiveEntry) throws(ArchiveError) -> [[UInt8]] {
    guard let id = entry.dependencies.first, let group = largeObjectGroups[id] else {
      throw ArchiveError(
        .damaged, "entry \(entry.dumpID) is about large objects that are not in the archive")
    }
    let oids = try group.groupedLargeObjects()
    return LargeObjectCommand.commands(in: entry.definition ?? []).flatMap { $0.statements(for: oids) }
  }
}
