import Archive
import Foundation
import TestSupport
import Testing

/// Files of a directory archive: found as pg_restore finds them, and never outside.
struct DirectoryTests {
  private let files: TemporaryDirectory
  private let directory: ArchiveDirectory

  init() throws {
    files = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: files.path("a"), withIntermediateDirectories: false)
    directory = try ArchiveDirectory(opening: files.path("a"))
  }

  private func kind(_ body: () throws -> Void) -> ArchiveError.Kind? {
    (#expect(throws: ArchiveError.self) { try body() })?.kind
  }

  @Test(arguments: [
    "../outside", "/etc/passwd", ".", "..", "", "a/b", "a\0b", String(repeating: "x", count: 256),
  ])
  func `a name that could lead elsewhere is refused`(name: String) throws {
    try files.write("outside", "x")
    #expect(kind { _ = try directory.open(name) } == .damaged)
    #expect(kind { _ = try directory.contains(name) } == .damaged)
    #expect(kind { _ = try directory.directory(name) } == .damaged)
    #expect(kind { _ = try directory.dataFile(Array(name.utf8)) } == .damaged)
  }

  @Test func `what is not a regular file is refused, without waiting`() throws {
    try files.write("outside", "x")
    try FileManager.default.createSymbolicLink(
      atPath: files.path("a/1.dat"), withDestinationPath: files.path("outside"))
    mkfifo(files.path("a/2.dat"), 0o600)
    mkdir(files.path("a/3.dat"), 0o700)
    try FileManager.default.createSymbolicLink(atPath: files.path("a/4.dat"), withDestinationPath: "nowhere")
    for name in ["1.dat", "2.dat", "3.dat", "4.dat"] {
      #expect(kind { _ = try directory.open(name) } == .damaged)
      #expect(kind { _ = try directory.dataFile(Array(name.utf8)) } == .damaged)
    }
    #expect(kind { _ = try directory.open("5.dat") } == .missing)
    #expect(try directory.names() == ["1.dat", "2.dat", "3.dat", "4.dat"])
    try FileManager.default.createSymbolicLink(atPath: files.path("a/config"), withDestinationPath: "/etc")
    #expect(kind { _ = try directory.directory("config") } == .system)
  }

  @Test func `a hard link, a space and a name that is not ASCII are fine`() throws {
    try files.write("outside", "inside")
    link(files.path("outside"), files.path("a/ä ö.dat"))
    #expect(try directory.open("ä ö.dat").bytes(limit: 10) == Array("inside".utf8))
    #expect(kind { _ = try directory.open("ä ö.dat").bytes(limit: 5) } == .damaged)
  }

  @Test func `a data file is found with and without suffix, and twice is refused`() throws {
    for (name, suffix) in [("1.dat", ""), ("2.dat", ".gz"), ("3.dat", ".lz4"), ("4.dat", ".zst")] {
      try files.write("a/" + name + suffix, name)
      let found = try directory.dataFile(Array(name.utf8))
      #expect(found.file.name == name + suffix)
      #expect(found.suffix.rawValue == suffix)
      #expect(found.file.size == 5)
    }
    #expect(kind { _ = try directory.dataFile(Array("5.dat".utf8)) } == .missing)
    try files.write("a/2.dat", "")
    #expect(kind { _ = try directory.dataFile(Array("2.dat".utf8)) } == .damaged)
    try files.write("a/3.dat.gz", "")
    #expect(kind { _ = try directory.dataFile(Array("3.dat".utf8)) } == .damaged)
  }

  @Test func `what is moved to the path afterwards is not looked at`() throws {
    try files.write("a/1.dat", "right")
    try FileManager.default.moveItem(atPath: files.path("a"), toPath: files.path("b"))
    try files.write("a/1.dat", "wrong")
    #expect(try directory.open("1.dat").bytes(limit: 10) == Array("right".utf8))
  }

  @Test func `a directory without an archive, and no directory at all`() throws {
    #expect(kind { _ = try directory.contents() } == .missing)
    #expect(kind { _ = try ArchiveDirectory(opening: files.path("none")) } == .missing)
    try files.write("plain", "")
    #expect(kind { _ = try ArchiveDirectory(opening: files.path("plain")) } == .system)
  }

  @Test func `lists of large objects are read`() throws {
    try files.write("a/blobs.toc", "1 blob_1.dat\n4294967295 blob_4294967295.dat\n")
    try files.write("a/blobs_9.toc", "")
    #expect(try directory.largeObjects(of: Self.blobs("blobs.toc"), version: .v1_14) == [1, 4_294_967_295])
    #expect(try directory.largeObjects(of: Self.blobs("blobs_9.toc"), version: .v1_16) == [])
    #expect(kind { _ = try directory.largeObjects(of: Self.blobs("blobs.toc"), version: .v1_16) } == .damaged)
    #expect(
      kind { _ = try directory.largeObjects(of: Self.blobs("blobs_8.toc"), version: .v1_16) } == .damaged)
  }

  @Test(arguments: [
    "1 blob_1.dat", "1 blob_2.dat\n", "0 blob_0.dat\n", "-1 blob_-1.dat\n", "+1 blob_1.dat\n",
    "01 blob_01.dat\n",
    "4294967296 blob_4294967296.dat\n", "1 ../blob_1.dat\n", "1  blob_1.dat\n", "1 blob_1.dat \n", "\n",
    "1 blob_1.dat\n\n", "1 blob_1.dat\n2 blob_2.dat\n1 blob_1.dat\n", "1\n", "1 blob_1.dat\r\n",
    "1 blob_1.dat\0\n",
    "1 blob_1.dat" + String(repeating: " ", count: 1_000_000),
  ])
  func `a list of large objects that pg_dump would not write is refused`(text: String) throws {
    try files.write("a/blobs.toc", text)
    #expect(kind { _ = try directory.largeObjects(of: Self.blobs("blobs.toc"), version: .v1_15) } == .damaged)
  }

  private static func blobs(_ file: String) -> ArchiveEntry {
    ArchiveEntry(
      dumpID: 9, hasData: true, tag: Array("BLOBS".utf8), desc: Array("BLOBS".utf8), section: .data,
      place: .file(Array(file.utf8)))
  }
}
