import Archive
import Digests
import Testing

/// `manifest.json`: what is written is read, and nothing else.
struct ManifestTests {
  @Test func `a scope without names is the whole database`() {
    #expect(BackupManifest.Scope(tables: [], excludedTables: []).isWholeDatabase)
    #expect(!BackupManifest.Scope(tables: ["a"], excludedTables: []).isWholeDatabase)
  }

  @Test func `what is written is read back equal`() throws {
    let bytes = try Self.manifest.bytes()
    #expect(try BackupManifest(reading: bytes) == Self.manifest)
    #expect(try BackupManifest(reading: bytes).bytes() == bytes)
    var other = Self.manifest
    other.label = nil
    other.migrations = nil
    other.largeObjects = nil
    other.server.database.privileges = nil
    #expect(try BackupManifest(reading: other.bytes()) == other)
  }

  @Test func `keys are sorted, in snake case, and the last field is the digest of what is before it`() throws
  {
    let text = String(decoding: try Self.manifest.bytes(), as: UTF8.self)
    #expect(text.hasPrefix("{\"archive\":{\"compression\":\"isal:2\",\"dump_version\":"))
    #expect(text.contains("\"dump_id\":7"))
    #expect(text.contains("\"Rolle_X\":[\"work_mem=1MB\"]"))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3)
    #expect(lines[2].isEmpty)
    let digest = SHA256Digest.digest(of: Array((lines[0] + "\n").utf8))
    #expect(lines[1] == "\"manifest_sha256\":\"\(digest)\"}")
  }

  @Test func `every flipped bit is noticed`() throws {
    var bytes = try Self.manifest.bytes()
    var accepted: [Int] = []
    for bit in 0..<bytes.count * 8 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      if (try? BackupManifest(reading: bytes)) != nil { accepted.append(bit) }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(accepted == [])
    #expect(bytes.count > 1500)
  }

  @Test func `every cut and every addition is noticed`() throws {
    let bytes = try Self.manifest.bytes()
    for count in 0..<bytes.count {
      #expect(throws: ArchiveError.self) { try BackupManifest(reading: Array(bytes.prefix(count))) }
      #expect(throws: ArchiveError.self) { try BackupManifest(reading: Array(bytes.dropFirst(count + 1))) }
    }
    for byte in UInt8.min...UInt8.max {
      #expect(throws: ArchiveError.self) { try BackupManifest(reading: bytes + [byte]) }
    }
  }

  @Test func `another format is unsupported, whatever else is in it`() {
    for text in ["{\"format\":2", "{\"format\":0,\"x\":[]"] {
      let error = #expect(throws: ArchiveError.self) { try BackupManifest(reading: Self.sealed(text)) }
      #expect(error?.kind == .unsupported)
    }
  }

  @Test(arguments: [
    "{", "{\"format\":1", "[1", "{\"format\":\"1\"", "{\"format\":99999999999999999999", "", "null",
    String(repeating: "{\"a\":", count: 100_000),
  ])
  func `another document with a right digest is damaged`(text: String) {
    let error = #expect(throws: ArchiveError.self) { try BackupManifest(reading: Self.sealed(text)) }
    #expect(error?.kind == .damaged)
  }

