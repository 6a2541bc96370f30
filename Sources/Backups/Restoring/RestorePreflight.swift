import Archive
import Postgres

/// What stands in the way of a restore, all of it, found before anything is made.
public struct RestorePreflight: Sendable, Equatable {
  /// One thing in the way.
  public struct Problem: Sendable, Equatable {
    /// What is wrong, in one sentence without a full stop.
    public let message: String
    /// What helps: statements, options or packages.
    public let remedy: String?

    public init(_ message: String, remedy: String? = nil) {
      self.message = message
      self.remedy = remedy
    }
  }

  public private(set) var problems: [Problem] = []
  /// What a person should know and what stops nothing.
  public private(set) var notes: [String] = []

  /// Adds what another part of the restore found.
  mutating func add(_ problem: Problem) { problems.append(problem) }

  init() {}

  /// All problems as one error; nil when there is none.
  public var error: BackupError? {
    guard !problems.isEmpty else { return nil }
    let lines = problems.map { $0.message + "." }
    return BackupError(
      .failed,
      problems.count == 1
        ? "the restore cannot begin: \(problems[0].message)"
        : "the restore cannot begin: \(problems.count) things stand in its way",
      detail: ((problems.count == 1 ? [] : lines) + ["Nothing was changed."]).joined(separator: "\n"),
      hint: problems.compactMap(\.remedy).reduce(into: [String]()) { remedies, remedy in
        if !remedies.contains(remedy) { remedies.append(remedy) }
      }.joined(separator: "\n").nonEmpty)
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

/// What a restore asks of the server, as the archive and the request say it.
public struct RestoreNeeds: Sendable, Equatable {
  /// Of the server that the archive comes from, such as 150020; nil where the archive does not say.
  public var serverVersion: Int?
  public var database: RestoredDatabase
  /// Owners, grantees and others that are named.
  public var roles: Set<String>
  /// Those among them that objects will belong to.
  public var owners: Set<String>
  /// Name, and the version where it is known.
  public var extensions: [String: String?]
  public var tablespaces: Set<String>
  /// Bytes of the database when it was backed up, else of the archive's data; nil where not known.
  public var size: Int64?
  /// Connections at once, the maintenance connection included.
  public var connections: Int
  /// The new database's name; nil when an existing one is loaded.
  public var newName: String?
  public var acceptsOlderServer = false
}

/// What the server offers.
public struct RestoreServerFacts: Sendable, Equatable {
  public var versionNumber = 0
  public var isInRecovery = false
  public var isPooled = false
  public var role = ""
  public var isSuperuser = false
  public var canCreateDatabases = false
  public var roles: Set<String> = []
  public var superusers: Set<String> = []
  /// Roles that the own one is a member of.
  public var memberships: Set<String> = []
  public var databases: Set<String> = []
  public var tablespaces: Set<String> = []
  /// Name and default version.
  public var extensions: [String: String] = [:]
  public var knowsEncoding = true
  /// Locales of the wanted database that the server does not have.
  public var missingLocales: [String] = []
  public var hasICU = true
  public var freeConnections = Int.max
  /// Bytes free where the data directory is; nil where that cannot be known from here.
  public var freeSpace: Int64?
}

extension RestorePreflight {
  /// Compares what is needed with what is there.
  public init(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    checkServer(needs, server)
    checkDatabase(needs, server)
    checkRoles(needs, server)
    checkExtensions(needs, server)
    checkSpace(needs, server)
  }

  private mutating func checkServer(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    if server.isPooled {
      problems.append(
        Problem(
          "the connection goes through a pooler, and the locks and settings of a restore need sessions",
          remedy: "connect to the server itself"))
    }
    if server.isInRecovery {
      problems.append(Problem("the server is a standby", remedy: "restore on the primary server"))
    }
    let (wanted, present) = ((needs.serverVersion ?? 0) / 10_000, server.versionNumber / 10_000)
    if wanted > present, !needs.acceptsOlderServer {
      problems.append(
        Problem(
          "the archive comes from PostgreSQL \(wanted), and the server is PostgreSQL \(present), which may not "
            + "know all that is in it",
          remedy: "restore on PostgreSQL \(wanted) or later, or pass --older-server to try"))
    }
    if needs.connections > server.freeConnections {
      problems.append(
        Problem(
          "the restore takes \(needs.connections) connections, and the server has "
            + "\(max(0, server.freeConnections)) left",
          remedy: "pass --jobs \(max(1, server.freeConnections - 1)), or raise max_connections"))
    }
  }

  private mutating func checkDatabase(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    guard let name = needs.newName else { return }
    if server.databases.contains(name) {
      problems.append(
        Problem(
          "database \"\(name)\" exists already",
          remedy: "name another with --into, or drop it if it is not needed"))
    }
    if !server.isSuperuser, !server.canCreateDatabases {
      problems.append(
        Problem(
          "role \"\(server.role)\" may not make databases",
          remedy: "alter role \(Quoting.identifier(server.role)) createdb;"))
    }
    if !server.knowsEncoding {
      problems.append(Problem("the server does not know the encoding \"\(needs.database.encoding)\""))
    }
    for locale in server.missingLocales {
      problems.append(
        Problem(
          "the server's machine does not have the locale \"\(locale)\"",
          remedy: "make it there (Debian: dpkg-reconfigure locales) and restart the server"))
    }
    if needs.database.localeProvider == "icu", !server.hasICU {
      problems.append(Problem("the database sorts by ICU, and the server was built without ICU"))
    }
    for tablespace in needs.tablespaces.subtracting(server.tablespaces).sorted() {
      problems.append(
        Problem(
          "the server has no tablespace \"\(tablespace)\"",
          remedy: "create tablespace \(Quoting.identifier(tablespace)) location '…';"))
    }
  }

  private mutating func checkRoles(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    let missing = needs.roles.subtracting(server.roles).sorted()
    if !missing.isEmpty {
      let names = missing.map { "\"\($0)\"" }.joined(separator: ", ")
      problems.append(
        Problem(
          missing.count == 1 ? "role \(names) does not exist" : "roles \(names) do not exist",
          remedy: missing.map { "create role \(Quoting.identifier($0)) nologin;" }.joined(separator: " ")
            + "\nor pass --create-missing-roles, or --no-owner --no-privileges to do without them"))
    }
    guard !server.isSuperuser else { return }
    let foreign = needs.owners.intersection(server.roles).subtracting(server.memberships)
      .subtracting([server.role]).sorted()
    if !foreign.isEmpty {
      problems.append(
        Problem(
          "role \"\(server.role)\" is no member of \(foreign.map { "\"\($0)\"" }.joined(separator: ", ")), which "
            + "own objects of the archive",
          // Nobody should be made a member of a superuser for this.
          remedy: foreign.contains(where: server.superusers.contains)
            ? "restore as a superuser, or pass --no-owner"
            : foreign.map {
              "grant \(Quoting.identifier($0)) to \(Quoting.identifier(server.role));"
            }.joined(separator: " ") + "\nor pass --no-owner, or restore as a superuser"))
    }
  }

