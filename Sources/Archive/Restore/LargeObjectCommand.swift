/// A command of an ACL entry on a group of large objects, from archive version 1.16.
struct LargeObjectCommand {
  private var start: [UInt8] = []
  /// What follows the large object's oid; nil in a command that names none.
  private var end: [UInt8]?

  private static let marker = Array("LARGE OBJECT ".utf8)

  /// Splits the text at semicolons outside double quotes, which is all that pg_dump writes there that
  /// could mislead.
  static func commands(in text: [UInt8]) -> [LargeObjectCommand] {
    var commands: [LargeObjectCommand] = []
    var command = LargeObjectCommand()
    var isQuoted = false
    var index = 0
    while index < text.count {
      let byte = text[index]
      index += 1
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if byte == UInt8(ascii: ";"), !isQuoted {
        commands.append(command)
        command = LargeObjectCommand()
      } else if command.isEmpty, isSpace(byte) {
        continue
      } else {
        command.append(byte)
        guard !isQuoted, byte == marker.last, command.endsInMarker else { continue }
        while index < text.count, isDigit(text[index]) { index += 1 }
        command.end = []
      }
    }
    return commands
  }

  /// The command for each of the large objects, or once where it names none.
  func statements(for oids: [[UInt8]]) -> [[UInt8]] {
    guard let end else { return [SQLBytes("\(start);").bytes] }
    return oids.map { SQLBytes("\(start)\($0)\(end);").bytes }
  }

  private var isEmpty: Bool { start.isEmpty }

  private var endsInMarker: Bool { end == nil && start.suffix(Self.marker.count).elementsEqual(Self.marker) }

  private mutating func append(_ byte: UInt8) {
    if end == nil { start.append(byte) } else { end?.append(byte) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (9...13).contains(byte) }
}

extension ArchiveEntry {
  /// The oids of a BLOB METADATA entry's large objects, as decimal text: a line for each.
  func groupedLargeObjects() throws(ArchiveError) -> [[UInt8]] {
    var oids = (definition ?? []).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let isClosed = oids.popLast()?.isEmpty ?? false
    guard isClosed, oids.allSatisfy({ UInt32(String(decoding: $0, as: UTF8.self)) != nil }) else {
      throw ArchiveError(.damaged, "entry \(dumpID) is not a list of large objects")
    }
    return oids.map { Array($0) }
  }
}
