// The keys of the document, in snake case.

extension BackupManifest {
  enum CodingKeys: String, CodingKey {
    case format
    case tool
    case id
    case label
    case started
    case finished
    case scope
    case server
    case snapshot
    case migrations
    case catalogFingerprint = "catalog_fingerprint"
    case archive
    case extensions
    case roles
    case tablespaces
    case tables
    case sequences
    case largeObjects = "large_objects"
    case files
  }
}

extension BackupManifest.Scope {
  enum CodingKeys: String, CodingKey {
    case tables
    case excludedTables = "excluded_tables"
  }
}

extension BackupManifest.Server {
  enum CodingKeys: String, CodingKey {
    case version
    case versionNumber = "version_number"
    case systemIdentifier = "system_identifier"
    case isStandby = "is_standby"
    case database
  }
}

extension BackupManifest.Database {
  enum CodingKeys: String, CodingKey {
    case name
    case owner
    case encoding
    case collate
    case ctype
    case localeProvider = "locale_provider"
    case locale
    case icuRules = "icu_rules"
    case tablespace
    case connectionLimit = "connection_limit"
    case comment
    case privileges
    case settings
    case roleSettings = "role_settings"
    case size
  }
}

extension BackupManifest.Snapshot {
  enum CodingKeys: String, CodingKey {
    case id
    case lsn
    case time
  }
}

extension BackupManifest.MigrationState {
  enum CodingKeys: String, CodingKey {
    case schema
    case head
    case applied
  }
}

extension BackupManifest.ArchiveFacts {
  enum CodingKeys: String, CodingKey {
    case version
    case encoding
    case compression
    case dumpVersion = "dump_version"
  }
}

extension BackupManifest.Extension {
  enum CodingKeys: String, CodingKey {
    case name
    case version
  }
}

extension BackupManifest.Table {
  enum CodingKeys: String, CodingKey {
    case dumpID = "dump_id"
    case schema
    case name
    case file
    case rows
    case bytes
    case fingerprint
    case root
    case pieces
  }
}

extension BackupManifest.Piece {
  enum CodingKeys: String, CodingKey {
    case offset
    case length
    case rows
    case bytes
    case crc
  }
}

extension BackupManifest.Sequence {
  enum CodingKeys: String, CodingKey {
    case schema
    case name
    case value
    case isCalled = "is_called"
  }
}

extension BackupManifest.LargeObjects {
  enum CodingKeys: String, CodingKey {
    case count
    case bytes
    case fingerprint
  }
}

extension BackupManifest.File {
  enum CodingKeys: String, CodingKey {
    case path
    case size
    case sha256
  }
}