  private mutating func checkExtensions(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    for (name, version) in needs.extensions.sorted(by: { $0.key < $1.key }) {
      guard let present = server.extensions[name] else {
        problems.append(
          Problem(
            "the server does not have the extension \"\(name)\"",
            remedy:
              "install \(Self.package(of: name, version: server.versionNumber / 10_000)) on the server's machine"
          ))
        continue
      }
      if let version, version != present {
        notes.append("extension \"\(name)\" was version \(version) and will be \(present)")
      }
    }
  }

  private mutating func checkSpace(_ needs: RestoreNeeds, _ server: RestoreServerFacts) {
    guard let size = needs.size else { return }
    guard let free = server.freeSpace else {
      notes.append("whether the server has \(Self.megabytes(size)) of free space cannot be seen from here")
      return
    }
    if free < size {
      problems.append(
        Problem(
          "the database had \(Self.megabytes(size)), and where the server keeps its data \(Self.megabytes(free)) "
            + "are free",
          remedy: "make room, or drop databases that earlier restores kept (tsdb restore --drop-old)"))
    }
  }

  static func megabytes(_ bytes: Int64) -> String { "\((bytes + 999_999) / 1_000_000) MB" }

  /// The Debian package that has an extension, as a hint.
  private static func package(of name: String, version: Int) -> String {
    let contrib: Set = [
      "adminpack", "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink",
      "dict_int", "earthdistance", "file_fdw", "fuzzystrmatch", "hstore", "intarray", "isn", "lo", "ltree",
      "pageinspect", "pg_buffercache", "pg_prewarm", "pg_stat_statements", "pg_trgm", "pg_visibility",
      "pgcrypto", "pgrowlocks", "pgstattuple", "postgres_fdw", "seg", "sslinfo", "tablefunc",
      "tsm_system_rows",
      "tsm_system_time", "unaccent", "uuid-ossp", "xml2",
    ]
    if contrib.contains(name) { return "PostgreSQL's contrib modules (package postgresql-contrib)" }
    let known = [
      "vector": "pgvector", "pg_cron": "cron", "pg_partman": "partman", "timescaledb": "timescaledb",
      "postgis": "postgis-3", "postgis_topology": "postgis-3", "pg_repack": "repack", "hypopg": "hypopg",
      "plpython3u": "plpython3", "plperl": "plperl", "pltcl": "pltcl",
    ]
    if name == "plpython3u" || name == "plperl" || name == "pltcl" {
      return "package postgresql-\(known[name] ?? name)-\(version)"
    }
    return "package postgresql-\(version)-\(known[name] ?? name)"
  }
}
