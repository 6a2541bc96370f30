extension BackupManifest {
  /// Refuses what cannot be true of a backup, whoever wrote it.
  func check() throws(ArchiveError) {
    try Self.check(format: format)
    try Self.require(ArchiveFileName.isValid(Array(id.utf8)), "The id is not the name of a directory.")
    try Self.require(server.versionNumber > 0, "The server's version is not positive.")
    try Self.require(server.database.size >= 0, "The database's size is negative.")
    try Self.require((migrations?.applied ?? 0) >= 0, "The number of migrations is negative.")
    let files = try checkFiles()
    try checkTables(files)
    try checkSequences()
    if let largeObjects {
      try Self.require(
        largeObjects.count >= 0 && largeObjects.bytes >= 0,
        "The large objects' count or size is negative.")
      try Self.require(
        Self.rows(fingerprint: largeObjects.fingerprint) == largeObjects.count,
        "The large objects' fingerprint is not one of \(largeObjects.count) objects.")
    }
  }

  static func check(format: Int) throws(ArchiveError) {
    guard format == currentFormat else {
      throw ArchiveError(
        .unsupported, "the manifest has format \(format), which is not supported",
        detail: "This program reads format \(currentFormat).", hint: "use a newer tsdb")
    }
  }

  /// The sizes of the files by path.
  private func checkFiles() throws(ArchiveError) -> [String: Int64] {
    var sizes: [String: Int64] = [:]
    for file in files {
      let shown = Self.shown(file.path)
      try Self.require(Self.isValid(path: file.path), "\(shown) is not a path in a backup.")
      try Self.require(file.path != "manifest.json", "The manifest lists itself.")
      try Self.require(file.size >= 0, "The size of \(shown) is negative.")
      try Self.require(
        file.sha256.utf8.count == 64 && Self.isHexadecimal(file.sha256), "\(shown) has no SHA-256.")
      try Self.require(
        sizes.updateValue(file.size, forKey: file.path) == nil, "\(shown) is listed twice.")
    }
    try Self.require(sizes["toc.dat"] != nil, "The manifest does not list \"toc.dat\".")
    return sizes
  }

  private func checkTables(_ sizes: [String: Int64]) throws(ArchiveError) {
    var ids = Set<Int32>()
    var paths = Set<String>()
    for table in tables {
      let shown = Self.shown(table.name)
      try Self.require(table.dumpID > 0, "The dump id of table \(shown) is not positive.")
      try Self.require(ids.insert(table.dumpID).inserted, "Dump id \(table.dumpID) is there twice.")
      try Self.require(paths.insert(table.file).inserted, "\(Self.shown(table.file)) belongs to two tables.")
      guard let size = sizes[table.file] else {
        throw Self.impossible("The file of table \(shown) is not listed.")
      }
      try Self.require(table.rows >= 0 && table.bytes >= 0, "Table \(shown) has a negative size.")
      try Self.require(
        Self.rows(fingerprint: table.fingerprint) == table.rows,
        "The fingerprint of table \(shown) is not one of \(table.rows) rows.")
      try Self.check(table.pieces, of: table, fileSize: size)
    }
  }

  /// The pieces follow one another without a gap, lie in the file, and are all of the table.
  private static func check(
    _ pieces: [Piece], of table: Table, fileSize: Int64
  ) throws(ArchiveError) {
    let shown = Self.shown(table.name)
    var end = pieces.first?.offset ?? 0
    var rows: Int64 = 0
    var bytes: Int64 = 0
    for (index, piece) in pieces.enumerated() {
      let place = "Piece \(index) of table \(shown)"
      try require(
        piece.offset >= 0 && piece.length >= 0 && piece.rows >= 0 && piece.bytes >= 0,
        "\(place) has a negative number.")
      try require(piece.offset == end, "\(place) does not begin where the one before ends.")
      try require(piece.length <= fileSize - end, "\(place) goes past the end of its file.")
      end += piece.length
      try add(piece.rows, to: &rows, place)
      try add(piece.bytes, to: &bytes, place)
    }
    try require(
      rows == table.rows && bytes == table.bytes,
      "The pieces of table \(shown) are not all of its rows.")
  }

  private func checkSequences() throws(ArchiveError) {
    var names = Set<[String]>()
    for sequence in sequences {
      try Self.require(
        names.insert([sequence.schema, sequence.name]).inserted,
        "Sequence \(Self.shown(sequence.name)) is there twice.")
    }
  }

  private static func add(_ number: Int64, to sum: inout Int64, _ place: String) throws(ArchiveError) {
    let (result, hasOverflow) = sum.addingReportingOverflow(number)
    try require(!hasOverflow, "\(place) has a number that is not possible.")
    sum = result
  }

  /// A file in the backup's directory, or in its directory `config`.
  static func isValid(path: String) -> Bool {
    let name = path.hasPrefix("config/") ? path.dropFirst("config/".count) : path[...]
    return ArchiveFileName.isValid(Array(name.utf8))
  }

  /// The number of rows in a fingerprint as ``Digests/ContentFingerprint`` prints it; nil for any
  /// other text.
  private static func rows(fingerprint: String) -> Int64? {
    let parts = fingerprint.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "rows-v1", parts[1].utf8.count == 32, isHexadecimal(parts[1]),
      let rows = Int64(parts[2]), rows >= 0, parts[2] == String(rows)
    else { return nil }
    return rows
  }

  private static func isHexadecimal(_ text: some StringProtocol) -> Bool {
    text.utf8.allSatisfy { digit in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit)
        || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(digit)
    }
  }

  private static func require(
    _ condition: Bool, _ detail: @autoclosure () -> String
  ) throws(ArchiveError) {
    guard condition else { throw impossible(detail()) }
  }

  private static func impossible(_ detail: String) -> ArchiveError {
    ArchiveError(.damaged, "the manifest is not one of a backup", detail: detail)
  }

  private static func shown(_ name: String) -> String {
    "\"\(ArchiveFileName.printable(Array(name.utf8)))\""
  }
}
