import Compression

/// An archive of pg_dump, in directory or custom format, opened for reading.
///
/// Whatever the format, entries' data come out as the COPY text and the bytes that went in. Several
/// threads may read at a time.
public struct ArchiveSource: Sendable {
  public let contents: TableOfContents
  /// PostgreSQL's name of the encoding of all text and data.
  public let encoding: String
  private let storage: Storage

  private enum Storage: Sendable {
    case directory(ArchiveDirectory)
    case custom(CustomArchive)
  }

  /// Opens what is at `path` and reads its table of contents.
  ///
  /// - Throws: ``ArchiveError``: `unsupported`, saying what to do, for tar and plain text; `damaged` also
  ///   for dependencies that go in a circle.
  public init(opening path: String) throws(ArchiveError) {
    if ArchiveDirectory.isDirectory(path) {
      try self.init(ArchiveDirectory(opening: path))
    } else {
      try self.init(ArchiveFile(path: path))
    }
  }

  public init(_ directory: ArchiveDirectory) throws(ArchiveError) {
    try self.init(.directory(directory), directory.contents())
  }

  /// An archive in custom format.
  public init(_ file: ArchiveFile) throws(ArchiveError) {
    try Self.checkFormat(file)
    let archive = try CustomArchive(file)
    try self.init(.custom(archive), archive.contents)
  }

  private init(_ storage: Storage, _ contents: TableOfContents) throws(ArchiveError) {
    if let cycle = contents.dependencyCycle() {
      let path = (cycle + cycle.prefix(1)).prefix(20).map { "\($0)" }.joined(separator: " -> ")
      throw ArchiveError(
        .damaged, "entries of the archive depend on one another in a circle",
        detail: "Their dump ids are \(path).")
    }
    self.storage = storage
    self.contents = contents
    encoding = try contents.encoding()
  }

  private static func checkFormat(_ file: ArchiveFile) throws(ArchiveError) {
    let shown = ArchiveFileName.printable(Array(file.name.utf8))
    let start = try file.start(count: 512)
    if start.starts(with: ArchiveHeader.magic) { return }
    // POSIX: the magic of a tar header, for the first file in it.
    if start.count == 512, start[257...].starts(with: "ustar".utf8) {
      throw ArchiveError(
        .unsupported, "\"\(shown)\" is in tar format, which is not supported",
        detail: "Unpacked, it is an archive in directory format.",
        hint: "mkdir DIRECTORY && tar -xf \"\(shown)\" -C DIRECTORY, then give DIRECTORY")
    }
    throw ArchiveError(
      .unsupported, "\"\(shown)\" is not an archive of pg_dump",
      detail: "Archives come from pg_dump -Fd and -Fc.",
      hint: "a dump in plain text is run with psql")
  }
}

extension ArchiveSource {
  /// Reads the rows of a TABLE DATA entry: COPY text without its end marker.
  ///
  /// - Parameter body: gets parts of at most 256 KiB, valid during its call. They are proven whole only
  ///   when this method has returned.
  /// - Returns: the number of rows and bytes.
  /// - Throws: what `body` throws; ``ArchiveError`` when the data is damaged, cut, or not COPY text.
  @discardableResult
  public func readData(
    of entry: ArchiveEntry, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> DataFileReader.Contents {
    guard entry.hasData, !(entry.copyStatement ?? []).isEmpty else {
      throw ArchiveError(
        .unsupported, "entry \(entry.dumpID) has no data for COPY",
        detail: "pg_dump --inserts writes INSERT statements instead.",
        hint: "restore this archive with pg_restore")
    }
    switch storage {
    case .directory(let directory):
      let (file, suffix) = try directory.dataFile(of: entry)
      return try DataFileReader(directory: directory.descriptor).readStream(
        file.name, format: suffix.format, endMarker: .required, body)
    case .custom(let archive):
      var filter = EndMarkerFilter()
      try archive.readStream(of: entry) { try filter.take($0, body) }
      try filter.finish()
      return DataFileReader.Contents(rows: filter.rows, bytes: filter.bytes)
    }
  }

  /// Reads the large objects of a BLOBS entry, one after another in stored order.
  ///
  /// - Parameter body: gets each object once and may read it; see ``LargeObjectReader``.
  public func readLargeObjects(
    of entry: ArchiveEntry, _ body: (LargeObjectReader) throws -> Void
  ) throws {
    guard entry.hasData, entry.kind == "BLOBS" else {
      throw ArchiveError(.damaged, "entry \(entry.dumpID) has no large objects")
    }
    switch storage {
    case .directory(let directory):
      let reader = DataFileReader(directory: directory.descriptor)
      for oid in try directory.largeObjects(of: entry, version: contents.header.version) {
        let (file, suffix) = try directory.dataFile(ArchiveDirectory.largeObjectFile(oid))
        try body(
          LargeObjectReader(oid: oid) { write in
            // pg_dump opens its lz4 or zstd stream with the first byte: an empty object is no stream.
            if file.size == 0, [.lz4, .zstd].contains(suffix) { return }
            _ = try reader.readStream(file.name, format: suffix.format, endMarker: .none, write)
          })
      }
    case .custom(let archive): try archive.readLargeObjects(of: entry, body)
    }
  }

  /// Bytes that an entry's data takes in the archive, compressed as it is; nil for an entry without.
  ///
  /// Of large objects in directory format only the list counts.
  public func storedSize(of entry: ArchiveEntry) throws(ArchiveError) -> Int64? {
    guard entry.hasData else { return nil }
    switch storage {
    case .directory(let directory) where entry.kind == "BLOBS":
      return try directory.largeObjectList(of: entry, version: contents.header.version).size
    case .directory(let directory): return try directory.dataFile(of: entry).file.size
    case .custom(let archive): return archive.sizes[entry.dumpID]
    }
  }
}

extension DataFileSuffix {
  public var format: StreamFormat {
    switch self {
    case .plain: StreamFormat.none
    case .gzip: .gzip
    case .lz4: .lz4
    case .zstd: .zstd
    }
  }
}
