import Checklists
import Foundation
import Testing

@Suite struct DocumentTests {
  private func items(_ text: String) throws -> [ChecklistItem] {
    try ChecklistDocument(parsing: Array(text.utf8), path: "list.md").items
  }

  @Test(arguments: [
    ("- [ ] a", ["a"]), ("* [x] a", ["a"]), ("+ [X] a", ["a"]), ("1. [ ] a", ["a"]), ("12) [ ] a", ["a"]),
    ("-  [ ] a\n   - [ ] b\n      * [x] c", ["a", "b", "c"]), ("- - [ ] a", ["a"]), ("> - [ ] a", ["a"]),
    ("- [ ] a\r\n- [ ] b\r\n", ["a", "b"]), ("- [ ] a\r- [ ] b", ["a", "b"]), ("\u{FEFF}- [ ] a", ["a"]),
    ("- [ ] **a** _b_ `c_*d` [e](f) ~~g~~", ["a b c_*d e g"]), ("- [ ] a\n  more\n- [ ] b", ["a more", "b"]),
    ("-\t[ ] a", ["a"]), ("- [ ] `<!-- tsdb: x -->`", ["<!-- tsdb: x -->"]),
    ("<!-->\n- [ ] a", ["a"]), ("- a\n  ```\n  - [ ] code\n- [ ] b", ["b"]),
    ("- [ ] a \\* b 2 * 3", ["a * b 2 * 3"]),
  ])
  func `items are found where Markdown has task lists`(text: String, expected: [String]) throws {
    #expect(try items(text).map(\.text) == expected)
  }

  @Test(arguments: [
    "-[ ] a", "- [] a", "- [ ]a", "- [ ]", "- [ ]  ", "    - [ ] code", "```\n- [ ] a\n```",
    "~~~~\n- [ ] a\n~~~\n- [ ] b",
    "<!--\n- [ ] a\n-->", "<!-- - [ ] a -->", "<!-- x\n\n- [ ] a",
    "- a\n\n      - [ ] code", "-     [ ] code",
    "1234567890. [ ] a",
    "text\n    - [ ] a", "- [y] a", "1. step",
  ])
  func `code, comments and near misses hold no items`(text: String) throws {
    #expect(try items(text).isEmpty)
  }

  @Test func `a fence ends only with its own mark, and a comment at its end`() throws {
    let text = "- [ ] a\n\n```sh\n~~~\n- [ ] no\n```\n- [ ] b\n<!-- x\n- [ ] no\n--> - [ ] no\n- [ ] c"
    #expect(try items(text).map(\.text) == ["a", "b", "c"])
    #expect(try items(text).map(\.line) == [1, 7, 11])
  }

  @Test func `the phase is that of the innermost heading that has one`() throws {
    let text = """
      # Checklist de Deployment - X
      - [ ] a
      ## 2. Deployment
      - [ ] b
      ### Paso 4: Verificaci贸n ###
      - [ ] c

      Post-Deployment
      ---------------
      - [ ] d
      ### Primer D铆a
      - [ ] e
      """
    let found = try items(text)
    #expect(found.map(\.phase) == [.pre, .deploy, .verify, .post, .firstDay])
    #expect(found[4].headings == ["Checklist de Deployment - X", "Post-Deployment", "Primer D铆a"])
  }

  @Test(arguments: [
    ("Antes del despliegue", ChecklistPhase.pre), ("Despues del despliegue", .post),
    ("Plan de reversión", .rollback),
    ("First Week", .firstWeek), ("Step 4: Verification", .verify), ("VERIFICACIÓN", .verify),
    ("VerificaciÃ³n", .verify), ("Verificaci?n", .verify), ("Primera hora", .firstHour),
  ])
  func `headings in both languages, rightly read or not, begin a phase`(
    heading: String, phase: ChecklistPhase
  ) {
    #expect(ChecklistPhase(heading: heading) == phase)
  }

  @Test func `the numbered steps of a rollback plan are items without a box`() throws {
    let text = "## Rollback Plan\n1. **Stop**\n   1. how\n2. Back\n- no\n## Else\n1. no"
    let found = try items(text)
    #expect(found.map(\.text) == ["Stop", "Back"])
    #expect(found.allSatisfy { !$0.hasBox && $0.phase == .rollback })
  }

  @Test func `only proved items get a tick, and lose it otherwise`() throws {
    let document = try ChecklistDocument(
      parsing: Array("- [ ] a\n- [x] b\n- [X] c\n- [x] d\n- [ ] e".utf8), path: "x")
    let filled = document.filled([1: .proved, 2: .attested, 3: .proved, 5: .unknown])
    #expect(String(decoding: filled, as: UTF8.self) == "- [x] a\n- [ ] b\n- [X] c\n- [x] d\n- [ ] e")
  }

  @Test(arguments: 0..<400)
  func `filling in changes boxes and no other byte of any document`(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let pieces: [[UInt8]] =
      [
        "- [ ] ", "* [x] a", "1. [X] b", "\n", "\r\n", "\r", "    ", "\t", "```\n", "<!-- ", "-->",
        "# Rollback\n",
        "1. step\n", "> ", "text", "ó", "[ ]", "`", "\n- [ ] c\n", "\n- [x] d\n", "---\n",
      ].map { Array($0.utf8) } + [[0xC3], [0xFF, 0xFE], [0], [0xEF, 0xBB, 0xBF]]
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...60, using: &random) {
      bytes += pieces.randomElement(using: &random) ?? []
    }
    let document = try ChecklistDocument(parsing: bytes, path: "x")
    let states = Dictionary(
      uniqueKeysWithValues: document.items.map { item in
        (item.line, ProbeState.allCases.randomElement(using: &random) ?? .failed)
      })
    let filled = document.filled(states)
    #expect(filled.count == bytes.count)
    for place in bytes.indices where filled[place] != bytes[place] {
      #expect(bytes[place - 1] == UInt8(ascii: "[") && bytes[place + 1] == UInt8(ascii: "]"))
      #expect([0x20, UInt8(ascii: "x")].contains(filled[place]))
    }
    let again = try ChecklistDocument(parsing: filled, path: "x")
    #expect(again.items.map(\.line) == document.items.map(\.line))
    for item in again.items where item.hasBox { #expect(item.isTicked == (states[item.line] == .proved)) }
    #expect(again.filled(states) == filled)
  }

  private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }
}
