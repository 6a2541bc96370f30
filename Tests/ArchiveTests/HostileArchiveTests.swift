import Archive
import Foundation
import TestSupport
import Testing

/// Tables of contents that pg_dump would not write: a clear error, or text that quotes what is in them.
struct HostileArchiveTests {
  private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static func table(_ id: Int32, _ name: String = "t", dependencies: [Int32] = []) -> ArchiveEntry {
    ArchiveEntry(
      dumpID: id, hasData: false, tag: bytes(name), desc: bytes("TABLE"), section: .preData,
      definition: bytes("CREATE TABLE x ();\n"), dropStatement: bytes("DROP TABLE x;\n"),
      namespace: bytes("public"), owner: bytes("o"), dependencies: dependencies)
  }

  private static func data(_ id: Int32, file: String) -> ArchiveEntry {
    ArchiveEntry(
      dumpID: id, hasData: true, tag: bytes("t"), desc: bytes("TABLE DATA"), section: .data,
      copyStatement: bytes("COPY x FROM stdin;\n"), place: .file(bytes(file)))
  }

  private static func contents(
    _ entries: [ArchiveEntry], version: ArchiveHeader.Version = .v1_14,
    format: ArchiveHeader.Format = .tar
  ) -> TableOfContents {
    TableOfContents(
      header: ArchiveHeader(
        version: version, format: format, compression: version < .v1_15 ? .level(-1) : .algorithm(1),
        localTime: [0, 0, 0, 1, 0, 126, 0], database: bytes("d"), serverVersion: bytes("15"),
        dumpVersion: bytes("15")),
      entries: entries)
  }

  private static func error(reading bytes: [UInt8]) -> ArchiveError? {
    #expect(throws: ArchiveError.self) { try TableOfContents(reading: bytes) }
  }

  @Test func `what is written by hand is read as it is`() throws {
    for version in [ArchiveHeader.Version.v1_14, .v1_15, .v1_16] {
      let contents = Self.contents([Self.table(1), Self.data(2, file: "2.dat")], version: version)
      #expect(try TableOfContents(reading: contents.bytes()) == contents)
    }
    // Ids may have gaps, and dependencies need not be there.
    let gaps = Self.contents([Self.table(.max, dependencies: [7, .max - 1]), Self.table(1)])
    #expect(try TableOfContents(reading: gaps.bytes()) == gaps)
  }

  @Test(arguments: [
    "../1.dat", "/etc/passwd", "a/1.dat", "./1.dat", "..", ".", String(repeating: "x", count: 256),
  ])
  func `a data file outside the directory is refused`(name: String) {
    let error = Self.error(reading: Self.contents([Self.data(1, file: name)]).bytes())
    #expect(error?.kind == .damaged)
    #expect(error?.detail?.contains("a file inside the archive") == true)
  }

  /// A good file, of which bytes are replaced at an offset from the end of the header or of the file.
  private static func changed(
    _ entry: ArchiveEntry = table(1), at offset: Int, to bytes: [UInt8]
  ) -> [UInt8] {
    let start = contents([]).bytes().count
    var file = contents([entry]).bytes()
    file.replaceSubrange(start + offset..<start + offset + bytes.count, with: bytes)
    return file
  }

  @Test(arguments: [
    (0, [0, 0, 0, 0, 0], "a dump id above 0"), (0, [1, 1, 0, 0, 0], "a dump id above 0"),
    (0, [2, 1, 0, 0, 0], "a dump id above 0"), (0, [0, 0, 0, 0, 128], "a dump id above 0"),
    (5, [0, 2, 0, 0, 0], "whether the entry has data"), (5, [1, 1, 0, 0, 0], "whether the entry has data"),
    (5, [1, 0, 0, 0, 0], "whether the entry has data"),
    // The catalog's oid: NULL, no number, a length beyond the end, the longest, and negative ones.
    (10, [1, 1, 0, 0, 0], "the oid of a catalog"), (15, [65], "the oid of a catalog"),
    (10, [0, 255, 255, 255, 127], "the oid of a catalog"),
    (10, [0, 255, 255, 255, 63], "the oid of a catalog"),
    (10, [1, 2, 0, 0, 0], "the oid of a catalog"), (10, [1, 0, 0, 0, 128], "the oid of a catalog"),
    // The tag, "t", and the section behind "TABLE".
    (22, [1, 1, 0, 0, 0], "an entry's name"), (27, [0], "an entry's name"),
    (38, [0, 0, 0, 0, 0], "a section, 1 to 4"), (38, [0, 5, 0, 0, 0], "a section, 1 to 4"),
  ])
  func `a field that cannot be is reported with its offset`(offset: Int, bytes: [UInt8], expected: String) {
    let error = Self.error(reading: Self.changed(at: offset, to: bytes))
    #expect(error?.kind == .damaged)
    #expect(error?.detail?.hasPrefix("Expected ") == true)
    #expect(error?.detail?.contains(expected) == true, "\(String(describing: error))")
    let place = Int(error?.message.split(separator: " ").last ?? "") ?? 0
    // The fields of one byte here are in a text, which is reported where its length stands.
    #expect(place == Self.contents([]).bytes().count + offset - (bytes.count == 1 ? 5 : 0))
  }