  /// Changes of a good manifest, each with a part of the reason why it is refused.
  static let impossible: [(reason: String, change: @Sendable (inout BackupManifest) -> Void)] = [
    ("is not a path", { $0.files[0].path = "../toc.dat" }),
    ("is not a path", { $0.files[0].path = "/etc/passwd" }),
    ("is not a path", { $0.files[0].path = "data/7.dat" }),
    ("is not a path", { $0.files[0].path = "config/../x" }),
    ("is not a path", { $0.files[0].path = "config/a/b" }),
    ("is not a path", { $0.files[0].path = "config/" }),
    ("is not a path", { $0.files[0].path = "config/.." }),
    ("is not a path", { $0.files[0].path = ".." }),
    ("is not a path", { $0.files[0].path = "" }),
    ("is not a path", { $0.files[0].path = "a\0b" }),
    ("is not a path", { $0.files[0].path = String(repeating: "x", count: 256) }),
    ("lists itself", { $0.files[0].path = "manifest.json" }),
    ("is listed twice", { $0.files.append($0.files[0]) }),
    ("is negative", { $0.files[0].size = -1 }),
    ("has no SHA-256", { $0.files[0].sha256 = "" }),
    ("has no SHA-256", { $0.files[0].sha256 = String(repeating: "A", count: 64) }),
    ("does not list \"toc.dat\"", { $0.files.removeAll { $0.path == "toc.dat" } }),
    ("not the name of a directory", { $0.id = "../x" }),
    ("not positive", { $0.server.versionNumber = 0 }),
    ("negative", { $0.server.database.size = -1 }),
    ("negative", { $0.migrations?.applied = -1 }),
    ("not positive", { $0.tables[0].dumpID = 0 }),
    ("Dump id 7 is there twice", { $0.tables[1].dumpID = 7 }),
    ("belongs to two tables", { $0.tables[1].file = "7.dat.gz" }),
    ("is not listed", { $0.tables[0].file = "9.dat.gz" }),
    ("negative", { $0.tables[0].bytes = -1 }),
    ("not one of 4 rows", { $0.tables[0].rows = 4 }),
    ("not one of", { $0.tables[0].fingerprint = "rows-v2:00000000000000000000000000000000:3" }),
    ("not one of", { $0.tables[0].fingerprint = "rows-v1:0000000000000000000000000000000G:3" }),
    ("not one of", { $0.tables[0].fingerprint = "rows-v1:00000000000000000000000000000000:+3" }),
    ("not one of", { $0.tables[0].fingerprint += ":3" }),
    ("negative number", { $0.tables[0].pieces[0].offset = -1 }),
    ("negative number", { $0.tables[0].pieces[0].length = -1 }),
    ("negative number", { $0.tables[0].pieces[0].rows = -1 }),
    ("negative number", { $0.tables[0].pieces[0].bytes = .min }),
    ("does not begin where", { $0.tables[0].pieces[1].offset += 1 }),
    ("does not begin where", { $0.tables[0].pieces[1].offset -= 1 }),
    ("does not begin where", { $0.tables[0].pieces.swapAt(0, 1) }),
    ("past the end", { $0.tables[0].pieces[1].length = 1 << 40 }),
    ("past the end", { $0.tables[0].pieces[1].length = .max }),
    ("past the end", { $0.tables[0].pieces[0].offset = .max }),
    ("number that is not possible", { $0.tables[0].pieces[1].rows = .max }),
    ("number that is not possible", { $0.tables[0].pieces[1].bytes = .max }),
    ("not all of its rows", { $0.tables[0].pieces[1].rows += 1 }),
    ("not all of its rows", { $0.tables[0].pieces[1].bytes += 1 }),
    ("not all of its rows", { $0.tables[0].pieces.removeLast() }),
    ("is there twice", { $0.sequences.append($0.sequences[0]) }),
    ("negative", { $0.largeObjects?.bytes = -1 }),
    ("not one of 9 objects", { $0.largeObjects?.count = 9 }),
  ]

  @Test(arguments: impossible.indices)
  func `what cannot be true of a backup is not written`(index: Int) throws {
    var manifest = Self.manifest
    Self.impossible[index].change(&manifest)
    let error = #expect(throws: ArchiveError.self) { try manifest.bytes() }
    #expect(error?.kind == .damaged)
    #expect(error?.detail?.contains(Self.impossible[index].reason) == true, "\(String(describing: error))")
  }

