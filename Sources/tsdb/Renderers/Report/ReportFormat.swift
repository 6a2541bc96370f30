import Operations
import Timekeeping

/// Numbers, sizes and times as a reader of a language writes them.
struct ReportFormat {
  let language: ReportLanguage
  let zone: TimeZoneRules
  /// When the facts were read.
  let now: UTCTime

  /// - Parameter text: UTC, ISO 8601.
  func time(_ text: String?) -> UTCTime? { text.flatMap { UTCTime($0) ?? Self.postgres($0) } }

  /// Such as `2026-11-24 08:36:57.123+00`, as the server writes it.
  private static func postgres(_ text: String) -> UTCTime? {
    guard text.utf8.count >= 19, text.hasSuffix("+00") else { return nil }
    return UTCTime("\(text.prefix(10))T\(text.dropFirst(11).prefix(8))Z")
  }

  /// Such as `24 Nov 2026`, in the zone.
  func date(_ time: UTCTime) -> String {
    let date = zone.local(time).date
    return "\(date.day)\u{A0}\(month(date.month))\u{A0}\(date.year)"
  }

  /// Such as `24 Nov 2026, 15:04`, in the zone.
  func moment(_ time: UTCTime) -> String {
    "\(date(time)), \(zone.local(time).description.dropFirst(11).prefix(5))"
  }

  func month(_ number: Int) -> String {
    let names =
      language == .es
      ? ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"]
      : ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return names.indices.contains(number - 1) ? names[number - 1] : "\(number)"
  }

  /// Of a day counted from 1970-01-01: two letters.
  func weekday(_ day: Int64) -> String {
    let names =
      language == .es
      ? ["do", "lu", "ma", "mi", "ju", "vi", "sá"] : ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"]
    return names[Int(((day + 4) % 7 + 7) % 7)]
  }

  /// Such as `3 h` or `12 days`.
  func span(_ seconds: Int64) -> String {
    let seconds = max(0, seconds)
    switch seconds {
    case ..<120: return "\(seconds)\u{A0}s"
    case ..<7200: return "\(seconds / 60)\u{A0}min"
    case ..<172_800: return "\(seconds / 3600)\u{A0}h"
    default: return "\(number(seconds / 86_400))\u{A0}\(language == .es ? "días" : "days")"
    }
  }

  func ago(_ time: UTCTime) -> String {
    let span = span(now - time)
    return language == .es ? "hace \(span)" : "\(span) ago"
  }

  /// With thin spaces between thousands, from five digits on.
  func number(_ value: some BinaryInteger) -> String {
    let digits = String(value.magnitude)
    guard digits.count > 4 else { return String(value) }
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { result += "\u{202F}" }
      result.append(digit)
    }
    return (value < 0 ? "−" : "") + result
  }

  /// Such as `1.4 MB`, powers of 1000.
  func bytes(_ count: Int64) -> String {
    localized(ByteCount.text(count)).replacing(" ", with: "\u{A0}")
  }

  /// Such as `88 %`, one place behind the point below ten.
  func percent(_ value: Double) -> String {
    let tenths = Int((max(0, min(100, value)) * 10).rounded())
    let text =
      tenths >= 100 || tenths == 0 ? "\((tenths + 5) / 10)" : localized("\(tenths / 10).\(tenths % 10)")
    return "\(text)\u{A0}%"
  }

  func milliseconds(_ count: Int64) -> String {
    count < 10_000 ? "\(number(count))\u{A0}ms" : span(count / 1000)
  }

  private func localized(_ text: String) -> String {
    language == .es ? text.replacing(".", with: ",") : text
  }
}