  @Test func `a NULL name of a data file is refused`() {
    var bytes = Self.contents([Self.table(1)]).bytes()
    bytes.replaceSubrange(bytes.count - 5..<bytes.count, with: [1, 1, 0, 0, 0])
    #expect(Self.error(reading: bytes)?.detail == "Expected the name of a data file, found NULL.")
  }

  @Test func `a number of entries that cannot fit is refused at once`() {
    var bytes = Self.contents([]).bytes()
    for count: [UInt8] in [[0, 1, 0, 0, 0], [0, 255, 255, 255, 127], [1, 1, 0, 0, 0]] {
      bytes.replaceSubrange(bytes.count - 5..<bytes.count, with: count)
      #expect(Self.error(reading: bytes)?.detail?.contains("the number of entries") == true)
    }
  }

  @Test func `a duplicate id, and anything after the end, is refused`() {
    let twice = Self.error(reading: Self.contents([Self.table(5), Self.table(6), Self.table(5)]).bytes())
    #expect(twice?.detail == "Expected a dump id that no earlier entry has, found 5.")
    let longer = Self.error(reading: Self.contents([Self.table(1)]).bytes() + [0])
    #expect(longer?.detail == "Expected the end after the last entry, found 1 more bytes.")
  }

  @Test(arguments: [Int32(0), -1, .min])
  func `a dependency that is no id is refused`(id: Int32) {
    let error = Self.error(reading: Self.contents([Self.table(1, dependencies: [2, id])]).bytes())
    #expect(error?.detail?.contains("the dump id of a dependency") == true)
  }

  @Test func `every cut of a table of contents is refused, and no changed byte crashes`() throws {
    var bytes = Self.contents(
      [Self.table(1, dependencies: [9]), Self.data(2, file: "2.dat")], version: .v1_16
    ).bytes()
    for count in 0..<bytes.count { _ = Self.error(reading: Array(bytes.prefix(count))) }
    for index in bytes.indices {
      let kept = bytes[index]
      for value in UInt8.min...UInt8.max {
        bytes[index] = value
        guard let contents = try? TableOfContents(reading: bytes) else { continue }
        #expect(contents.bytes() == bytes)
      }
      bytes[index] = kept
    }
  }

  @Test(arguments: [
    ("PGDMQ", ArchiveError.Kind.damaged), ("PGDMP\u{1}\u{D}\0", .unsupported),
    ("PGDMP\u{1}\u{11}\0", .unsupported),
    ("PGDMP\u{2}\u{E}\0", .unsupported), ("PGDMP\u{1}\u{E}\u{1}", .unsupported),
    ("PGDMP\u{1}\u{E}\0\u{3}", .damaged),
    ("PGDMP\u{1}\u{E}\0\u{9}", .damaged), ("PGDMP\u{1}\u{E}\0\u{4}\0", .damaged),
    ("PGDMP\u{1}\u{E}\0\u{4}\u{8}\u{2}", .damaged), ("", .damaged),
  ])
  func `another header is refused`(start: String, kind: ArchiveError.Kind) {
    #expect(Self.error(reading: Self.bytes(start) + [UInt8](repeating: 0, count: 200))?.kind == kind)
  }

  // MARK: Dependencies

  @Test func `a circle of dependencies is found, however long`() {
    #expect(Self.contents([Self.table(1, dependencies: [1])]).dependencyCycle() == [1])
    let chain = (1...200_000).map { Self.table(Int32($0), dependencies: [Int32($0) + 1, 500_000]) }
    #expect(Self.contents(chain).dependencyCycle() == nil)
    var circle = chain
    circle[199_999].dependencies = [150_001]
    #expect(Self.contents(circle).dependencyCycle()?.count == 50_000)
    let diamond = [
      Self.table(1, dependencies: [2, 3]), Self.table(2, dependencies: [4]),
      Self.table(3, dependencies: [4, 4]),
      Self.table(4),
    ]
    #expect(Self.contents(diamond).dependencyCycle() == nil)
  }

