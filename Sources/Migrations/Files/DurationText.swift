extension Duration {
  /// A duration from text such as `500ms`, `2s`, `5min` or `1h`.
  ///
  /// The units are those of PostgreSQL's settings (manual, "Parameter Names and Values"), and like
  /// there a bare 0 is allowed; any other number needs its unit.
  public init?(settingText text: some StringProtocol) {
    let units: [(suffix: String, milliseconds: Int64)] = [
      ("ms", 1), ("min", 60_000), ("s", 1_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    if text == "0" {
      self = .zero
      return
    }
    for unit in units where text.hasSuffix(unit.suffix) {
      let number = text.dropLast(unit.suffix.count)
      guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber }), let count = Int64(number)
      else {
        return nil
      }
      let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
      // The largest value that PostgreSQL's timeouts take is a 32-bit number of milliseconds.
      guard !overflow, milliseconds <= Int64(Int32.max) else { return nil }
      self = .milliseconds(milliseconds)
      return
    }
    return nil
  }

  /// Whole milliseconds, rounded down.
  public var milliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
