import Digests
import Testing

struct DigestTests {
  @Test func `SHA-256 is that of the standard, whatever the parts`() {
    // FIPS 180-2, appendix B.1.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(SHA256Digest.digest(of: Array("abc".utf8)) == expected)
    var digest = SHA256Digest()
    for byte in "abc".utf8 { digest.update([byte]) }
    #expect(digest.finish() == expected)
  }

  @Test func `a row in parts counts as the row in one`() {
    let rows = [[], [10], Array("a\tb\n".utf8), Array(repeating: 7, count: 1000)].map { $0 as [UInt8] }
    let whole = RowHasher()
    for row in rows { row.withUnsafeBytes { whole.add($0, endsRow: true) } }
    for size in [1, 3, 240, 999] {
      let parts = RowHasher()
      for row in rows {
        for start in stride(from: 0, to: row.count, by: size) {
          row[start..<min(start + size, row.count)].withUnsafeBytes { parts.add($0, endsRow: false) }
        }
        [UInt8]().withUnsafeBytes { parts.add($0, endsRow: true) }
      }
      #expect(parts.fingerprint == whole.fingerprint)
      #expect(!parts.isRowOpen)
    }
  }

  @Test func `a fingerprint is read from its text, and nothing else is`() throws {
    let hasher = RowHasher()
    for row in ["a\n", "b\n"] { Array(row.utf8).withUnsafeBytes { hasher.add($0, endsRow: true) } }
    let text = hasher.fingerprint.description
    let read = try #require(ContentFingerprint(text))
    #expect(read == hasher.fingerprint)
    let wrong = [
      "", "rows-v1:", text + "0x", text + " ", " " + text, String(text.dropLast()), text.uppercased(),
      text.replacing("rows-v1", with: "rows-v2"), text.replacing(":2", with: ":-2"),
      text.replacing(":2", with: ":02"), text.replacing(":2", with: ":+2"), String(text.dropFirst()),
    ]
    for text in wrong { #expect(ContentFingerprint(text) == nil, "\(text)") }
  }
}
