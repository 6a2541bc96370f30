/// The table of contents of an archive: what pg_dump writes as `toc.dat`.
///
/// Text is kept as the bytes that are in the file, in the encoding that the archive's ENCODING entry
/// declares, so that writing gives the same bytes as were read.
public struct TableOfContents: Sendable, Equatable {
  public var header: ArchiveHeader
  /// In file order, which is the order of a serial restore.
  public var entries: [ArchiveEntry]

  public init(header: ArchiveHeader, entries: [ArchiveEntry]) {
    self.header = header
    self.entries = entries
  }
}

/// The header of an archive.
public struct ArchiveHeader: Sendable, Equatable {
  /// 1.14 (PostgreSQL 12 to 15), 1.15 (16) or 1.16 (17 and 18).
  public struct Version: Sendable, Hashable, Comparable {
    public let major: UInt8
    public let minor: UInt8
    public let revision: UInt8

    public init(major: UInt8, minor: UInt8, revision: UInt8) {
      (self.major, self.minor, self.revision) = (major, minor, revision)
    }

    public static let v1_14 = Version(major: 1, minor: 14, revision: 0)
    public static let v1_15 = Version(major: 1, minor: 15, revision: 0)
    public static let v1_16 = Version(major: 1, minor: 16, revision: 0)

    public static func < (a: Version, b: Version) -> Bool {
      (a.major, a.minor, a.revision) < (b.major, b.minor, b.revision)
    }
  }

  public enum Format: UInt8, Sendable {
    case custom = 1
    /// Also what `toc.dat` of a directory archive says.
    case tar = 3
  }

  /// Up to 1.14 a level, from 1.15 an algorithm; advisory in a directory archive.
  public enum Compression: Sendable, Equatable {
    case level(Int32)
    case algorithm(UInt8)
  }

  /// The seven numbers of C's `struct tm` as stored: second, minute, hour, day, month from 0, year
  /// from 1900, daylight saving; local time of the dump.
  public typealias LocalTime = [Int32]

  public var version: Version
  /// Bytes of a number's magnitude: 4 in all that pg_dump writes.
  public var integerSize: UInt8
  /// Bytes of an offset in custom format: 8 in all that pg_dump writes.
  public var offsetSize: UInt8
  public var format: Format
  public var compression: Compression
  public var localTime: LocalTime
  public var database: [UInt8]?
  public var serverVersion: [UInt8]?
  public var dumpVersion: [UInt8]?

  public init(
    version: Version, integerSize: UInt8 = 4, offsetSize: UInt8 = 8, format: Format,
    compression: Compression, localTime: LocalTime, database: [UInt8]?, serverVersion: [UInt8]?,
    dumpVersion: [UInt8]?
  ) {
    self.version = version
    self.integerSize = integerSize
    self.offsetSize = offsetSize
    self.format = format
    self.compression = compression
    self.localTime = localTime
    self.database = database
    self.serverVersion = serverVersion
    self.dumpVersion = dumpVersion
  }
}

/// One entry of an archive. Field names follow `pg_backup_archiver.h`.
public struct ArchiveEntry: Sendable, Equatable {
  public enum Section: Int32, Sendable {
    case none = 1
    case preData = 2
    case data = 3
    case postData = 4
  }

  /// Where an entry's data is.
  public enum Place: Sendable, Equatable {
    /// Directory and tar: the file's name, empty when there is none.
    case file([UInt8])
    /// Custom: state (1 not set, 2 set, 3 no data) and offset.
    case offset(state: UInt8, UInt64)
  }

  /// Positive and unique.
  public var dumpID: Int32
  /// Whether the entry has a data file.
  public var hasData: Bool
  /// Decimal; `1259` is pg_class.
  public var catalogOID: [UInt8]?
  /// Decimal.
  public var objectOID: [UInt8]?
  /// The object's name, neither quoted nor checked.
  public var tag: [UInt8]?
  /// The kind of entry, such as `TABLE DATA`.
  public var desc: [UInt8]?
  public var section: Section
  /// SQL that makes the object.
  public var definition: [UInt8]?
  public var dropStatement: [UInt8]?
  public var copyStatement: [UInt8]?
  public var namespace: [UInt8]?
  public var tablespace: [UInt8]?
  public var tableAccessMethod: [UInt8]?
  /// From 1.16: `pg_class.relkind` as an ASCII code, 0 where it does not apply.
  public var relationKind: Int32
  public var owner: [UInt8]?
  /// Once WITH OIDS; `false` since PostgreSQL 12.
  public var withOIDs: [UInt8]?
  /// The entries this one needs first, in stored order. An id may belong to no entry: that of an
  /// extension's table whose rows are dumped does.
  public var dependencies: [Int32]
  public var place: Place

  public init(
    dumpID: Int32, hasData: Bool, catalogOID: [UInt8]? = Array("0".utf8),
    objectOID: [UInt8]? = Array("0".utf8), tag: [UInt8]?, desc: [UInt8]?, section: Section,
    definition: [UInt8]? = nil, dropStatement: [UInt8]? = nil, copyStatement: [UInt8]? = nil,
    namespace: [UInt8]? = nil, tablespace: [UInt8]? = nil, tableAccessMethod: [UInt8]? = nil,
    relationKind: Int32 = 0, owner: [UInt8]? = nil, withOIDs: [UInt8]? = Array("false".utf8),
    dependencies: [Int32] = [], place: Place = .file([])
  ) {
    self.dumpID = dumpID
    self.hasData = hasData
    self.catalogOID = catalogOID
    self.objectOID = objectOID
    self.tag = tag
    self.desc = desc
    self.section = section
    self.definition = definition
    self.dropStatement = dropStatement
    self.copyStatement = copyStatement
    self.namespace = namespace
    self.tablespace = tablespace
    self.tableAccessMethod = tableAccessMethod
    self.relationKind = relationKind
    self.owner = owner
    self.withOIDs = withOIDs
    self.dependencies = dependencies
    self.place = place
  }
}

extension ArchiveEntry {
  /// ``desc`` as text, empty when there is none.
  public var kind: String { desc.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
