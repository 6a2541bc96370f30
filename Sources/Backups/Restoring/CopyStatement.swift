/// The `COPY … FROM stdin` of a table's data, taken apart.
///
/// An archive may hold any text in this place, and the text is sent to the server: only the one form
/// that pg_dump writes is accepted.
public struct CopyStatement: Sendable, Equatable {
  /// The relation, quoted where needed, in the archive's encoding.
  public let relation: [UInt8]
  /// The columns, quoted where needed and separated by `, `; nil when there are none.
  public let columns: [UInt8]?

  /// Nil for anything but `COPY name (column, …) FROM stdin;`.
  public init?(_ statement: [UInt8]) {
    var scanner = Scanner(rest: statement[...])
    guard scanner.take("COPY "), let relation = scanner.name(), scanner.take(" ") else { return nil }
    var columns: [UInt8]?
    if scanner.take("(") {
      guard let list = scanner.list() else { return nil }
      columns = list
    }
    guard scanner.take(" FROM stdin;"), scanner.rest.allSatisfy({ $0 == UInt8(ascii: "\n") }) else {
      return nil
    }
    self.relation = relation
    self.columns = columns
  }

  /// The statement that loads rows.
  public var load: [UInt8] {
    Array("COPY ".utf8) + relation + Array(" ".utf8)
      + (columns.map { Array("(".utf8) + $0 + Array(")".utf8) } ?? []) + Array(" FROM stdin".utf8)
  }

  /// The statement that reads the same lines back.
  ///
  /// - Parameter isWhole: whether rows of partitions and children are read, too.
  /// - Parameter condition: what follows the table's name, such as `WHERE …`; empty for all rows.
  public func read(isWhole: Bool, condition: [UInt8] = []) -> [UInt8] {
    Array("COPY (SELECT ".utf8) + (columns ?? []) + Array(isWhole ? " FROM ".utf8 : " FROM ONLY ".utf8)
      + relation + (condition.isEmpty ? [] : [UInt8(ascii: " ")] + condition) + Array(") TO STDOUT".utf8)
  }
}

extension CopyStatement {
  fileprivate struct Scanner {
    var rest: ArraySlice<UInt8>

    mutating func take(_ text: StaticString) -> Bool {
      let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      guard rest.starts(with: bytes) else { return false }
      rest = rest.dropFirst(bytes.count)
      return true
    }

    /// One or two identifiers with a dot between them.
    mutating func name() -> [UInt8]? {
      let start = rest
      guard identifier() else { return nil }
      if take("."), !identifier() { return nil }
      return Array(start.prefix(start.count - rest.count))
    }

    /// Identifiers up to the closing parenthesis.
    mutating func list() -> [UInt8]? {
      let start = rest
      repeat {
        guard identifier() else { return nil }
      } while take(", ")
      let list = Array(start.prefix(start.count - rest.count))
      return take(")") ? list : nil
    }

    private mutating func identifier() -> Bool {
      if take("\"") {
        var count = 0
        while let byte = rest.popFirst() {
          if byte == UInt8(ascii: "\""), rest.first != byte { return count > 0 }
          if byte == UInt8(ascii: "\"") { rest.removeFirst() }
          if byte == 0 { return false }
          count += 1
        }
        return false
      }
      // As `fmtId` leaves a name bare.
      let bare = rest.prefix { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
          || byte == UInt8(ascii: "_")
      }
      rest = rest.dropFirst(bare.count)
      return !bare.isEmpty
    }
  }
}
