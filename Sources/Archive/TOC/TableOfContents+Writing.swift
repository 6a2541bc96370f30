extension TableOfContents {
  /// The table of contents as `toc.dat` holds it; what was read unchanged gives the bytes it was read
  /// from.
  public func bytes() -> [UInt8] {
    var writer = PrimitiveWriter(integerSize: header.integerSize, offsetSize: header.offsetSize)
    writer.append(header)
    writer.append(Int32(truncatingIfNeeded: entries.count))
    for entry in entries { writer.append(entry, header.version) }
    return writer.bytes
  }
}

/// Writes the numbers and texts that archives are made of.
struct PrimitiveWriter {
  private(set) var bytes: [UInt8] = []
  let integerSize: UInt8
  let offsetSize: UInt8

  init(integerSize: UInt8, offsetSize: UInt8) {
    self.integerSize = integerSize
    self.offsetSize = offsetSize
  }

  mutating func append(_ value: Int32) {
    bytes.append(value < 0 ? 1 : 0)
    append(UInt64(value.magnitude), size: integerSize)
  }

  mutating func append(_ text: [UInt8]?) {
    guard let text else { return append(Int32(-1)) }
    append(Int32(truncatingIfNeeded: text.count))
    bytes.append(contentsOf: text)
  }

  private mutating func append(_ value: UInt64, size: UInt8) {
    for index in 0..<UInt64(size) {
      bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index)))
    }
  }

  mutating func append(_ header: ArchiveHeader) {
    bytes.append(contentsOf: ArchiveHeader.magic)
    bytes.append(contentsOf: [header.version.major, header.version.minor, header.version.revision])
    bytes.append(contentsOf: [header.integerSize, header.offsetSize, header.format.rawValue])
    switch header.compression {
    case .level(let level): append(level)
    case .algorithm(let algorithm): bytes.append(algorithm)
    }
    for part in header.localTime { append(part) }
    append(header.database)
    append(header.serverVersion)
    append(header.dumpVersion)
  }

  mutating func append(_ entry: ArchiveEntry, _ version: ArchiveHeader.Version) {
    append(entry.dumpID)
    append(entry.hasData ? Int32(1) : 0)
    for text in [entry.catalogOID, entry.objectOID, entry.tag, entry.desc] { append(text) }
    append(entry.section.rawValue)
    let texts = [
      entry.definition, entry.dropStatement, entry.copyStatement, entry.namespace, entry.tablespace,
      entry.tableAccessMethod,
    ]
    for text in texts { append(text) }
    if version >= .v1_16 { append(entry.relationKind) }
    append(entry.owner)
    append(entry.withOIDs)
    for id in entry.dependencies { append(Array(String(id).utf8)) }
    append(nil as [UInt8]?)
    switch entry.place {
    case .file(let name): append(name)
    case .offset(let state, let offset):
      bytes.append(state)
      append(offset, size: offsetSize)
    }
  }
}
