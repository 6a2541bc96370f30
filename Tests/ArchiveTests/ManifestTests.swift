import Archive
import Testing

struct ManifestTests {
  @Test func `a scope without names is the whole database`() {
    #expect(BackupManifest.Scope(tables: [], excludedTables: []).isWholeDatabase)
    #expect(!BackupManifest.Scope(tables: ["a"], excludedTables: []).isWholeDatabase)
  }
}
