import Digests
import Testing

struct FingerprintTests {
  private func fingerprint(_ rows: [String]) -> ContentFingerprint {
    var sum = ContentFingerprint()
    for row in rows { Array(row.utf8).withUnsafeBytes { sum.add(row: $0) } }
    return sum
  }

  @Test func `the order of rows does not matter, their number and text do`() {
    let one = fingerprint(["a\t1\n", "b\t2\n", "b\t2\n"])
    #expect(one == fingerprint(["b\t2\n", "a\t1\n", "b\t2\n"]))
    #expect(one != fingerprint(["b\t2\n", "a\t1\n"]))
    #expect(one != fingerprint(["a\t1\n", "b\t2\n", "b\t3\n"]))
  }

  @Test func `parts add up to the whole`() {
    var sum = fingerprint(["a\n"])
    sum.add(fingerprint(["b\n", "c\n"]))
    #expect(sum == fingerprint(["c\n", "b\n", "a\n"]))
    #expect(sum.description.hasSuffix(":3"))
  }
}
