/// Which relations are meant: `name` in any schema, or `schema.name`.
///
/// `*` stands for any run of characters and `?` for one, except inside double quotes, where every
/// character but a doubled quote stands for itself. Names are compared as they are stored: nothing is
/// folded to lower case.
public struct RelationPattern: Sendable, Equatable {
  private enum Element: Sendable, Equatable {
    case byte(UInt8)
    case one
    case any
  }

  /// As it was given.
  public let text: String
  private let schema: [Element]?
  private let name: [Element]

  /// Nil when a quote is not closed, a part is empty, or there are more than two parts.
  public init?(_ text: String) {
    var parts: [[Element]] = [[]]
    var isQuoted = false
    var bytes = Array(text.utf8)[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "\""):
        if isQuoted, bytes.first == byte {
          parts[parts.count - 1].append(.byte(byte))
          bytes.removeFirst()
        } else {
          isQuoted.toggle()
        }
      case UInt8(ascii: ".") where !isQuoted: parts.append([])
      case UInt8(ascii: "*") where !isQuoted: parts[parts.count - 1].append(.any)
      case UInt8(ascii: "?") where !isQuoted: parts[parts.count - 1].append(.one)
      default: parts[parts.count - 1].append(.byte(byte))
      }
    }
    guard !isQuoted, parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), let last = parts.last else {
      return nil
    }
    self.text = text
    schema = parts.count == 2 ? parts[0] : nil
    name = last
  }

  /// Whether the relation of this schema and name, as bytes in whatever encoding, is meant.
  public func matches(schema: [UInt8], name: [UInt8]) -> Bool {
    Self.matches(self.name, name) && (self.schema.map { Self.matches($0, schema) } ?? true)
  }

  /// Greedy matching with one point to come back to, so the time is at most the product of the lengths.
  private static func matches(_ pattern: [Element], _ text: [UInt8]) -> Bool {
    var (p, t) = (0, 0)
    var back: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == .any {
        back = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == .one {
        p += 1
        t += characterLength(text, at: t)
      } else if p < pattern.count, pattern[p] == .byte(text[t]) {
        p += 1
        t += 1
      } else if let (starred, start) = back {
        back = (starred, start + 1)
        (p, t) = (starred + 1, start + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == .any }
  }

  /// Of the UTF-8 character that begins there; 1 where it is none.
  private static func characterLength(_ text: [UInt8], at index: Int) -> Int {
    let length =
      switch text[index] {
      case 0xC2...0xDF: 2
      case 0xE0...0xEF: 3
      case 0xF0...0xF4: 4
      default: 1
      }
    return min(length, text.count - index)
  }
}
