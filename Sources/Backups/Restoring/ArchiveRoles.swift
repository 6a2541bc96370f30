import Archive

/// The roles that an archive's entries name.
enum ArchiveRoles {
  /// - Parameter entries: positions of the entries that are restored.
  /// - Returns: names in the archive's encoding.
  static func names(
    in toc: TableOfContents, entries: [Int], ofDatabase: [Int], selection: RestoreSelection
  ) -> Set<[UInt8]> {
    var names: Set<[UInt8]> = []
    for index in entries {
      let entry = toc.entries[index]
      if selection.includesOwners, let owner = entry.owner, !owner.isEmpty { names.insert(owner) }
      if ["POLICY", "USER MAPPING"].contains(entry.kind) || entry.isPrivilege {
        names.formUnion(mentioned(in: entry.definition ?? []))
      }
    }
    for index in ofDatabase { names.formUnion(mentioned(in: toc.entries[index].definition ?? [])) }
    return names
  }

  /// Roles in GRANT, REVOKE, ALTER DEFAULT PRIVILEGES, SET SESSION AUTHORIZATION, CREATE POLICY, CREATE
  /// USER MAPPING and ALTER ROLE, as pg_dump writes them.
  static func mentioned(in sql: [UInt8]) -> Set<[UInt8]> {
    var names: Set<[UInt8]> = []
    for (_, words) in SQLWords.statements(in: sql) {
      names.formUnion(rolesNamed(in: words))
    }
    return names
  }

  private static func rolesNamed(in words: [SQLWords.Word]) -> Set<[UInt8]> {
    var names: Set<[UInt8]> = []
    func isAt(_ index: Int, _ keywords: String...) -> Bool {
      keywords.enumerated().allSatisfy {
        index + $0.offset < words.count && words[index + $0.offset].isKeyword($0.element)
      }
    }
    func take(_ index: Int) {
      guard index < words.count, let name = words[index].name, !isPseudoRole(words[index]) else { return }
      names.insert(name)
    }
    var depth = 0
    let isPolicy = isAt(0, "CREATE", "POLICY")
    let isPrivilege = isAt(0, "GRANT") || isAt(0, "REVOKE") || isAt(0, "ALTER", "DEFAULT")
    if isAt(0, "SET", "SESSION", "AUTHORIZATION") { take(3) }
    if isAt(0, "ALTER", "ROLE") { take(2) }
    if isAt(0, "CREATE", "USER", "MAPPING") { take(isAt(3, "IF") ? 7 : 4) }
    // TO and FROM are reserved, so a bare one is never a name.
    for index in words.indices {
      if words[index] == .symbol(UInt8(ascii: "(")) { depth += 1 }
      if words[index] == .symbol(UInt8(ascii: ")")) { depth -= 1 }
      guard depth == 0 else { continue }
      if isPolicy, isAt(index, "USING") || isAt(index, "WITH") { break }
      if isAt(0, "ALTER", "DEFAULT"), isAt(index, "FOR", "ROLE") { take(index + 2) }
      guard isPolicy || isPrivilege, isAt(index, "TO") || isAt(index, "FROM") else { continue }
      var next = index + 1
      repeat {
        take(next)
        next += 2
      } while next < words.count && words[next - 1] == .symbol(UInt8(ascii: ","))
    }
    return names
  }

  private static func isPseudoRole(_ word: SQLWords.Word) -> Bool {
    ["PUBLIC", "CURRENT_USER", "CURRENT_ROLE", "SESSION_USER", "DEFAULT", "USER"]
      .contains { word.isKeyword($0) }
  }
}
