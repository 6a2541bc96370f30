/// The messages that a server sends in answer to `COPY … TO STDOUT`, taken apart as they arrive.
///
/// Rows are passed on without being held. Everything that no honest server sends is refused, because a
/// reader out of step would take anything for rows.
///
/// Source: PostgreSQL manual, "Message Flow" (COPY Operations) and "Message Formats".
struct CopyOutMessages {
  /// Why the rest of the stream cannot be trusted.
  struct Violation: Error, Equatable {
    let reason: String
  }

  /// What comes beside the rows.
  enum Aside: Equatable {
    case notice(Notice)
    case parameter(name: String, value: String)
  }

  private enum Phase {
    case start, rows, afterRows, complete, failed
    /// ReadyForQuery has come.
    case ready
  }

  /// A message up to this size is taken as a whole, so only longer rows come in parts.
  static let longestWhole = 64 << 10
  /// Of a longer error or notice this much is kept.
  static let longestKept = 64 << 10

  private var phase = Phase.start
  /// The message of which a part has been taken, its missing bytes, and what is kept of it.
  private var partial: (kind: UInt8, missing: Int)?
  private var kept: [UInt8] = []
  private var tag: String?

  /// How many rows have come.
  private(set) var rowCount: Int64 = 0
  /// The first error of the server.
  private(set) var failure: ReportFields?
  /// Whether the rows are in the text format; nil until the server has said so.
  private(set) var isText: Bool?

  /// Whether the server has nothing more to say, and no message is half read.
  var isFinished: Bool { phase == .ready && partial == nil }

  /// The row count of the command tag, or nil where no COPY was completed.
  var taggedCount: Int64? {
    guard isText != nil, let tag, tag.hasPrefix("COPY ") else { return nil }
    return Int64(tag.dropFirst(5))
  }

  /// Takes the messages at the start of `bytes`.
  ///
  /// - Parameter row: gets a row or a part of it, and whether it ends there.
  /// - Returns: how many bytes were taken; the rest has to come again, with more behind it.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, row: (UnsafeRawBufferPointer, Bool) -> Void, aside: (Aside) -> Void
  ) throws(Violation) -> Int {
    var offset = 0
    while offset < bytes.count {
      let available = bytes.count - offset
      if let partial {
        let count = min(partial.missing, available)
        let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        try takePart(part, of: partial.kind, missing: partial.missing - count, row: row, aside: aside)
        offset += count
        continue
      }
      guard available >= 5 else { break }
      let kind = bytes[offset]
      let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 1, as: Int32.self))) - 4
      if kind == Kind.copyData, length > 0, length <= available - 5, phase == .rows {
        // What nearly every message is.
        try takeRow(
          UnsafeRawBufferPointer(rebasing: bytes[offset + 5..<offset + 5 + length]), isEnd: true, row: row)
        offset += 5 + length
        continue
      }
      try check(kind, length)
      if length > available - 5 {
        guard length > Self.longestWhole else { break }
        partial = (kind, length)
        kept = []
        offset += 5
        continue
      }
      try takeWhole(
        kind, UnsafeRawBufferPointer(rebasing: bytes[offset + 5..<offset + 5 + length]), row, aside)
      offset += 5 + length
    }
    return offset
  }
}

extension CopyOutMessages {
  private enum Kind {
    static let copyOut = UInt8(ascii: "H")
    static let copyData = UInt8(ascii: "d")
    static let copyDone = UInt8(ascii: "c")
    static let commandComplete = UInt8(ascii: "C")
    static let ready = UInt8(ascii: "Z")
    static let error = UInt8(ascii: "E")
    static let notice = UInt8(ascii: "N")
    static let parameter = UInt8(ascii: "S")
    static let notification = UInt8(ascii: "A")
    /// RowDescription, DataRow and EmptyQueryResponse: the statement is no COPY.
    static let others = [UInt8(ascii: "T"), UInt8(ascii: "D"), UInt8(ascii: "I")]
  }

  /// Refuses a message that cannot come now or cannot have this length.
  private func check(_ kind: UInt8, _ length: Int) throws(Violation) {
    let isPossible: Bool
    switch kind {
    case Kind.copyData: isPossible = phase == .rows && length > 0
    case Kind.copyOut: isPossible = phase == .start && length >= 3 && length <= Self.longestWhole
    case Kind.copyDone: isPossible = phase == .rows && length == 0
    case Kind.commandComplete:
      isPossible = (phase == .start || phase == .afterRows) && length > 0 && length <= 256
    case Kind.ready: isPossible = (phase == .complete || phase == .failed) && length == 1
    case Kind.error, Kind.notice: isPossible = length > 0
    case Kind.parameter, Kind.notification: isPossible = length > 0 && length <= Self.longestWhole
    default: isPossible = Kind.others.contains(kind) && phase == .start && length >= 0
    }
    if !isPossible {
      throw Violation(reason: "a message of type \(kind) and length \(length) came where none can")
    }
  }

  private mutating func takeRow(
    _ bytes: UnsafeRawBufferPointer, isEnd: Bool, row: (UnsafeRawBufferPointer, Bool) -> Void
  ) throws(Violation) {
    if isEnd {
      guard isText != true || bytes[bytes.count - 1] == UInt8(ascii: "\n") else {
        throw Violation(reason: "a row does not end with a newline")
      }
      rowCount += 1
    }
    row(bytes, isEnd)
  }

  private mutating func takePart(
    _ part: UnsafeRawBufferPointer, of kind: UInt8, missing: Int,
    row: (UnsafeRawBufferPointer, Bool) -> Void, aside: (Aside) -> Void
  ) throws(Violation) {
    partial = missing == 0 ? nil : (kind, missing)
    switch kind {
    case Kind.copyData: try takeRow(part, isEnd: missing == 0, row: row)
    case Kind.error, Kind.notice:
      kept += part.prefix(Self.longestKept - kept.count)
      guard missing == 0 else { return }
      takeReport(kind, ReportFields(kept), aside)
      kept = []
    default: break
    }
  }

  private mutating func takeWhole(
    _ kind: UInt8, _ payload: UnsafeRawBufferPointer, _ row: (UnsafeRawBufferPointer, Bool) -> Void,
    _ aside: (Aside) -> Void
  ) throws(Violation) {
    switch kind {
    case Kind.copyOut:
      let columns = Int(payload[1]) << 8 | Int(payload[2])
      guard payload[0] <= 1, payload.count == 3 + 2 * columns else {
        throw Violation(reason: "the answer to COPY makes no sense")
      }
      phase = .rows
      isText = payload[0] == 0
    case Kind.copyData: try takeRow(payload, isEnd: true, row: row)
    case Kind.copyDone: phase = .afterRows
    case Kind.commandComplete:
      phase = .complete
      tag = String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self)
    case Kind.ready: phase = .ready
    case Kind.error, Kind.notice: takeReport(kind, ReportFields(payload), aside)
    case Kind.parameter:
      let parts = payload.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw Violation(reason: "a reported setting has no value") }
      aside(
        .parameter(
          name: String(decoding: parts[0], as: UTF8.self),
          value: String(decoding: parts[1].prefix { $0 != 0 }, as: UTF8.self)))
    default: break
    }
    // EmptyQueryResponse stands in for CommandComplete.
    if kind == UInt8(ascii: "I") { phase = .complete }
  }

  private mutating func takeReport(_ kind: UInt8, _ report: ReportFields, _ aside: (Aside) -> Void) {
    guard kind == Kind.error, phase != .ready else { return aside(.notice(report.notice)) }
    phase = .failed
    if failure == nil { failure = report }
  }
}
