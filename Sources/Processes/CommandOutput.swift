/// The end of what a program wrote, fit for a record and a terminal.
public struct CommandOutput: Sendable {
  /// Lines without control characters and secrets.
  public let text: String

  /// The last line that says something.
  public var line: String? {
    text.split(separator: "\n").last { $0.contains { $0 != " " } }.map { String($0.prefix(300)) }
  }

  /// - Parameters:
  ///   - secrets: what is replaced by three stars wherever it stands.
  ///   - limit: of the text, in bytes; its beginning is left out.
  public init(_ bytes: [UInt8], secrets: [String], limit: Int) {
    var text = String(decoding: bytes, as: UTF8.self)
    for secret in secrets.sorted(by: { $0.utf8.count > $1.utf8.count }) {
      text = Self.replacing(secret, in: text)
    }
    let scalars = Self.printable(text)
    var kept = String(String.UnicodeScalarView(scalars))
    while kept.utf8.count > limit { kept = String(kept.unicodeScalars.dropFirst(kept.utf8.count - limit)) }
    while kept.last == "\n" || kept.last == " " { kept.removeLast() }
    self.text = kept
  }

  private static func replacing(_ secret: String, in text: String) -> String {
    let (secret, bytes) = (Array(secret.utf8), Array(text.utf8))
    var result: [UInt8] = []
    var place = 0
    while place < bytes.count {
      if bytes[place...].starts(with: secret) {
        result += Array("***".utf8)
        place += secret.count
      } else {
        result.append(bytes[place])
        place += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Leaves out escape sequences of terminals, control characters but line ends, and what turns the direction of text.
  private static func printable(_ text: String) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var sequence = 0
    for scalar in text.unicodeScalars {
      if sequence == 1 {
        sequence = scalar == "[" ? 2 : 0
        continue
      }
      if sequence == 2 {
        if (0x40...0x7e).contains(scalar.value) { sequence = 0 }
        continue
      }
      switch scalar.value {
      case 0x1b: sequence = 1
      case 0x0a: result.append(scalar)
      case 0x09: result.append(" ")
      case ..<0x20, 0x7f...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: break
      default: result.append(scalar)
      }
    }
    return result
  }
}
