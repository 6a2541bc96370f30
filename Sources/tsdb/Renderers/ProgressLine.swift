/// The line of a long run: bar, share, bytes, rate and what is left.
enum ProgressLine {
  private static let width = 16

  /// - Parameters:
  ///   - done: of `total`, in whatever tells the remaining time best.
  ///   - bytes: what the rate is told from.
  ///   - what: the last part, such as `3/20 tables`.
  static func text(
    done: Int64, total: Int64, bytes: Int64, seconds: Double, what: String, style: Style
  ) -> String {
    let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 0
    var parts = ["\(bar(share, style)) \(Int(share * 100)) %", ByteCount.text(bytes)]
    if seconds >= 1 { parts.append("\(ByteCount.text(Int64(Double(bytes) / seconds)))/s") }
    // Before a few per cent any estimate jumps about.
    if share > 0.03, share < 1, seconds >= 2 {
      parts.append("\(duration(seconds / share * (1 - share))) left")
    }
    parts.append(what)
    return parts.joined(separator: "  ")
  }

  /// Such as `42 s`, `3 min 20 s` or `2 h 5 min`.
  static func duration(_ seconds: Double) -> String {
    let seconds = Int(max(0, seconds).rounded())
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    if seconds < 172_800 { return "\(seconds / 3600) h \(seconds % 3600 / 60) min" }
    return "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
  }

  private static func bar(_ share: Double, _ style: Style) -> String {
    let filled = Int(share * Double(width))
    return String(repeating: "━", count: filled)
      + style.faint(String(repeating: "─", count: width - filled))
  }
}

extension Duration {
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
