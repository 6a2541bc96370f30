extension TableOfContents {
  /// Reads a `toc.dat` as pg_dump 12 to 18 writes it.
  ///
  /// Every length is checked against the bytes that are left before anything is allocated for it.
  /// Whatever is accepted, ``bytes()`` writes back unchanged. Dependencies may name entries that are
  /// not there, and may go in a circle; see ``dependencyCycle()``.
  ///
  /// - Throws: `ArchiveError`, `.damaged` with the offset and what was expected there, `.unsupported`
  ///   for another version or format.
  public init(reading bytes: [UInt8]) throws(ArchiveError) {
    var reader = PrimitiveReader(MemoryInput(bytes))
    try self.init(from: &reader)
    guard header.format == .tar else {
      throw ArchiveError(
        .unsupported, "this table of contents belongs to an archive in custom format",
        detail: "In a directory archive it says format 3, this one says \(header.format.rawValue).",
        hint: "give the archive's own file instead of a directory")
    }
    guard reader.input.remaining == 0 else {
      throw .damaged(
        at: reader.input.position, expected: "the end after the last entry",
        found: "\(reader.input.remaining) more bytes")
    }
  }

  /// Reads a table of contents and leaves `reader` behind it.
  init<Input>(from reader: inout PrimitiveReader<Input>) throws(ArchiveError) {
    let header = try ArchiveHeader(from: &reader)
    let position = reader.input.position
    let count = try reader.integer("the number of entries", in: 0...Int32.max)
    // Three numbers and fourteen texts, each at least a number, and the place.
    let smallest = 17 * (UInt64(header.integerSize) + 1)
    guard UInt64(count) <= reader.input.remaining / smallest else {
      throw .damaged(at: position, expected: "the number of entries", found: "\(count)")
    }
    var entries: [ArchiveEntry] = []
    var ids = Set<Int32>()
    for _ in 0..<count {
      let position = reader.input.position
      let entry = try ArchiveEntry(from: &reader, header, after: entries.last)
      guard ids.insert(entry.dumpID).inserted else {
        throw .damaged(
          at: position, expected: "a dump id that no earlier entry has", found: "\(entry.dumpID)")
      }
      entries.append(entry)
    }
    self.init(header: header, entries: entries)
  }
}

extension ArchiveHeader {
  static let magic = Array("PGDMP".utf8)

  init<Input>(from reader: inout PrimitiveReader<Input>) throws(ArchiveError) {
    for (index, expected) in Self.magic.enumerated() {
      guard try reader.byte("\"PGDMP\"") == expected else {
        throw ArchiveError(
          .damaged, "this is not an archive of pg_dump",
          detail: "Expected \"PGDMP\" at the start, found another byte at byte \(index).")
      }
    }
    let version = Version(
      major: try reader.byte("a version"), minor: try reader.byte("a version"),
      revision: try reader.byte("a version"))
    guard [.v1_14, .v1_15, .v1_16].contains(version) else {
      throw ArchiveError(
        .unsupported,
        "the archive has version \(version.major).\(version.minor).\(version.revision), which is not supported",
        detail: "Versions 1.14 to 1.16 are: PostgreSQL 12 to 18.")
    }
    reader.integerSize = try Self.size("the size of a number, 4 to 8", 4...8, from: &reader)
    reader.offsetSize = try Self.size("the size of an offset, 1 to 8", 1...8, from: &reader)
    let formatPosition = reader.input.position
    let formatByte = try reader.byte("a format")
    guard let format = Format(rawValue: formatByte) else {
      throw .damaged(at: formatPosition, expected: "format 1 or 3", found: "\(formatByte)")
    }
    let compression = try Compression(from: &reader, version)
    var time: LocalTime = []
    for _ in 0..<7 { time.append(try reader.integer("a part of the dump's time")) }
    self.init(
      version: version, integerSize: reader.integerSize, offsetSize: reader.offsetSize, format: format,
      compression: compression, localTime: time,
      database: try reader.optionalText("the database's name"),
      serverVersion: try reader.optionalText("the server's version"),
      dumpVersion: try reader.optionalText("the version of pg_dump"))
  }

  private static func size<Input>(
    _ what: String, _ range: ClosedRange<UInt8>, from reader: inout PrimitiveReader<Input>
  ) throws(ArchiveError) -> UInt8 {
    let position = reader.input.position
    let size = try reader.byte(what)
    guard range.contains(size) else { throw .damaged(at: position, expected: what, found: "\(size)") }
    return size
  }
}

