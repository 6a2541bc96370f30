import Catalog
import Testing

@testable import Backups

/// What counts when the schema of a restored database is compared.
@Suite struct RestorableSchemaTests {
  @Test(arguments: [
    (
      "CHECK (((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))",
      "CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text, ('y'::character varying)::text])))"
    ),
    ("(n)::numeric(10,2) > 1", "n > 1"),
    ("(a)::\"my type\" = (b)::other.\"t\"\"x\"[]", "a = b"),
    ("(t)::timestamp(3) without time zone", "t"),
    ("((a + b) * c)", "a + b * c"),
  ])
  func `casts, parentheses and blanks do not count`(first: String, second: String) {
    #expect(RestorableSchema.loose(first) == RestorableSchema.loose(second))
  }

  @Test(arguments: [
    ("a = 'x'::text", "a = 'y'::text"), ("a = 'x'", "a = ' x'"), ("a = '(x)'", "a = 'x'"),
    ("a = 'x::text'", "a = 'x'"), ("a > 1", "a >= 1"), ("CHECK (a) NOT VALID", "CHECK (a)"),
  ])
  func `everything else counts`(first: String, second: String) {
    #expect(RestorableSchema.loose(first) != RestorableSchema.loose(second))
  }

  @Test func `an invalid index does not count, nor does its comment`() {
    let table = CatalogObject(kind: .table, identity: "public.t", definition: "table")
    let valid = CatalogObject(kind: .index, identity: "public.i", definition: "CREATE INDEX i")
    let invalid = CatalogObject(kind: .index, identity: "public.j", definition: "CREATE INDEX j\ninvalid")
    let comment = CatalogObject(kind: .comment, identity: "index public.j", definition: "broken")
    func fingerprint(_ objects: CatalogObject...) -> String {
      RestorableSchema.fingerprint(of: CatalogSnapshot(objects: objects))
    }
    #expect(fingerprint(table, valid, invalid, comment) == fingerprint(table, valid))
    #expect(fingerprint(table, valid) != fingerprint(table))
  }

  @Test func `what differs is named`() {
    func list(_ objects: (String, String)...) -> CatalogList {
      let objects = objects.map { CatalogObject(kind: .table, identity: $0.0, definition: $0.1) }
      return CatalogList(of: CatalogSnapshot(objects: objects))
    }
    let odd = "public.\"b\\\ny  z\""
    let expected = list(("public.a", "x"), (odd, "y"), ("public.c", "(z)"), ("public.d", "a"))
    #expect(CatalogList(reading: expected.text) == expected)
    let found = list(("public.a", "y"), ("public.c", "z"), ("public.e", "a"), ("public.d", "a"))
    let differences = CatalogList(reading: expected.text).differences(to: found)
    #expect(
      differences == [
        #"table public."b\\\ny  z" is missing"#, "table public.a is not the same",
        "table public.e was not in the backup",
      ])
    #expect(expected.differences(to: expected).isEmpty)
    #expect(CatalogList(reading: "nothing\n\n x\n").differences(to: list()).isEmpty)
  }

  @Test func `fingerprints by other rules are not compared`() {
    let fingerprint = RestorableSchema.fingerprint(of: CatalogSnapshot(objects: []))
    #expect(RestorableSchema.isComparable(fingerprint))
    #expect(!RestorableSchema.isComparable("catalog-v1:00"))
  }
}
