import Compression

/// What the name of a data file ends in.
public enum DataFileSuffix: String, Sendable, CaseIterable {
  case plain = ""
  case gzip = ".gz"
  case lz4 = ".lz4"
  case zstd = ".zst"
}

extension ArchiveDirectory {
  /// The largest `toc.dat` that is read, bytes; pg_dump writes about 500 for an object.
  public static let maximumContentsSize: Int64 = 1 << 30

  /// Reads the archive's table of contents.
  ///
  /// - Throws: ``ArchiveError``; of kind `missing` with a hint when the directory holds no archive.
  public func contents() throws(ArchiveError) -> TableOfContents {
    let isPlain = try contains("toc.dat")
    let isCompressed = try contains("toc.dat.gz")
    guard isPlain || isCompressed else {
      throw ArchiveError(
        .missing, "\"\(ArchiveFileName.printable(Array(path.utf8)))\" holds no archive",
        detail: "There is no file \"toc.dat\" in it.")
    }
    let (file, suffix) = try dataFile(Array("toc.dat".utf8))
    if suffix == .plain { return try TableOfContents(reading: file.bytes(limit: Self.maximumContentsSize)) }
    return try TableOfContents(reading: Self.decoded(file, suffix))
  }

  /// A compressed table of contents, which pg_restore reads and pg_dump does not write.
  private static func decoded(
    _ file: ArchiveFile, _ suffix: DataFileSuffix
  ) throws(ArchiveError) -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      let decoder = try StreamDecoder(suffix.format)
      try file.forEachBlock { block in
        try decoder.decode(block) { part in
          guard Int64(bytes.count + part.count) <= maximumContentsSize else {
            throw ArchiveError(.damaged, "file \"\(file.name)\" is too large")
          }
          bytes.append(contentsOf: part)
        }
      }
      try decoder.finish()
    } catch let error as ArchiveError {
      throw error
    } catch let error as CompressionError {
      throw ArchiveError(.damaged, "file \"\(file.name)\" is damaged", detail: "Reason: \(error.message).")
    } catch {
      throw ArchiveError(.system, "cannot read \"\(file.name)\"")
    }
    return bytes
  }

  /// Opens an entry's data file as pg_restore finds it: the plain name, else with a suffix.
  ///
  /// pg_restore takes the first that it finds, so that a file left over hides the right one; here two
  /// are refused.
  ///
  /// - Parameter name: as the table of contents or a list of large objects has it, without a suffix.
  public func dataFile(_ name: [UInt8]) throws(ArchiveError) -> (file: ArchiveFile, suffix: DataFileSuffix) {
    // A name that is not UTF-8 would be another one once repaired.
    guard let name = String(validating: name, as: UTF8.self) else {
      throw ArchiveError(
        .damaged, "\"\(ArchiveFileName.printable(name))\" is not the name of a file in the archive")
    }
    var suffixes: [DataFileSuffix] = []
    for suffix in DataFileSuffix.allCases where try contains(name + suffix.rawValue) {
      suffixes.append(suffix)
    }
    guard let suffix = suffixes.first else {
      throw ArchiveError(
        .missing, "data file \"\(name)\" is missing",
        detail: "The archive \"\(ArchiveFileName.printable(Array(path.utf8)))\" is not complete.")
    }
    guard suffixes.count == 1 else {
      throw ArchiveError(
        .damaged, "data file \"\(name)\" is there more than once",
        detail: "Files \(suffixes.map { "\"\(name)\($0.rawValue)\"" }.joined(separator: " and ")) exist.",
        hint: "remove the one that does not belong to the archive")
    }
    return (try open(name + suffix.rawValue), suffix)
  }

  /// Opens the data file of a TABLE DATA entry.
  public func dataFile(
    of entry: ArchiveEntry
  ) throws(ArchiveError) -> (file: ArchiveFile, suffix: DataFileSuffix) {
    guard entry.hasData, case .file(let name) = entry.place, !name.isEmpty else {
      throw ArchiveError(.damaged, "entry \(entry.dumpID) has no data file")
    }
    return try dataFile(name)
  }

  /// The oids of a BLOBS entry's large objects, in stored order; each one's bytes are in the data file
  /// that ``largeObjectFile(_:)`` names.
  public func largeObjects(
    of entry: ArchiveEntry, version: ArchiveHeader.Version
  ) throws(ArchiveError) -> [UInt32] {
    try LargeObjectList(reading: largeObjectList(of: entry, version: version)).oids
  }

  /// Opens the list of a BLOBS entry's large objects.
  func largeObjectList(
    of entry: ArchiveEntry, version: ArchiveHeader.Version
  ) throws(ArchiveError) -> ArchiveFile {
    let name = version < .v1_16 ? "blobs.toc" : "blobs_\(entry.dumpID).toc"
    // In tar format the entry names a file that does not exist.
    let possible = [name, "\(entry.dumpID).dat"].map { ArchiveEntry.Place.file(Array($0.utf8)) }
    guard entry.hasData, possible.contains(entry.place) else {
      throw ArchiveError(
        .damaged, "entry \(entry.dumpID) does not name \"\(name)\" as its list of large objects")
    }
    return try open(name)
  }

  /// The data file of a large object, without a suffix.
  public static func largeObjectFile(_ oid: UInt32) -> [UInt8] { Array("blob_\(oid).dat".utf8) }
}

/// The list of the large objects of one entry: a line `<oid> blob_<oid>.dat` for each.
struct LargeObjectList {
  private(set) var oids: [UInt32] = []

  /// The longest line, `4294967295 blob_4294967295.dat`.
  private static let maximumLineLength = 30

  init(reading file: ArchiveFile) throws(ArchiveError) {
    var line: [UInt8] = []
    var number = 1
    do {
      try file.forEachBlock { block in
        for byte in block {
          guard byte == UInt8(ascii: "\n") else {
            line.append(byte)
            guard line.count <= Self.maximumLineLength else { throw Self.damaged(file, number) }
            continue
          }
          guard let oid = Self.oid(line) else { throw Self.damaged(file, number) }
          oids.append(oid)
          number += 1
          line.removeAll(keepingCapacity: true)
        }
      }
    } catch let error as ArchiveError {
      throw error
    } catch {
      throw ArchiveError(.system, "cannot read \"\(file.name)\"")
    }
    guard line.isEmpty else { throw Self.damaged(file, number) }
    let sorted = oids.sorted()
    for (oid, next) in zip(sorted, sorted.dropFirst()) where oid == next {
      throw ArchiveError(.damaged, "\"\(file.name)\" lists large object \(oid) twice")
    }
  }

  private static func oid(_ line: [UInt8]) -> UInt32? {
    guard let oid = UInt32(String(decoding: line.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)), oid > 0
    else { return nil }
    return line == Array("\(oid) blob_\(oid).dat".utf8) ? oid : nil
  }

  private static func damaged(_ file: ArchiveFile, _ line: Int) -> ArchiveError {
    ArchiveError(
      .damaged, "\"\(file.name)\" is damaged in line \(line)",
      detail: "Expected the oid of a large object, a space and the name of its file.")
  }
}