extension ArchiveHeader.Compression {
  fileprivate init<Input>(
    from reader: inout PrimitiveReader<Input>, _ version: ArchiveHeader.Version
  ) throws(ArchiveError) {
    if version < .v1_15 {
      self = .level(try reader.integer("a compression level, -1 to 9", in: -1...9))
      return
    }
    let position = reader.input.position
    let algorithm = try reader.byte("a compression algorithm")
    guard algorithm <= 3 else {
      throw .damaged(at: position, expected: "a compression algorithm, 0 to 3", found: "\(algorithm)")
    }
    self = .algorithm(algorithm)
  }
}

extension ArchiveEntry {
  /// - Parameter previous: the entry before, whose texts are shared where they are the same: most
  ///   entries of an archive have one owner and few schemas.
  fileprivate init<Input>(
    from reader: inout PrimitiveReader<Input>, _ header: ArchiveHeader, after previous: ArchiveEntry?
  ) throws(ArchiveError) {
    func shared(_ text: [UInt8]?, _ field: (ArchiveEntry) -> [UInt8]?) -> [UInt8]? {
      guard let previous, let text, let earlier = field(previous), earlier == text else { return text }
      return earlier
    }
    dumpID = try reader.integer("a dump id above 0", in: 1...Int32.max)
    hasData = try reader.integer("0 or 1 for whether the entry has data", in: 0...1) == 1
    catalogOID = shared(try reader.oid("the oid of a catalog")) { $0.catalogOID }
    objectOID = shared(try reader.oid("the oid of an object")) { $0.objectOID }
    tag = try reader.text("an entry's name")
    desc = shared(try reader.text("an entry's kind")) { $0.desc }
    let position = reader.input.position
    let number = try reader.integer("a section, 1 to 4")
    guard let section = Section(rawValue: number) else {
      throw .damaged(at: position, expected: "a section, 1 to 4", found: "\(number)")
    }
    self.section = section
    definition = try reader.optionalText("a definition")
    dropStatement = try reader.optionalText("a DROP statement")
    copyStatement = try reader.optionalText("a COPY statement")
    namespace = shared(try reader.optionalText("a schema")) { $0.namespace }
    tablespace = shared(try reader.optionalText("a tablespace")) { $0.tablespace }
    tableAccessMethod = shared(try reader.optionalText("a table access method")) { $0.tableAccessMethod }
    relationKind =
      header.version < .v1_16 ? 0 : try reader.integer("a kind of relation, 0 to 127", in: 0...127)
    owner = shared(try reader.optionalText("an owner")) { $0.owner }
    withOIDs = shared(try reader.optionalText("\"true\" or \"false\"")) { $0.withOIDs }
    dependencies = try reader.dependencies()
    place = try Place(from: &reader, header.format)
  }
}

extension ArchiveEntry.Place {
  fileprivate init<Input>(
    from reader: inout PrimitiveReader<Input>, _ format: ArchiveHeader.Format
  ) throws(ArchiveError) {
    let position = reader.input.position
    switch format {
    case .tar:
      // pg_restore itself crashes on NULL here.
      let name = try reader.text("the name of a data file")
      guard name.isEmpty || ArchiveFileName.isValid(name) else {
        throw .damaged(
          at: position, expected: "the name of a file inside the archive",
          found: "\"\(ArchiveFileName.printable(name))\"")
      }
      self = .file(name)
    case .custom:
      let state = try reader.byte("the state of an offset")
      guard (1...3).contains(state) else {
        throw .damaged(at: position, expected: "the state of an offset, 1 to 3", found: "\(state)")
      }
      self = .offset(state: state, try reader.offset("an offset"))
    }
  }
}

extension PrimitiveReader {
  /// A number as pg_dump prints it: no sign, no leading zero.
  private static func decimal(_ text: [UInt8]) -> UInt32? {
    guard (1...10).contains(text.count), text[0] != UInt8(ascii: "0") || text.count == 1 else { return nil }
    var value: UInt64 = 0
    for digit in text {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
    }
    return UInt32(exactly: value)
  }

  fileprivate mutating func oid(_ what: String) throws(ArchiveError) -> [UInt8] {
    let position = input.position
    let text = try text(what)
    guard Self.decimal(text) != nil else {
      throw .damaged(at: position, expected: what, found: "\"\(ArchiveFileName.printable(text))\"")
    }
    return text
  }

  /// Any number of decimal texts, closed by NULL.
  fileprivate mutating func dependencies() throws(ArchiveError) -> [Int32] {
    var ids: [Int32] = []
    while true {
      let position = input.position
      guard let text = try optionalText("a dependency or their end") else { return ids }
      guard let value = Self.decimal(text), let id = Int32(exactly: value), id > 0 else {
        throw .damaged(
          at: position, expected: "the dump id of a dependency",
          found: "\"\(ArchiveFileName.printable(text))\"")
      }
      ids.append(id)
    }
  }
}