  @Test func `an archive whose entries depend on one another in a circle is not opened`() throws {
    let files = try TemporaryDirectory()
    let circle = Self.contents([Self.table(1, dependencies: [2]), Self.table(2, dependencies: [1])])
    try files.write("a/toc.dat", bytes: circle.bytes())
    let error = #expect(throws: ArchiveError.self) { try ArchiveSource(opening: files.path("a")) }
    #expect(error?.kind == .damaged)
    #expect(error?.detail == "Their dump ids are 1 -> 2 -> 1.")
  }

  // MARK: Statements

  private static func statements(of entry: ArchiveEntry) throws -> [String] {
    var session = RestoreSession(try RestoreScript(contents([entry])))
    return try session.statements(of: entry).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func `names with SQL in them are quoted`() throws {
    let name = "x\" owner to y; drop table z; --"
    var entry = Self.table(1, name)
    entry.namespace = Self.bytes(name)
    entry.owner = Self.bytes(name)
    entry.tablespace = Self.bytes(name)
    entry.tableAccessMethod = Self.bytes(name)
    let quoted = "\"x\"\" owner to y; drop table z; --\""
    #expect(
      try Self.statements(of: entry) == [
        "SET default_tablespace = \(quoted);", "SET default_table_access_method = \(quoted);",
        "CREATE TABLE x ();\n",
        "ALTER TABLE \(quoted).\(quoted) OWNER TO \(quoted);",
      ])
    entry.relationKind = 112
    #expect(
      try Self.statements(of: entry)[2] == "ALTER TABLE \(quoted).\(quoted) SET ACCESS METHOD \(quoted);")
  }

  @Test(arguments: [
    ("a", "a"), ("a_1", "a_1"), ("_a", "_a"), ("A", "\"A\""), ("1a", "\"1a\""), ("a$", "\"a$\""),
    ("", "\"\""),
    ("select", "\"select\""), ("abs", "abs"), ("between", "\"between\""), ("ä", "\"ä\""),
    ("a\"b", "\"a\"\"b\""),
    ("json_table", "\"json_table\""), ("values", "\"values\""), ("left", "\"left\""), ("temp", "temp"),
  ])
  func `names are quoted only where they must be`(name: String, quoted: String) throws {
    var entry = Self.table(1)
    entry.owner = Self.bytes(name)
    let owner = name.isEmpty ? [] : ["ALTER TABLE public.t OWNER TO \(quoted);"]
    #expect(try Self.statements(of: entry) == ["CREATE TABLE x ();\n"] + owner)
  }

  @Test(arguments: [
    ("FUNCTION", "DROP TABLE x;\n"), ("FUNCTION", "DROP FUNCTION f(); DROP TABLE x;\n"),
    ("FUNCTION", "DROP FUNCTION f(\"a);\n"),
    ("OPERATOR", "DROP OPERATOR CLASS x;\n; x"), ("AGGREGATE", "-- dummy\n"),
    ("NEW KIND", "DROP NEW KIND x;\n"),
  ])
  func `a DROP statement that does not fit is not turned into another`(kind: String, drop: String) {
    var entry = Self.table(1)
    entry.desc = Self.bytes(kind)
    entry.dropStatement = Self.bytes(drop)
    #expect(throws: ArchiveError.self) { try Self.statements(of: entry) }
  }

  @Test(arguments: [
    "SET client_encoding = 'UTF8'; DROP TABLE x; --';\n", "SET client_encoding = '';\n",
    "SET client_encoding = 'UTF8'",
    "DROP TABLE x;\n", "SET client_encoding = '\(String(repeating: "A", count: 64))';\n",
    "SET client_encoding = ';\n",
  ])
  func `an encoding that is no name is refused`(definition: String) {
    var entry = Self.table(1)
    entry.desc = Self.bytes("ENCODING")
    entry.definition = Self.bytes(definition)
    #expect(throws: ArchiveError.self) { try RestoreScript(Self.contents([entry])) }
    #expect(throws: ArchiveError.self) { try Self.contents([entry]).encoding() }
  }

  @Test func `large objects that are not numbers, or not there, are refused`() throws {
    var group = Self.table(1)
    group.desc = Self.bytes("BLOB METADATA")
    for definition in ["1\n2); DROP TABLE x; --\n", "1\n2", "\n", "-1\n", "4294967296\n"] {
      group.definition = Self.bytes(definition)
      #expect(throws: ArchiveError.self) { try Self.statements(of: group) }
    }
    var privileges = Self.table(2, "LARGE OBJECTS 1..2", dependencies: [9])
    privileges.desc = Self.bytes("ACL")
    privileges.definition = Self.bytes("GRANT SELECT ON LARGE OBJECT 1 TO a;\n")
    #expect(throws: ArchiveError.self) { try Self.statements(of: privileges) }
    var single = Self.table(3, "5; drop table x")
    single.desc = Self.bytes("BLOB")
    #expect(throws: ArchiveError.self) { try Self.statements(of: single) }
  }
}
