import Checklists
import Foundation
import Testing

@Suite struct ProbeCallTests {
  @Test func `a call is read back from evidence as it was written`() throws {
    let call = ProbeCall("matview.fresh", arguments: ["max": "1h"], operands: ["a b"])
    #expect(try JSONDecoder().decode(ProbeCall.self, from: JSONEncoder().encode(call)) == call)
  }
}
