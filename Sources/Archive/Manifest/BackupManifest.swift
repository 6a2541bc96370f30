/// What stands beside an archive in `manifest.json`: all that is needed to prove it whole and to prove
/// a restored database equal.
///
/// Names are UTF-8 as the server converts them; an entry is found by its dump id, not by its name.
public struct BackupManifest: Codable, Sendable, Equatable {
  public static let currentFormat = 1

  /// The version of this document.
  public var format: Int
  /// Such as `tsdb 0.1.0`.
  public var tool: String
  /// The directory's name in the repository: `20261124T083657Z-name`.
  public var id: String
  public var label: String?
  /// UTC, ISO 8601 with seconds.
  public var started: String
  public var finished: String
  public var scope: Scope
  public var server: Server
  public var snapshot: Snapshot
  public var migrations: MigrationState?
  /// `catalog-v1:…` of the whole database at the snapshot; nil for a partial backup.
  public var catalogFingerprint: String?
  public var archive: ArchiveFacts
  public var extensions: [Extension]
  /// Roles that the archive's objects belong to or are granted to.
  public var roles: [String]
  public var tablespaces: [String]
  public var tables: [Table]
  public var sequences: [Sequence]
  public var largeObjects: LargeObjects?
  /// Every file of the backup but `manifest.json`, by path.
  public var files: [File]

  public init(
    format: Int = BackupManifest.currentFormat, tool: String, id: String, label: String?, started: String,
    finished: String, scope: Scope, server: Server, snapshot: Snapshot, migrations: MigrationState?,
    catalogFingerprint: String?, archive: ArchiveFacts, extensions: [Extension], roles: [String],
    tablespaces: [String], tables: [Table], sequences: [Sequence], largeObjects: LargeObjects?,
    files: [File]
  ) {
    self.format = format
    self.tool = tool
    self.id = id
    self.label = label
    self.started = started
    self.finished = finished
    self.scope = scope
    self.server = server
    self.snapshot = snapshot
    self.migrations = migrations
    self.catalogFingerprint = catalogFingerprint
    self.archive = archive
    self.extensions = extensions
    self.roles = roles
    self.tablespaces = tablespaces
    self.tables = tables
    self.sequences = sequences
    self.largeObjects = largeObjects
    self.files = files
  }
}

extension BackupManifest {
  /// What was asked for; both lists empty for the whole database.
  public struct Scope: Codable, Sendable, Equatable {
    public var tables: [String]
    public var excludedTables: [String]
    public var isWholeDatabase: Bool { tables.isEmpty && excludedTables.isEmpty }

    public init(tables: [String], excludedTables: [String]) {
      self.tables = tables
      self.excludedTables = excludedTables
    }
  }

  public struct Server: Codable, Sendable, Equatable {
    /// As the server says it, such as `15.20 (Debian …)`.
    public var version: String
    /// Such as 150020.
    public var versionNumber: Int
    /// Of pg_control_system(); nil where the role may not see it.
    public var systemIdentifier: String?
    public var isStandby: Bool
    public var database: Database

    public init(
      version: String, versionNumber: Int, systemIdentifier: String?, isStandby: Bool, database: Database
    ) {
      self.version = version
      self.versionNumber = versionNumber
      self.systemIdentifier = systemIdentifier
      self.isStandby = isStandby
      self.database = database
    }
  }

  /// What `CREATE DATABASE` needs to make its equal.
  public struct Database: Codable, Sendable, Equatable {
    public var name: String
    public var owner: String
    /// PostgreSQL's name, such as `UTF8`.
    public var encoding: String
    public var collate: String
    public var ctype: String
    /// `libc`, `icu` or `builtin`.
    public var localeProvider: String
    public var locale: String?
    public var icuRules: String?
    public var tablespace: String
    /// -1 for no limit.
    public var connectionLimit: Int
    public var comment: String?
    /// `GRANT` and `REVOKE` as aclitem texts; nil for the default.
    public var privileges: [String]?
    /// Of `ALTER DATABASE … SET`, as `name=value`.
    public var settings: [String]
    /// `ALTER ROLE … IN DATABASE … SET`, by role.
    public var roleSettings: [String: [String]]
    /// pg_database_size, bytes.
    public var size: Int64

    public init(
      name: String, owner: String, encoding: String, collate: String, ctype: String,
      localeProvider: String, locale: String?, icuRules: String?, tablespace: String,
      connectionLimit: Int, comment: String?, privileges: [String]?, settings: [String],
      roleSettings: [String: [String]], size: Int64
    ) {
      self.name = name
      self.owner = owner
      self.encoding = encoding
      self.collate = collate
      self.ctype = ctype
      self.localeProvider = localeProvider
      self.locale = locale
      self.icuRules = icuRules
      self.tablespace = tablespace
      self.connectionLimit = connectionLimit
      self.comment = comment
      self.privileges = privileges
      self.settings = settings
      self.roleSettings = roleSettings
      self.size = size
    }
  }

