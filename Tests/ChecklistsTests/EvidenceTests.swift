import Checklists
import Foundation
import SystemPackage
import TestSupport
import Testing
import Timekeeping

@Suite struct EvidenceTests {
  private let header = EvidenceHeader(
    document: "list.md", documentSHA256: "00", tool: "tsdb", time: "2026-11-24T00:00:00Z", phases: [],
    server: ChecklistServer(version: "15.1", systemIdentifier: "7", database: "app", role: "r"))

  private func outcome(_ line: Int, _ state: ProbeState) -> ItemOutcome {
    ItemOutcome(
      ChecklistItem(
        line: line, text: "ítem \(line)", phase: .pre, headings: ["a/b"], hasBox: true, isTicked: false,
        binding: nil),
      probe: "x.y", ProbeAnswer(state, asked: "select 1", observed: "é\n"), time: "2026-11-24T00:00:01Z",
      milliseconds: 3)
  }

  private func written(_ path: String, _ outcomes: [ItemOutcome]) throws -> String {
    let file = try EvidenceFile(creating: FilePath(path), header)
    for outcome in outcomes { try file.append(outcome) }
    try file.finish(EvidenceEnd(time: "2026-11-24T00:00:02Z", counts: outcomes.counts))
    return file.digest
  }

  @Test func `evidence is read back as it was written`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("e.jsonl")
    let outcomes = [outcome(1, .proved), outcome(2, .failed), outcome(3, .proved)]
    let digest = try written(path, outcomes)
    let chain = try EvidenceChain(
      verifying: Array(try Data(contentsOf: URL(fileURLWithPath: path))), path: path)
    #expect(chain.header == header)
    #expect(chain.items == outcomes)
    #expect(chain.end.counts == ["proved": 2, "failed": 1])
    #expect(chain.digest == digest)
  }

  @Test func `evidence is never overwritten`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("e.jsonl")
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: ChecklistError.self) { _ = try written(path, []) }
    #expect(error?.kind == .invalidInput)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
  }

  @Test func `any changed, lost, moved or added byte is found at its line`() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("e.jsonl")
    _ = try written(path, (1...4).map { outcome($0, .proved) })
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    func brokenLine(_ bytes: [UInt8]) -> Int? {
      do {
        _ = try EvidenceChain(verifying: bytes, path: "e")
        return nil
      } catch {
        return error.location.flatMap { Int($0.split(separator: ":")[1]) }
      }
    }
    #expect(brokenLine(bytes) == nil)
    // The last line has no line behind it, so its change is told by its digest alone, or by its counts.
    let lastLine = try #require(bytes.dropLast().lastIndex(of: 0x0A))
    for place in stride(from: 0, to: lastLine, by: 7) where bytes[place] != 0x0A {
      var changed = bytes
      changed[place] ^= 1
      let line = bytes[..<place].count { $0 == 0x0A } + 1
      let found = try #require(brokenLine(changed))
      #expect(found == line || found == line + 1)
    }
    let lines = bytes.split(separator: 0x0A).map(Array.init)
    func joined(_ lines: [[UInt8]]) -> [UInt8] { lines.flatMap { $0 + [0x0A] } }
    for index in lines.indices {
      var lost = lines
      lost.remove(at: index)
      #expect(brokenLine(joined(lost)) == index + 1)
    }
    var swapped = lines
    swapped.swapAt(2, 3)
    #expect(brokenLine(joined(swapped)) == 3)
    #expect(brokenLine(joined(lines + [lines[5]])) == 7)
    #expect(brokenLine(Array(bytes.dropLast())) == 6)
    #expect(brokenLine([]) == 1)
  }
}
