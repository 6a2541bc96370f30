import Checklists
import Foundation
import SystemPackage
import TestSupport
import Testing
import Timekeeping

@Suite struct AttestationTests {
  private let now = UTCTime(year: 2026, month: 11, day: 24)

  private func item(_ text: String, _ heading: String = "Código") -> ChecklistItem {
    ChecklistItem(
      line: 1, text: text, phase: .pre, headings: ["x", heading], hasBox: true, isTicked: false, binding: nil)
  }

  @Test func `the newest word of an item counts, under its section`() throws {
    let directory = try TemporaryDirectory()
    let log = AttestationLog(FilePath(directory.path("p/attestations.jsonl")))
    #expect(try log.newest().isEmpty)
    try log.append(Attestation(item: item("Documentación"), by: "A", note: nil, time: now, until: now + 10))
    try log.append(
      Attestation(item: item("Documentaci贸n", "C贸digo"), by: "B", note: "n", time: now, until: now + 20))
    try log.append(
      Attestation(item: item("Documentación", "Otra"), by: "C", note: nil, time: now, until: now + 5))
    let newest = try log.newest()
    #expect(newest.count == 2)
    #expect(newest[AttestationKey(item("DOCUMENTACIÓN"))]?.by == "B")
    #expect(try log.all().count == 3)
  }

  @Test func `a line that a crash cut short is no word, and spoils none`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("attestations.jsonl")
    let log = AttestationLog(FilePath(path))
    try log.append(Attestation(item: item("a b c"), by: "A", note: nil, time: now, until: now + 10))
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    try (whole + whole.prefix(40)).write(to: URL(fileURLWithPath: path))
    #expect(try log.all().count == 1)
    try log.append(Attestation(item: item("d e f"), by: "B", note: nil, time: now, until: now + 10))
    #expect(try log.all().map(\.by) == ["A", "B"])
  }

  @Test func `a word holds to the end of its last day`() throws {
    let end = try #require(Attestation.end("2026-11-24"))
    #expect(end == UTCTime(year: 2026, month: 11, day: 25))
    let word = Attestation(item: item("a"), by: "A", note: nil, time: now, until: end)
    #expect(word.holds(at: end + -1))
    #expect(!word.holds(at: end))
    #expect(Attestation.end("2026-11-31") == nil)
    #expect(Attestation.end("tomorrow") == nil)
  }
}
