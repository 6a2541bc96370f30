import TestSupport
import Testing

@testable import Postgres

@Suite struct `The messages of a COPY to the client` {
  /// What was read out of a stream of messages.
  struct Reading: Equatable {
    var rows: [UInt8] = []
    var ends: [Int] = []
    var asides: [CopyOutMessages.Aside] = []
    var isFinished = false
    var taggedCount: Int64?
    var failure: ReportFields?
    var violation: CopyOutMessages.Violation?
  }

  static func message(_ kind: Character, _ payload: [UInt8], length: Int32? = nil) -> [UInt8] {
    let length = length ?? Int32(payload.count + 4)
    return [kind.asciiValue ?? 0] + withUnsafeBytes(of: length.bigEndian) { [UInt8]($0) } + payload
  }

  static func text(_ kind: Character, _ text: String) -> [UInt8] { message(kind, [UInt8](text.utf8)) }

  static let begin = message("H", [0, 0, 1, 0, 0])
  static let end = message("c", []) + text("C", "COPY 2\0") + text("Z", "I")
  static let report = "SERROR\0VERROR\0C22012\0Mdivision by zero\0\0"

  /// Reads `stream` as it would arrive in pieces of `size` bytes.
  static func read(_ stream: [UInt8], inPiecesOf size: Int) -> Reading {
    var reading = Reading()
    var messages = CopyOutMessages()
    var waiting: [UInt8] = []
    for start in stride(from: 0, to: stream.count, by: size) {
      waiting += stream[start..<min(start + size, stream.count)]
      do {
        let taken = try waiting.withUnsafeBytes { bytes in
          try messages.take(bytes) { part, endsRow in
            reading.rows += part
            if endsRow { reading.ends.append(reading.rows.count) }
          } aside: {
            reading.asides.append($0)
          }
        }
        waiting.removeFirst(taken)
      } catch {
        reading.violation = error as? CopyOutMessages.Violation
        return reading
      }
      // More would not fit into the buffer for ever.
      #expect(waiting.count < CopyOutMessages.longestWhole + 5)
    }
    reading.isFinished = messages.isFinished && waiting.isEmpty
    reading.taggedCount = messages.taggedCount
    reading.failure = messages.failure
    return reading
  }

