import Archive

extension RestoreNeeds {
  /// What an archive needs.
  ///
  /// Names that are not ASCII in an archive that is not UTF-8 are left out: whether they exist shows
  /// when they are used.
  init(
    _ toc: TableOfContents, manifest: BackupManifest?, plan: RestorePlan, selection: RestoreSelection,
    database: RestoredDatabase, jobs: Int, newName: String?, dataSize: Int64?
  ) {
    let isUTF8 = (try? toc.encoding()) == "UTF8"
    func texts(_ names: some Sequence<[UInt8]>) -> Set<String> {
      Set(
        names.filter { isUTF8 || $0.allSatisfy { $0 < 0x80 } }.map { String(decoding: $0, as: UTF8.self) }
          .filter { !$0.isEmpty })
    }
    let entries = plan.entries.map { toc.entries[$0] }
    self.database = database
    serverVersion = manifest?.server.versionNumber ?? toc.serverVersionNumber
    roles = texts(
      ArchiveRoles.names(
        in: toc, entries: plan.entries, ofDatabase: newName == nil ? [] : plan.ofDatabase,
        selection: selection))
    owners = selection.includesOwners ? texts(entries.compactMap(\.owner)) : []
    let versions = Dictionary(
      (manifest?.extensions ?? []).map { ($0.name, $0.version) }, uniquingKeysWith: { first, _ in first })
    extensions = [:]
    for entry in entries where entry.kind == "EXTENSION" {
      let name = String(decoding: entry.tag ?? [], as: UTF8.self)
      extensions[name] = .some(versions[name])
    }
    tablespaces = texts(entries.compactMap(\.tablespace)).union(database.tablespace.map { [$0] } ?? [])
      .subtracting(["pg_default"])
    size = plan.tables.isEmpty ? nil : manifest?.server.database.size ?? dataSize
    connections = jobs + 1
    self.newName = newName
  }
}

extension TableOfContents {
  /// Such as 150000 for `15.20 (Debian …)`; the minor version does not count.
  var serverVersionNumber: Int? {
    let digits = (header.serverVersion ?? []).prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    return Int(String(decoding: digits, as: UTF8.self)).map { $0 * 10_000 }
  }
}
