extension Duration {
  /// A span of time from text such as `90s`, `15min`, `1h`, `7d` or `12w`; a bare `0` is allowed.
  ///
  /// The units are those of PostgreSQL's settings and `w`; days are of 24 hours. At most 1,000 years.
  public init?(spanText text: some StringProtocol) {
    let units: [(suffix: String, milliseconds: Int64)] = [
      ("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000),
    ]
    if text == "0" {
      self = .zero
      return
    }
    guard let unit = units.first(where: { text.hasSuffix($0.suffix) }) else { return nil }
    let number = text.dropLast(unit.suffix.count)
    guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int64(number)
    else { return nil }
    let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
    guard !overflow, milliseconds <= 366_000 * 86_400_000 else { return nil }
    self = .milliseconds(milliseconds)
  }

  /// The shortest text that ``init(spanText:)`` reads back, such as `7d`; rounded down to milliseconds.
  public var spanText: String {
    let count = wholeMilliseconds
    let units: [(Int64, String)] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")]
    guard count != 0 else { return "0" }
    let unit = units.first { count % $0.0 == 0 } ?? (1, "ms")
    return "\(count / unit.0)\(unit.1)"
  }

  /// Rounded towards zero.
  public var wholeMilliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }

  /// Rounded towards zero.
  public var wholeSeconds: Int64 { components.seconds }
}
