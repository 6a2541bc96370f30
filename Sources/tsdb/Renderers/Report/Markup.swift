/// A piece of a page. Only literals in the source are markup; whatever is interpolated as text is escaped, here and
/// nowhere else.
///
/// What comes out is HTML that is well-formed XML as well: literals close their elements and quote their attributes.
struct Markup: ExpressibleByStringInterpolation, Sendable, Equatable {
  private(set) var html: String

  init(stringLiteral literal: StaticString) {
    html = literal.description
  }

  init(stringInterpolation: StringInterpolation) {
    html = stringInterpolation.html
  }

  init() {
    html = ""
  }

  struct StringInterpolation: StringInterpolationProtocol {
    typealias StringLiteralType = StaticString
    fileprivate var html: String

    init(literalCapacity: Int, interpolationCount: Int) {
      html = ""
      html.reserveCapacity(literalCapacity + interpolationCount * 16)
    }

    mutating func appendLiteral(_ literal: StaticString) { html += literal.description }
    mutating func appendInterpolation(_ markup: Markup) { html += markup.html }
    mutating func appendInterpolation(_ markup: Markup?) { html += markup?.html ?? "" }
    mutating func appendInterpolation(_ text: String) { html += Markup.escape(text) }
    mutating func appendInterpolation(_ number: Int) { html += String(number) }
    mutating func appendInterpolation(_ number: Int64) { html += String(number) }
  }

  static func + (a: Markup, b: Markup) -> Markup {
    var sum = a
    sum.html += b.html
    return sum
  }

  static func += (a: inout Markup, b: Markup) { a.html += b.html }

  /// Safe as the content of an element and as an attribute's value in quotes.
  ///
  /// Characters that XML does not have become U+FFFD; so do those that turn the direction of the text behind them around,
  /// as a name must not show as another.
  private static func escape(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      default: result.unicodeScalars.append(isAllowed(scalar.value) ? scalar : "\u{FFFD}")
      }
    }
    return result
  }

  private static func isAllowed(_ value: UInt32) -> Bool {
    switch value {
    case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFFFE...0xFFFF:
      false
    default: true
    }
  }
}

extension Sequence where Element == Markup {
  func joined(_ separator: Markup = "") -> Markup {
    var result = Markup()
    for (index, markup) in enumerated() {
      if index > 0 { result += separator }
      result += markup
    }
    return result
  }
}