  @Test func `are the same however they are cut`() {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 200_000) + [10]
    let notice = Self.text("N", "SHINWEIS\0VNOTICE\0C00000\0Mhello\0\0")
    let stream =
      notice + Self.begin + Self.text("d", "a\n") + Self.text("S", "TimeZone\0UTC\0")
      + Self.text("A", "\0\0\0\u{1}channel\0payload\0") + Self.message("d", long) + notice + Self.end + notice
    let whole = Self.read(stream, inPiecesOf: stream.count)
    #expect(whole.rows == [UInt8]("a\n".utf8) + long && whole.ends == [2, 2 + long.count])
    #expect(whole.isFinished && whole.taggedCount == 2 && whole.failure == nil && whole.violation == nil)
    let expected = CopyOutMessages.Aside.notice(
      Notice(severity: "NOTICE", sqlState: "00000", message: "hello"))
    #expect(whole.asides == [expected, .parameter(name: "TimeZone", value: "UTC"), expected, expected])
    for size in [1, 2, 3, 5, 7, 4_096, 65_540, 65_541, 100_000] {
      #expect(Self.read(stream, inPiecesOf: size) == whole)
    }
  }

  @Test func `may hold an error at any place`() {
    let error = Self.text("E", Self.report)
    for before in [[], Self.begin, Self.begin + Self.text("d", "a\n"), Self.begin + Self.message("c", [])] {
      let reading = Self.read(before + error + Self.text("Z", "E"), inPiecesOf: 4)
      #expect(reading.isFinished && reading.taggedCount == nil)
      #expect(reading.failure?.error(isConnectionLost: false).sqlState == "22012")
    }
    let long = Self.text("E", "VFATAL\0C57P01\0M" + String(repeating: "m", count: 1_000_000) + "\0\0")
    let failure = Self.read(long, inPiecesOf: 8_192).failure?.error(isConnectionLost: true)
    #expect(failure?.sqlState == "57P01" && failure?.severity == "FATAL")
    #expect((60_000...70_000).contains(failure?.message.count ?? 0))
  }

  private static let refused: [(what: String, stream: [UInt8])] = {
    var streams: [(String, [UInt8])] = []
    func refuse(_ what: String, _ parts: [UInt8]...) { streams.append((what, parts.flatMap { $0 })) }
    refuse("an unknown type", message("X", []))
    refuse("a row before the rows", text("d", "a\n"))
    refuse("a row without a newline", begin, text("d", "a"))
    refuse("an empty row", begin, message("d", []))
    refuse("a negative length", begin, message("d", [], length: -1))
    refuse("a length below that of the length itself", begin, message("d", [], length: 3))
    refuse("a length of zero", begin, message("c", [], length: 0))
    refuse("a long row without a newline", begin, message("d", [UInt8](repeating: 65, count: 70_000)))
    refuse("a second beginning", begin, begin)
    refuse("a beginning of the wrong length", message("H", [0, 0, 2, 0, 0]))
    refuse("a beginning in an unknown format", message("H", [2, 0, 0]))
    refuse("a row after the last", begin, message("c", []), text("d", "a\n"))
    refuse("a tag amid the rows", begin, text("C", "COPY 0\0"))
    refuse("an end before the tag", begin, message("c", []), text("Z", "I"))
    refuse("a second end", begin, end, text("Z", "I"))
    refuse("a row after an error", begin, text("E", report), text("d", "a\n"))
    refuse("an error without fields", begin, message("E", []))
    refuse("an endless setting", message("S", [], length: 1_000_000))
    refuse("a setting without a value", text("S", "TimeZone"))
    refuse("an endless tag", begin, message("c", []), message("C", [], length: 1_000_000))
    refuse("a COPY in the other direction", message("G", [0, 0, 0]))
    refuse("what a web server says", [UInt8]("HTTP/1.1 400 Bad Request\r\n".utf8))
    return streams
  }()

  @Test(arguments: refused)
  func `that no honest server sends are refused`(what: String, stream: [UInt8]) {
    for size in [1, 5, 4_096, 1_000_000] {
      let reading = Self.read(stream, inPiecesOf: size)
      #expect(reading.violation != nil && !reading.isFinished, "\(what), in pieces of \(size)")
    }
  }

  @Test func `with random damage never give a row too many unnoticed`() {
    var generator = SeededGenerator(seed: 20_261)
    let stream =
      Self.begin + Self.text("d", "abc\n") + Self.text("N", Self.report) + Self.text("d", "de\n") + Self.end
    for _ in 0..<20_000 {
      var damaged = stream
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        damaged[Int.random(in: damaged.indices, using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
      }
      let reading = Self.read(damaged, inPiecesOf: Int.random(in: 1...60, using: &generator))
      guard reading.isFinished, reading.failure == nil, let count = reading.taggedCount else { continue }
      // Damage inside of a row cannot be seen here, but the frame holds.
      #expect(reading.ends.count == 2 || count != Int64(reading.ends.count))
    }
  }

  @Test func `random bytes are refused or waited for`() {
    var generator = SeededGenerator(seed: 4)
    let kinds = [UInt8]("HdcCZENSATDIGW".utf8)
    for _ in 0..<5_000 {
      var bytes: [UInt8] = Bool.random(using: &generator) ? Self.begin : []
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let length = Int.random(in: 0...12, using: &generator)
        bytes += Self.message(
          Character(Unicode.Scalar(generator.pick(kinds))),
          (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) },
          length: generator.oneIn(8) ? Int32(truncatingIfNeeded: generator.next()) : nil)
      }
      let reading = Self.read(bytes, inPiecesOf: Int.random(in: 1...bytes.count, using: &generator))
      #expect(reading.violation != nil || reading.ends.count <= 6)
    }
  }
}
