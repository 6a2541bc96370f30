import Archive
import Foundation
import TestSupport
import Testing

/// The table of contents of archives that pg_dump writes.
struct TableOfContentsTests {
  @Test func `what pg_dump writes is written back as the same bytes`() async throws {
    let cluster = try await PostgresCluster.shared
    let major = try await PgDump.majorVersion(cluster)
    var cases: [[String]] = [
      [], ["--schema-only"], ["--data-only"], ["--section=pre-data"], ["--section=data"],
      ["--section=post-data"], ["--section=pre-data", "--section=post-data"], ["-Z0"], ["-Z1"],
      ["--load-via-partition-root"], ["--no-owner", "--no-acl"], ["--clean", "--if-exists", "--create"],
      ["--inserts"], ["--blobs", "--schema-only"], ["-t", "app.plain"], ["-n", "app"], ["--no-blobs"],
    ]
    if major >= 16 { cases += [["--compress=lz4"], ["--compress=zstd:3"], ["--compress=none"]] }
    if major >= 18 { cases += [["--statistics"], ["--no-schema", "--statistics"], ["--sequence-data"]] }
    try await RichDatabase.with { database in
      for arguments in cases {
        let files = try TemporaryDirectory()
        let path: String
        do {
          path = try await PgDump.dump(database, ["-Fd"] + arguments, into: files)
        } catch  where arguments.contains(where: { $0.contains("lz4") || $0.contains("zstd") }) {
          print("skipped: pg_dump \(major) here has no \(arguments)")
          continue
        }
        let bytes = try PgDump.bytes(path + "/toc.dat")
        let contents = try TableOfContents(reading: bytes)
        #expect(contents.bytes() == bytes, "\(arguments)")
        #expect(contents.dependencyCycle() == nil)
        #expect(contents.entries.count > 5, "\(arguments)")
      }
    }
  }
}
