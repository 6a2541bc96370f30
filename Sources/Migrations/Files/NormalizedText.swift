/// The text of a file as it is hashed, parsed and sent: UTF-8, no BOM, lines ended by LF.
///
/// CRLF and lone CR become LF, so that a checkout on another system neither changes the checksum
/// (flyway#253) nor the function bodies that end up in the database.
public enum NormalizedText {
  /// Why bytes are not usable as SQL text.
  public struct Refusal: Error, Equatable {
    public let reason: String
    public let hint: String
    /// From 1; the column counts bytes, since the text cannot be decoded.
    public let line: Int
    public let column: Int
  }

  /// - Throws: ``Refusal`` for UTF-16 and UTF-32, for bytes that are not UTF-8, and for NUL.
  public static func decode(_ bytes: [UInt8]) throws(Refusal) -> String {
    try refuseWideEncodings(bytes)
    let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    if let offset = content.firstIndex(of: 0) {
      throw refusal(
        "contains a NUL byte", hint: "remove it; PostgreSQL text cannot hold one", bytes: bytes, at: offset)
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw refusal(
        "is not valid UTF-8", hint: "convert it, for example: iconv -f latin1 -t utf-8 FILE",
        bytes: bytes, at: firstInvalid(content))
    }
    return content.contains(0x0D) ? withLineFeeds(text) : text
  }

  private static func withLineFeeds(_ text: String) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    var previous: UInt8 = 0
    for byte in text.utf8 {
      if byte == 0x0D {
        result.append(0x0A)
      } else if !(byte == 0x0A && previous == 0x0D) {
        result.append(byte)
      }
      previous = byte
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func refuseWideEncodings(_ bytes: [UInt8]) throws(Refusal) {
    let marks: [(mark: [UInt8], name: String)] = [
      ([0xFF, 0xFE, 0, 0], "UTF-32"), ([0, 0, 0xFE, 0xFF], "UTF-32"),
      ([0xFF, 0xFE], "UTF-16"), ([0xFE, 0xFF], "UTF-16"),
    ]
    guard let found = marks.first(where: { bytes.starts(with: $0.mark) }) else { return }
    throw Refusal(
      reason: "is encoded as \(found.name), not UTF-8",
      hint: "convert it, for example: iconv -f \(found.name.lowercased()) -t utf-8 FILE", line: 1, column: 1)
  }

  /// The offset of the first byte that does not belong to a valid sequence.
  private static func firstInvalid(_ content: ArraySlice<UInt8>) -> Int {
    var decoder = UTF8()
    var iterator = content.makeIterator()
    var offset = content.startIndex
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      offset += UTF8.width(scalar)
    }
    return offset
  }

  private static func refusal(_ reason: String, hint: String, bytes: [UInt8], at offset: Int) -> Refusal {
    let before = bytes.prefix(offset)
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    return Refusal(
      reason: reason, hint: hint, line: before.count { $0 == 0x0A } + 1, column: offset - lineStart + 1)
  }
}
