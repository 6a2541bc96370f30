import Catalog
import TestSupport
import Testing

@Suite struct `A catalogue fingerprint` {
  private static let objects = (0..<50).map { number in
    CatalogObject(
      kind: CatalogKind.allCases[number % 20], identity: "s.o\(number)", definition: "d\(number * 7)")
  }

  @Test(.seeded) func `it does not depend on the order, and objects come and go`() {
    var generator = SeededGenerator()
    let all = CatalogFingerprint(of: Self.objects)
    #expect(CatalogFingerprint(of: Self.objects.shuffled(using: &generator)) == all)
    var fingerprint = all
    for object in Self.objects.shuffled(using: &generator) {
      let without = fingerprint.removing(object)
      #expect(without.adding(object) == fingerprint)
      #expect(without != fingerprint)
      fingerprint = without
    }
    #expect(fingerprint == CatalogFingerprint())
  }

  @Test func `parts are kept apart`() {
    let pairs = [
      CatalogObject(kind: .table, identity: "ab", definition: "c"),
      CatalogObject(kind: .table, identity: "a", definition: "bc"),
      CatalogObject(kind: .view, identity: "a", definition: "bc"),
      CatalogObject(kind: .table, identity: "", definition: "abc"),
    ]
    #expect(Set(pairs.map { CatalogFingerprint(of: [$0]) }).count == pairs.count)
  }

  @Test func `its text is versioned and reads back`() throws {
    #expect(CatalogFingerprint().description == "catalog-v1:" + String(repeating: "0", count: 64))
    let fingerprint = CatalogFingerprint(of: Self.objects)
    #expect(CatalogFingerprint(fingerprint.description) == fingerprint)
    #expect(fingerprint.description.utf8.count == 75)
    let below = CatalogFingerprint().removing(Self.objects[0])
    #expect(CatalogFingerprint(below.description)?.adding(Self.objects[0]) == CatalogFingerprint())
    // Computed apart from this code: SHA-256 over 8-byte little-endian lengths and the parts.
    let known = CatalogFingerprint(of: [CatalogObject(kind: .table, identity: "public.t", definition: "x")])
    #expect(
      known.description == "catalog-v1:c9e9f97a169eac9fac7fca16bf8de8ed8a859e31080455c344bfa58f1665b149")
  }

  @Test(arguments: [
    "", "catalog-v1:", "catalog-v1:12", "catalog-v2:" + String(repeating: "0", count: 64),
    "catalog-v1:" + String(repeating: "g", count: 64), "catalog-v1:+" + String(repeating: "0", count: 63),
    "catalog-v1:" + String(repeating: "0", count: 65),
  ])
  func `other text is refused`(text: String) {
    #expect(CatalogFingerprint(text) == nil)
  }

  @Test func `owners and grants are not part of it`() {
    let owner = CatalogObject(kind: .owner, identity: "table public.t", definition: "ana")
    #expect(CatalogFingerprint(of: [owner]) == CatalogFingerprint())
    #expect(CatalogFingerprint().removing(owner) == CatalogFingerprint())
  }
}
