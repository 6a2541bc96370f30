/// The SQL of a restore into a new database, which is what pg_restore would send.
///
/// All text is in ``encoding``, which ``sessionSettings(serverVersion:)`` sets. Nothing is made safer
/// than it is: definitions are the archive's own SQL and run as whoever restores.
public struct RestoreScript: Sendable {
  /// What to leave out, each like pg_restore's option of that name.
  public struct Options: Sendable, Equatable {
    /// Objects belong to the restoring role.
    public var noOwner = false
    /// No GRANT, REVOKE or default privileges.
    public var noPrivileges = false
    /// Everything in the database's own tablespace.
    public var noTablespaces = false
    public var noTableAccessMethod = false

    public init() {}
  }

  /// When in a restore an entry has its turn.
  ///
  /// Privileges come after all objects, because a definition may need what they take away; what runs
  /// users' code comes last.
  public enum Pass: Int, Sendable, Comparable, CaseIterable {
    case main
    case privileges
    /// Event triggers with their comments, materialized views' rows, statistics of these.
    case afterPrivileges

    public static func < (a: Pass, b: Pass) -> Bool { a.rawValue < b.rawValue }
  }

  public let options: Options
  /// PostgreSQL's name of the encoding of all text and data in the archive, such as `UTF8`.
  public let encoding: String
  /// Whether a backslash in an ordinary string constant is just that.
  public let standardConformingStrings: Bool
  /// What the archive's SEARCHPATH entry says; empties the search path.
  let searchPath: [UInt8]
  /// Large objects' groups by dump id, for the privileges that refer to them.
  let largeObjectGroups: [Int32: ArchiveEntry]
  /// What a restore into a new database runs, in the order of a serial restore: by pass, then as in
  /// the archive.
  ///
  /// Left out are what concerns the database itself (DATABASE, DATABASE PROPERTIES, their comments,
  /// privileges and security labels), what became session settings, and what the options leave out.
  public let entries: [ArchiveEntry]

  /// - Throws: ``ArchiveError`` when the entries that describe the session are not what pg_dump writes.
  public init(_ contents: TableOfContents, options: Options = Options()) throws(ArchiveError) {
    self.options = options
    encoding = try contents.encoding()
    standardConformingStrings = try contents.standardConformingStrings()
    searchPath = contents.first("SEARCHPATH")?.definition ?? Array(Self.emptySearchPath.utf8)
    var groups: [Int32: ArchiveEntry] = [:]
    for entry in contents.entries where entry.kind == "BLOB METADATA" { groups[entry.dumpID] = entry }
    largeObjectGroups = groups
    let restored = contents.entries.filter { $0.isRestored(options) }
    entries = Pass.allCases.flatMap { pass in restored.filter { $0.pass == pass } }
  }

  private static let emptySearchPath = "SELECT pg_catalog.set_config('search_path', '', false);\n"

  /// Statements for the start of each session of a restore.
  ///
  /// - Parameter serverVersion: such as 150020; a server is not told of settings that it lacks.
  public func sessionSettings(serverVersion: Int) -> [[UInt8]] {
    var settings = [
      "SET statement_timeout = 0;", "SET lock_timeout = 0;", "SET idle_in_transaction_session_timeout = 0;",
    ]
    if serverVersion >= 170000 { settings.append("SET transaction_timeout = 0;") }
    settings += [
      "SET client_encoding = '\(encoding)';",
      "SET standard_conforming_strings = \(standardConformingStrings ? "on" : "off");",
    ]
    var statements = settings.map { Array($0.utf8) } + [searchPath]
    settings = [
      "SET check_function_bodies = false;", "SET xmloption = content;", "SET client_min_messages = warning;",
    ]
    if !standardConformingStrings { settings.append("SET escape_string_warning = off;") }
    settings.append("SET row_security = off;")
    statements += settings.map { Array($0.utf8) }
    return statements
  }
}

extension ArchiveEntry {
  /// When the entry has its turn in a restore.
  public var pass: RestoreScript.Pass {
    switch kind {
    case "ACL", "ACL LANGUAGE", "DEFAULT ACL": .privileges
    case "EVENT TRIGGER", "MATERIALIZED VIEW DATA": .afterPrivileges
    case "COMMENT" where hasTag("EVENT TRIGGER "): .afterPrivileges
    // The statistics of a materialized view come after its rows.
    case "STATISTICS DATA" where section == .postData: .afterPrivileges
    default: .main
    }
  }

  /// Whether the entry is of a database's content rather than its structure: rows, the position of a
  /// sequence, or a large object with all that belongs to it.
  public var isContent: Bool {
    if hasData { return true }
    switch kind {
    case "SEQUENCE SET", "BLOB", "BLOB METADATA", "STATISTICS DATA": return true
    case "ACL", "COMMENT", "SECURITY LABEL": return hasTag("LARGE OBJECT ") || hasTag("LARGE OBJECTS ")
    default: return false
    }
  }

  /// Whether the tag begins with the ASCII text `start`.
  func hasTag(_ start: String) -> Bool { tag?.starts(with: start.utf8) ?? false }

  fileprivate func isRestored(_ options: RestoreScript.Options) -> Bool {
    switch kind {
    case "ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES": false
    case "ACL", "COMMENT", "SECURITY LABEL":
      !hasTag("DATABASE ") && !(options.noPrivileges && pass == .privileges)
    case "ACL LANGUAGE", "DEFAULT ACL": !options.noPrivileges
    default: hasData || !(definition ?? []).isEmpty
    }
  }
}

extension TableOfContents {
  func first(_ kind: String) -> ArchiveEntry? {
    let kind = Array(kind.utf8)
    return entries.first { $0.desc == kind }
  }

  /// PostgreSQL's name of the encoding of all text in the archive.
  ///
  /// - Throws: ``ArchiveError`` when the ENCODING entry is not one that pg_dump writes.
  public func encoding() throws(ArchiveError) -> String {
    // pg_restore's default; every pg_dump writes the entry.
    guard let definition = first("ENCODING")?.definition else { return "SQL_ASCII" }
    let value = Self.value(of: "client_encoding", in: definition)
    guard let value, (1...63).contains(value.utf8.count), value.utf8.allSatisfy(Self.isNamePart) else {
      throw ArchiveError(
        .damaged, "the archive's encoding is not readable",
        detail: "Its ENCODING entry is \"\(ArchiveFileName.printable(definition))\".")
    }
    return value
  }

  func standardConformingStrings() throws(ArchiveError) -> Bool {
    guard let definition = first("STDSTRINGS")?.definition else { return true }
    switch Self.value(of: "standard_conforming_strings", in: definition) {
    case "on": return true
    case "off": return false
    default:
      throw ArchiveError(
        .damaged, "the archive's setting of standard_conforming_strings is not readable",
        detail: "Its STDSTRINGS entry is \"\(ArchiveFileName.printable(definition))\".")
    }
  }

  /// `value` of `SET name = 'value';` and a newline.
  private static func value(of name: String, in definition: [UInt8]) -> String? {
    let text = String(decoding: definition, as: UTF8.self)
    let start = "SET \(name) = '"
    let end = "';\n"
    guard text.hasPrefix(start), text.hasSuffix(end), text.utf8.count >= start.utf8.count + end.utf8.count
    else { return nil }
    return String(text.dropFirst(start.count).dropLast(end.count))
  }

  private static func isNamePart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }
}
