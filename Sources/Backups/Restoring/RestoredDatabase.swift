import Archive
import Postgres

/// What a database needs to be given when it is made, so that an archive fits into it.
public struct RestoredDatabase: Sendable, Equatable {
  /// PostgreSQL's name, such as `UTF8`.
  public var encoding: String
  /// `libc`, `icu` or `builtin`; nil for the server's default.
  public var localeProvider: String?
  public var collate: String?
  public var ctype: String?
  /// Of the provider icu or builtin.
  public var locale: String?
  public var icuRules: String?
  /// nil for the default.
  public var tablespace: String?

  public init(
    encoding: String, localeProvider: String? = nil, collate: String? = nil, ctype: String? = nil,
    locale: String? = nil, icuRules: String? = nil, tablespace: String? = nil
  ) {
    self.encoding = encoding
    self.localeProvider = localeProvider
    self.collate = collate
    self.ctype = ctype
    self.locale = locale
    self.icuRules = icuRules
    self.tablespace = tablespace
  }
}

extension RestoredDatabase {
  /// By the manifest.
  public init(_ database: BackupManifest.Database) {
    self.init(
      encoding: database.encoding, localeProvider: database.localeProvider, collate: database.collate,
      ctype: database.ctype, locale: database.locale, icuRules: database.icuRules,
      tablespace: database.tablespace == "pg_default" ? nil : database.tablespace)
  }

  /// By the archive's DATABASE entry; nil where it has none.
  ///
  /// - Throws: ``BackupError`` for a statement that is not the CREATE DATABASE that pg_dump writes.
  public init?(_ toc: TableOfContents) throws(BackupError) {
    guard let entry = toc.entries.first(where: { $0.kind == "DATABASE" }) else { return nil }
    let statements = SQLWords.statements(in: entry.definition ?? [])
    guard statements.count == 1, let words = statements.first?.words, words.count > 6,
      words[0].isKeyword("CREATE"), words[1].isKeyword("DATABASE"), words[3].isKeyword("WITH")
    else { throw Self.unreadable }
    var options: [String: String] = [:]
    var index = 4
    while index < words.count {
      guard index + 2 < words.count, case .bare(let key) = words[index],
        words[index + 1] == .symbol(UInt8(ascii: "="))
      else { throw Self.unreadable }
      let value: [UInt8]
      switch words[index + 2] {
      case .bare(let bytes), .quoted(let bytes), .constant(let bytes): value = bytes
      case .symbol: throw Self.unreadable
      }
      options[String(decoding: key, as: UTF8.self).uppercased()] = String(decoding: value, as: UTF8.self)
      index += 3
    }
    try self.init(options: options)
  }

  private init(options: [String: String]) throws(BackupError) {
    let known: Set = [
      "TEMPLATE", "ENCODING", "LOCALE_PROVIDER", "LOCALE", "LC_COLLATE", "LC_CTYPE", "ICU_LOCALE",
      "BUILTIN_LOCALE", "ICU_RULES", "TABLESPACE", "COLLATION_VERSION", "OID", "STRATEGY", "OWNER",
      "CONNECTION", "IS_TEMPLATE",
    ]
    guard known.isSuperset(of: options.keys), let encoding = options["ENCODING"] else {
      throw Self.unreadable
    }
    let provider = options["LOCALE_PROVIDER"]?.lowercased()
    self.init(
      encoding: encoding, localeProvider: provider,
      collate: options["LC_COLLATE"] ?? options["LOCALE"], ctype: options["LC_CTYPE"] ?? options["LOCALE"],
      locale: options["ICU_LOCALE"] ?? options["BUILTIN_LOCALE"]
        ?? (provider == nil || provider == "libc" ? nil : options["LOCALE"]),
      icuRules: options["ICU_RULES"], tablespace: options["TABLESPACE"])
  }

