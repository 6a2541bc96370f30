import Compression

/// An archive in custom format: one file, as `pg_dump -Fc` writes it.
///
/// Blocks of data follow the table of contents in any order. Each read goes by its own way through the
/// file, so several threads may read different entries at a time, each in fixed memory.
struct CustomArchive: Sendable {
  let contents: TableOfContents
  private let file: ArchiveFile
  /// Of the entries' blocks, in the file.
  private let offsets: [Int32: Int64]
  /// Bytes that an entry's block takes in the file, by dump id.
  let sizes: [Int32: Int64]
  private let format: StreamFormat

  init(_ file: ArchiveFile) throws(ArchiveError) {
    var reader = PrimitiveReader(FileInput(file, from: 0))
    contents = try TableOfContents(from: &reader)
    guard contents.header.format == .custom else {
      throw ArchiveError(
        .unsupported, "\"\(ArchiveFileName.printable(Array(file.name.utf8)))\" is not in custom format",
        detail: "It is the table of contents of a directory archive.",
        hint: "give the directory that it is in")
    }
    self.file = file
    format = try Self.format(contents.header.compression)
    offsets = try Self.offsets(contents, file, dataStart: Int64(reader.input.position))
    sizes = Self.sizes(offsets, file.size)
  }

  private static func format(
    _ compression: ArchiveHeader.Compression
  ) throws(ArchiveError) -> StreamFormat {
    switch compression {
    case .level(0), .algorithm(0): .none
    case .level, .algorithm(1): .zlib
    case .algorithm(2): .lz4
    case .algorithm(3): .zstd
    case .algorithm(let number):
      throw ArchiveError(.unsupported, "the archive's data is compressed in an unknown way, number \(number)")
    }
  }

  // MARK: Where blocks are

  /// The offsets that the entries state, or, when one states none because the archive was written to a
  /// pipe, those found by going through the whole file.
  private static func offsets(
    _ contents: TableOfContents, _ file: ArchiveFile, dataStart: Int64
  ) throws(ArchiveError) -> [Int32: Int64] {
    var offsets: [Int32: Int64] = [:]
    for entry in contents.entries {
      guard case .offset(let state, let stated) = entry.place else { continue }
      switch state {
      case 1 where entry.hasData:
        return try scan(file, from: dataStart, header: contents.header)
      case 2:
        guard let offset = Int64(exactly: stated), offset >= dataStart, offset < file.size else {
          throw ArchiveError(
            .damaged, "the archive is damaged",
            detail: "Entry \(entry.dumpID) says that its data is at byte \(stated).")
        }
        offsets[entry.dumpID] = offset
      default: break
      }
    }
    return offsets
  }

  private static func scan(
    _ file: ArchiveFile, from start: Int64, header: ArchiveHeader
  ) throws(ArchiveError) -> [Int32: Int64] {
    var offsets: [Int32: Int64] = [:]
    var reader = BlockReader(file, from: start, header: header)
    while !reader.isAtEnd {
      let position = reader.position
      let block = try reader.header()
      guard offsets.updateValue(Int64(position), forKey: block.dumpID) == nil else {
        throw .damaged(
          at: position, expected: "data of another entry", found: "that of \(block.dumpID) again")
      }
      switch block.kind {
      case .data: try reader.skipChunks()
      case .largeObjects:
        while try reader.largeObject() != nil { try reader.skipChunks() }
      }
    }
    return offsets
  }

  /// Bytes of the file up to the next block, by dump id.
  private static func sizes(_ offsets: [Int32: Int64], _ fileSize: Int64) -> [Int32: Int64] {
    var sizes: [Int32: Int64] = [:]
    var end = fileSize
    for (id, offset) in offsets.sorted(by: { $0.value > $1.value }) {
      sizes[id] = end - offset
      end = offset
    }
    return sizes
  }

  // MARK: Reading

  /// Hands on an entry's data, decoded, with the end marker where there is one.
  func readStream(of entry: ArchiveEntry, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var reader = try block(of: entry, .data)
    try reader.decodeChunks(StreamDecoder(format), body)
  }

  func readLargeObjects(
    of entry: ArchiveEntry, _ body: (LargeObjectReader) throws -> Void
  ) throws {
    var reader = try block(of: entry, .largeObjects)
    let decoder = try StreamDecoder(format)
    while let oid = try reader.largeObject() {
      decoder.reset()
      let object = LargeObjectReader(oid: oid) { write in try reader.decodeChunks(decoder, write) }
      try body(object)
      if try object.end() { try reader.skipChunks() }
    }
  }

  private func block(of entry: ArchiveEntry, _ kind: BlockReader.Kind) throws(ArchiveError) -> BlockReader {
    guard let offset = offsets[entry.dumpID] else {
      throw ArchiveError(
        .damaged, "the archive holds no data of entry \(entry.dumpID)",
        detail: "It may have been cut, or was not written to its end.")
    }
    var reader = BlockReader(file, from: offset, header: contents.header)
    let block = try reader.header()
    guard block.dumpID == entry.dumpID, block.kind == kind else {
      throw .damaged(
        at: UInt64(offset), expected: "data of entry \(entry.dumpID)", found: "that of entry \(block.dumpID)")
    }
    return reader
  }
}