  /// The same in a document whose digest is right, which a forger would write.
  @Test(arguments: [
    ("\"rows\":1}", "\"rows\":2}"), ("\"size\":5}", "\"size\":-5}"),
    ("\"path\":\"toc.dat\"", "\"path\":\"../toc.dat\""),
    ("\"dump_id\":8", "\"dump_id\":7"), ("\"dump_id\":8", "\"dump_id\":8.5"),
    ("\"dump_id\":8", "\"dump_id\":null"),
    ("\"crc\":1,", "\"crc\":-1,"), ("\"rows\":1}", "\"rows\":1e300}"), ("\"rows\":1}", "\"rows\":NaN}"),
  ])
  func `what cannot be true of a backup is not read`(from: String, to: String) throws {
    let text = String(decoding: try Self.manifest.bytes(), as: UTF8.self)
    let document = String(text.prefix { $0 != "\n" }.dropLast())
    #expect(try BackupManifest(reading: Self.sealed(document)) == Self.manifest)
    let changed = document.replacing(from, with: to, maxReplacements: 1)
    #expect(changed != document)
    let error = #expect(throws: ArchiveError.self) { try BackupManifest(reading: Self.sealed(changed)) }
    #expect(error?.kind == .damaged)
  }

  /// `text`, a JSON object without its closing brace, with the digest that belongs to it.
  static func sealed(_ text: String) -> [UInt8] {
    let covered = Array((text + ",\n").utf8)
    return covered + Array("\"manifest_sha256\":\"\(SHA256Digest.digest(of: covered))\"}\n".utf8)
  }

  static let manifest = BackupManifest(
    tool: "tsdb 0.1.0", id: "20261124T083657Z-before", label: "before", started: "2026-11-24T08:36:57Z",
    finished: "2026-11-24T08:37:57Z", scope: .init(tables: [], excludedTables: []),
    server: .init(
      version: "15.20", versionNumber: 150020, systemIdentifier: "7000000000000000001", isStandby: false,
      database: .init(
        name: "desk \"x\"/y", owner: "desk", encoding: "UTF8", collate: "C", ctype: "C",
        localeProvider: "libc",
        locale: nil, icuRules: nil, tablespace: "pg_default", connectionLimit: -1, comment: "größe\u{1F600}",
        privileges: ["=Tc/desk"], settings: ["work_mem=5MB"], roleSettings: ["Rolle_X": ["work_mem=1MB"]],
        size: 7_000_000)),
    snapshot: .init(id: "00000003-0000001B-1", lsn: "0/16B3748", time: "2026-11-24T08:36:58.123456Z"),
    migrations: .init(schema: "tsdb", head: "0005_x", applied: 5), catalogFingerprint: "catalog-v1:00",
    archive: .init(version: "1.14", encoding: "UTF8", compression: "isal:2", dumpVersion: "15.20"),
    extensions: [.init(name: "plpgsql", version: "1.0")], roles: ["desk"], tablespaces: [],
    tables: [
      .init(
        dumpID: 7, schema: "public", name: "a", file: "7.dat.gz", rows: 3, bytes: 30,
        fingerprint: "rows-v1:0123456789abcdef0123456789abcdef:3", root: nil,
        pieces: [
          .init(offset: 10, length: 20, rows: 1, bytes: 10, crc: 1),
          .init(offset: 30, length: 25, rows: 2, bytes: 20, crc: .max),
        ]),
      .init(
        dumpID: 8, schema: "public", name: "empty", file: "8.dat.gz", rows: 0, bytes: 0,
        fingerprint: "rows-v1:00000000000000000000000000000000:0", root: "public.root", pieces: []),
    ],
    sequences: [.init(schema: "public", name: "s", value: -5, isCalled: true)],
    largeObjects: .init(count: 1, bytes: 5, fingerprint: "rows-v1:0123456789abcdef0123456789abcdef:1"),
    files: ["7.dat.gz", "8.dat.gz", "toc.dat", "config/settings.conf"].map {
      .init(path: $0, size: $0 == "toc.dat" ? 5 : 70, sha256: String(repeating: "0a", count: 32))
    })
}
