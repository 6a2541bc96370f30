import FoundationEssentials
import Timekeeping

/// The times of steps: UTC, ISO 8601, with milliseconds.
public enum StepClock {
  public static var now: String {
    let time = Date.now.timeIntervalSince1970
    let second = time.rounded(.down)
    let whole = UTCTime(secondsSince1970: Int64(second)).description
    let milliseconds = String(min(999, Int((time - second) * 1000)))
    return whole.dropLast() + "." + String(repeating: "0", count: 3 - milliseconds.count) + milliseconds + "Z"
  }

  /// How long it is from one time to another, in seconds; nil where one cannot be read. Whole seconds are read, too.
  public static func seconds(from start: String, to end: String?) -> Double? {
    guard let end, let first = UTCTime(start), let last = UTCTime(end) else { return nil }
    return max(0, Double(last - first) + fraction(end) - fraction(start))
  }

  private static func fraction(_ text: String) -> Double {
    guard let dot = text.lastIndex(of: "."), let value = Double("0" + text[dot...].dropLast()) else {
      return 0
    }
    return value
  }
}