  /// By a database that exists; nil when it does not.
  public init?(named name: String, on connection: borrowing Connection) throws(PostgresError) {
    let locale =
      switch connection.serverVersion {
      case 170_000...: "datlocale"
      case 150_000...: "daticulocale"
      default: "null"
      }
    let provider = connection.serverVersion >= 150_000 ? "datlocprovider" : "'c'"
    let rules = connection.serverVersion >= 160_000 ? "daticurules" : "null"
    let row = try connection.query(
      """
      select pg_encoding_to_char(encoding), \(provider), datcollate, datctype, \(locale), \(rules)
      from pg_catalog.pg_database where datname = $1
      """, [name])
    guard row.rowCount == 1 else { return nil }
    let providers = ["i": "icu", "b": "builtin"]
    self.init(
      encoding: row.text(0, 0), localeProvider: providers[row.text(0, 1)] ?? "libc", collate: row[0, 2],
      ctype: row[0, 3], locale: row[0, 4], icuRules: row[0, 5])
  }

  private static var unreadable: BackupError {
    BackupError(
      .failed, "the archive does not say in a known way how its database was made",
      detail: "Its DATABASE entry is not what pg_dump writes. Nothing was restored.")
  }
}

extension RestoredDatabase {
  /// The statement that makes it, from `template0`.
  ///
  /// - Parameter serverVersion: such as 150020; older servers know fewer options.
  func createStatement(_ name: String, serverVersion: Int) -> String {
    var options = ["template template0", "encoding \(Quoting.literal(encoding))"]
    let provider = localeProvider ?? "libc"
    if serverVersion >= 150_000, localeProvider != nil { options.append("locale_provider \(provider)") }
    if let collate { options.append("lc_collate \(Quoting.literal(collate))") }
    if let ctype { options.append("lc_ctype \(Quoting.literal(ctype))") }
    if provider == "icu", let locale { options.append("icu_locale \(Quoting.literal(locale))") }
    if provider == "builtin", let locale { options.append("builtin_locale \(Quoting.literal(locale))") }
    if serverVersion >= 160_000, let icuRules { options.append("icu_rules \(Quoting.literal(icuRules))") }
    if let tablespace { options.append("tablespace \(Quoting.identifier(tablespace))") }
    return "create database \(Quoting.identifier(name)) " + options.joined(separator: " ")
  }
}

/// The statements about a database itself, for one that is called otherwise.
struct DatabaseStatements: Sendable, Equatable {
  /// Settings of sessions in it. Values are read and written by them, so they come first.
  var settings: [[UInt8]] = []
  /// Everything else: privileges, comment, limits.
  var properties: [[UInt8]] = []
  /// Entries whose statements have another form than pg_dump's.
  var unknown: [String] = []
}

extension RestorePlan {
  /// pg_dump writes these statements with the old name, each in one of few forms.
  func databaseStatements(_ toc: TableOfContents, for name: String) -> DatabaseStatements {
    var result = DatabaseStatements()
    guard let old = toc.entries.first(where: { $0.kind == "DATABASE" })?.tag else { return result }
    for index in ofDatabase {
      for (text, words) in SQLWords.statements(in: toc.entries[index].definition ?? []) {
        if ["SET", "RESET"].contains(where: { words[0].isKeyword($0) }), words.count > 1,
          words[1].isKeyword("SESSION")
        {
          result.properties.append(text)
        } else if let renamed = Self.renaming(text, words, from: old, to: name) {
          let isSetting = words[0].isKeyword("ALTER") && words.contains { $0.isKeyword("SET") }
          if isSetting { result.settings.append(renamed) } else { result.properties.append(renamed) }
        } else {
          result.unknown.append(toc.entries[index].label)
        }
      }
    }
    return result
  }

  /// `text` with the new name behind its first DATABASE; nil where the old name does not stand there.
  private static func renaming(
    _ text: [UInt8], _ words: [SQLWords.Word], from old: [UInt8], to name: String
  ) -> [UInt8]? {
    let verbs = ["ALTER", "COMMENT", "GRANT", "REVOKE", "SECURITY"]
    guard verbs.contains(where: { words[0].isKeyword($0) }) else { return nil }
    var scanner = SQLWords(text)
    while let word = scanner.next() {
      guard word.isKeyword("DATABASE") else { continue }
      let start = scanner.position
      guard scanner.next()?.name == old else { return nil }
      return Array(text[..<start]) + Array(" \(Quoting.identifier(name))".utf8) + text[scanner.position...]
    }
    return nil
  }
}