  public struct Snapshot: Codable, Sendable, Equatable {
    /// As exported, such as `00000003-0000001B-1`.
    public var id: String
    /// Such as `0/16B3748`: the newest change that can be in the snapshot.
    public var lsn: String
    /// UTC, ISO 8601 with microseconds: when the snapshot was taken.
    public var time: String

    public init(id: String, lsn: String, time: String) {
      self.id = id
      self.lsn = lsn
      self.time = time
    }
  }

  public struct MigrationState: Codable, Sendable, Equatable {
    public var schema: String
    /// The migration applied last.
    public var head: String
    public var applied: Int

    public init(schema: String, head: String, applied: Int) {
      self.schema = schema
      self.head = head
      self.applied = applied
    }
  }

  public struct ArchiveFacts: Codable, Sendable, Equatable {
    /// Such as `1.14`.
    public var version: String
    /// Of the text in the archive and of its data.
    public var encoding: String
    /// `isal`, `gzip` or `none`, with a level after a colon where there is one.
    public var compression: String
    /// Of the pg_dump that wrote the schema.
    public var dumpVersion: String

    public init(version: String, encoding: String, compression: String, dumpVersion: String) {
      self.version = version
      self.encoding = encoding
      self.compression = compression
      self.dumpVersion = dumpVersion
    }
  }

  public struct Extension: Codable, Sendable, Equatable {
    public var name: String
    public var version: String

    public init(name: String, version: String) {
      self.name = name
      self.version = version
    }
  }

  /// One TABLE DATA entry.
  public struct Table: Codable, Sendable, Equatable {
    public var dumpID: Int32
    public var schema: String
    public var name: String
    /// The data file's path in the backup.
    public var file: String
    public var rows: Int64
    /// Of COPY text, without the end marker.
    public var bytes: Int64
    /// ``Digests/ContentFingerprint`` as text.
    public var fingerprint: String
    /// The partitioned table that the rows are loaded through, when it is not the table itself.
    public var root: String?
    /// In file order; together they are the whole of the rows.
    public var pieces: [Piece]

    public init(
      dumpID: Int32, schema: String, name: String, file: String, rows: Int64, bytes: Int64,
      fingerprint: String, root: String?, pieces: [Piece]
    ) {
      self.dumpID = dumpID
      self.schema = schema
      self.name = name
      self.file = file
      self.rows = rows
      self.bytes = bytes
      self.fingerprint = fingerprint
      self.root = root
      self.pieces = pieces
    }
  }

  /// A part of a data file that holds whole rows and decodes by itself.
  public struct Piece: Codable, Sendable, Equatable {
    /// In the file, bytes from its start: the first byte of the piece's raw deflate data, or of its
    /// rows in a file that is not compressed.
    public var offset: Int64
    /// In the file.
    public var length: Int64
    public var rows: Int64
    /// Decoded.
    public var bytes: Int64
    /// CRC-32 of the decoded bytes.
    public var crc: UInt32

    public init(offset: Int64, length: Int64, rows: Int64, bytes: Int64, crc: UInt32) {
      self.offset = offset
      self.length = length
      self.rows = rows
      self.bytes = bytes
      self.crc = crc
    }
  }

  public struct Sequence: Codable, Sendable, Equatable {
    public var schema: String
    public var name: String
    public var value: Int64
    public var isCalled: Bool

    public init(schema: String, name: String, value: Int64, isCalled: Bool) {
      self.schema = schema
      self.name = name
      self.value = value
      self.isCalled = isCalled
    }
  }

  public struct LargeObjects: Codable, Sendable, Equatable {
    public var count: Int64
    public var bytes: Int64
    /// ``Digests/ContentFingerprint`` over one line for each object: its oid and the SHA-256 of its
    /// bytes.
    public var fingerprint: String

    public init(count: Int64, bytes: Int64, fingerprint: String) {
      self.count = count
      self.bytes = bytes
      self.fingerprint = fingerprint
    }
  }

  public struct File: Codable, Sendable, Equatable {
    /// Relative to the backup, with `/` only after `config`.
    public var path: String
    public var size: Int64
    /// Lower-case hexadecimal.
    public var sha256: String

    public init(path: String, size: Int64, sha256: String) {
      self.path = path
      self.size = size
      self.sha256 = sha256
    }
  }
}
